"""Exit with 0 when the collector of this container answers, with 1 when it does not.

It asks where the collector says that it listens, so ports and TLS need not be told.
"""

from __future__ import annotations

import http.client
import os
import sys
from pathlib import Path

from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.config import Endpoint, read_endpoints

_TIMEOUT_S = 3.0


def problem() -> str | None:
    """Return what is wrong; ``None`` when nothing is."""
    data = Path(os.environ["FLEETSPAN_DATA"])
    found = read_endpoints(data)
    if found is None or found[0].web is None:
        return f"no collector has left its web address in {data}"
    try:
        where = Endpoint.parse(found[0].web)
        connection = OwnerPass.read(data).connect(where, _TIMEOUT_S)
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{found[0].web} does not answer: {error}"
    return None if status == 200 else f"/healthz answers {status}"


sys.exit(problem())
