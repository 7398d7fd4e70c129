"""Commands that change what is stored: through the collector that owns it, or as its owner."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.cli._source import check_store, find_owner
from fleetspan_collector.config import Settings

if TYPE_CHECKING:
    from fleetspan_collector.backstage import Backstage


def web_of_owner(settings: Settings) -> str | None:
    """Return the web port of the collector that owns the data; None when nobody does.

    Raises:
        UnreachableError: When its web port is off.
    """
    owner = find_owner(settings)
    if owner is None:
        return None
    endpoints, pid = owner
    if endpoints.web is None:
        raise UnreachableError(
            "the running collector cannot be asked",
            because=f"process {pid} owns {settings.data} and its web port is off",
            suggestion="start it without --web off, or stop it first",
        )
    return endpoints.web


@contextlib.contextmanager
def owned(settings: Settings) -> Generator[Backstage]:
    """Own the data directory, with all stored that a killed collector left.

    Raises:
        UnreachableError: When there is no store, or somebody owns it.
        ClickHouseError: When the store fails.
    """
    check_store(settings)
    # Here, because they bring the engine with them, which most commands do not need.
    from prometheus_client import CollectorRegistry

    from fleetspan_collector.backstage import Backstage

    with Backstage(settings, CollectorRegistry()) as backstage:
        backstage.pipeline.drain()
        yield backstage
