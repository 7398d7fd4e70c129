"""The ``fleetspan`` command.

This module imports only the standard library: with the SDK alone installed the command
exists, and says what to install.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Final, NoReturn

_NEEDED: Final = (
    "chdb",
    "clickhouse_connect",
    "google.protobuf",
    "grpc",
    "orjson",
    "platformdirs",
    "prometheus_client",
    "rich",
    "starlette",
    "typer",
    "uvicorn",
)


def main() -> NoReturn:
    """Run the command with the arguments of the process, and exit."""
    if sys.argv[1:2] == ["statusline"] and not {"-h", "--help"} & set(sys.argv):
        # The client waits for its status line: nothing else is imported for it.
        from fleetspan_hook.main import main as run_hook

        run_hook()
    missing = [name for name in _NEEDED if not _is_installed(name)]
    if missing:
        sys.stderr.write(
            "error: the fleetspan command needs the 'server' extra\n"
            f"because: {', '.join(missing)} cannot be imported; only the SDK is installed\n"
            f"try: {sys.executable} -m pip install 'fleetspan[server]'\n"
        )
        sys.exit(1)
    from fleetspan_collector.cli._run import run

    sys.exit(run(sys.argv[1:]))


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        # Its parent package is missing.
        return False
