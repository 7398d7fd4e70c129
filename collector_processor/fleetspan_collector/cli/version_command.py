"""``fleetspan version``."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Final

from fleetspan_collector.cli._invocation import Invocation

_PARTS: Final = ("chdb-core", "clickhouse-connect", "opentelemetry-sdk", "genai-prices")


def version(invocation: Invocation) -> None:
    """Say the version of Fleetspan, of Python and of the engine."""
    document = versions()
    if invocation.json:
        invocation.write_json(document)
        return
    for name, number in document.items():
        invocation.out.print(f"{name} {number or 'not installed'}")


def versions() -> dict[str, str | None]:
    """Return the installed versions; ``None`` for what is not installed."""
    found: dict[str, str | None] = {
        "fleetspan": _installed("fleetspan"),
        "python": platform.python_version(),
    }
    return found | {name: _installed(name) for name in _PARTS}


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
