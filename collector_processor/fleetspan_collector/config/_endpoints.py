"""``DATA/endpoints.json``: how a running collector is found through its directory."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_FILE: Final = "endpoints.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """What a running collector listens on, each as ``host:port`` or ``None`` for off.

    Attributes:
        otlp_grpc: The OTLP gRPC receiver.
        otlp_http: The OTLP HTTP receiver.
        web: Health, metrics and the API.
        clickhouse: The ClickHouse HTTP interface.
        jaeger: Jaeger's remote-storage interface.
    """

    otlp_grpc: str | None = None
    otlp_http: str | None = None
    web: str | None = None
    clickhouse: str | None = None
    jaeger: str | None = None


def write_endpoints(data: Path, endpoints: Endpoints) -> Path:
    """Write the file for this process, whole or not at all, and return its path."""
    path = data / _FILE
    document = {**asdict(endpoints), "pid": os.getpid()}
    draft = path.with_name(f"{_FILE}.{os.getpid()}")
    draft.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    draft.replace(path)
    return path


def read_endpoints(data: Path) -> tuple[Endpoints, int] | None:
    """Read what the collector of this directory listens on, and its process id.

    Returns:
        ``None`` when there is no file, or one that is not ours. The process may be gone:
        a killed collector leaves its file behind.
    """
    try:
        document = json.loads((data / _FILE).read_text("utf-8"))
        pid = document.pop("pid")
        endpoints = Endpoints(**document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return (endpoints, pid) if isinstance(pid, int) and pid > 0 else None


def remove_endpoints(data: Path) -> None:
    """Remove the file if it is this process's own."""
    found = read_endpoints(data)
    if found is not None and found[1] == os.getpid():
        with contextlib.suppress(FileNotFoundError):
            (data / _FILE).unlink()
