"""What the commands about budgets and approvals share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from fleetspan_collector._errors import UnreachableError, UsageError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.cli._owning import web_of_owner
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.config import Settings

_MARKS: Final = (b"CLAUDECODE=1", b"CLAUDE_CODE_SESSION_ID=")
_MOST_ANCESTORS: Final = 64


def asked_collector(settings: Settings) -> OwnerSource:
    """Return the running collector: budgets are in its memory alone.

    Raises:
        UnreachableError: When none runs.
    """
    web = web_of_owner(settings)
    if web is None:
        raise UnreachableError(
            "there is no collector to ask",
            because=f"none runs on {settings.data}",
            suggestion="fleetspan up --set control_file=FILE",
        )
    return OwnerSource(web, OwnerPass.read(settings.data))


def refuse_agents(what: str) -> None:
    """Refuse to run below a session of Claude Code: no agent gives itself consent.

    Raises:
        UsageError: When this process, or one above it, belongs to a session.
    """
    marked = "CLAUDECODE" in os.environ or "CLAUDE_CODE_SESSION_ID" in os.environ
    if marked or any(map(_is_marked, _ancestors())):
        raise UsageError(
            f"{what} is for people",
            because="this command was started from within a session of Claude Code",
            suggestion="run it in a terminal of your own",
        )


def _ancestors() -> list[int]:
    found: list[int] = []
    pid = os.getpid()
    while pid > 1 and len(found) < _MOST_ANCESTORS:
        try:
            status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except OSError:
            break
        pid = int(status.rpartition(")")[2].split()[1])
        found.append(pid)
    return found


def _is_marked(pid: int) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        # Another user's: not below a session of this one.
        return False
    return any(each.startswith(_MARKS) for each in variables)
