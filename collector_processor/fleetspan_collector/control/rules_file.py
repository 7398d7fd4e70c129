"""The file of rules, read for whoever starts a collector or asks about it."""

from __future__ import annotations

from pathlib import Path

from fleetspan_collector._errors import UsageError
from fleetspan_routing.control.document import load_rules
from fleetspan_routing.control.rules import Rules
from fleetspan_routing.document import DocumentError


def read_rules(path: Path) -> Rules:
    """Read the file of rules.

    Raises:
        UsageError: When it cannot be used; agents are not let loose by a slip of the pen.
    """
    try:
        return load_rules(path)
    except (DocumentError, OSError) as error:
        raise UsageError(
            f"the rules in {path} cannot be used",
            because=str(error),
            suggestion="fleetspan budget check, once it is mended",
        ) from error


def changed_at(path: Path) -> int:
    """Return when a file was changed, Unix nanoseconds; 0 when there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
