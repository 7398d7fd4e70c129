"""Agents whose process is known to be dead: they are abandoned, not at work.

The SDK names its process in the resource attribute ``fleetspan.process.id``, as
``BOOT/PID-NAMESPACE/PID/START``. Where boot and namespace are this collector's own,
the process is looked up; a pid that was given to another process has another start.
Only Linux can tell; elsewhere the idle setting decides.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE: Final = Path("/proc/self/ns/pid")
_START_FIELD: Final = 19
"""Place of the start time in /proc/PID/stat, counted after the command's name."""


def own_scope() -> str | None:
    """What the names of this machine's processes start with; None where that is unknown."""
    try:
        boot = _BOOT_ID.read_text("ascii").strip()
        return f"{boot}/{_NAMESPACE.stat().st_ino}/"
    except OSError:
        return None


def dead(processes: Iterable[str]) -> set[str]:
    """Those of the processes that are known to have ended."""
    scope = own_scope()
    if scope is None:
        return set()
    return {
        process
        for process in set(processes)
        if process.startswith(scope) and not _runs(process.removeprefix(scope))
    }


def _runs(pid_and_start: str) -> bool:
    pid, _, start = pid_and_start.partition("/")
    if not pid.isdigit() or not start.isdigit():
        return True
    try:
        stat = Path("/proc", pid, "stat").read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        # It may have ended between the look-up and the read, or not be ours to see.
        return os.path.exists(f"/proc/{pid}")
    fields = stat[stat.rfind(b")") + 2 :].split()
    # A zombie has ended; its parent has not asked for its exit code yet.
    return fields[0] != b"Z" and fields[_START_FIELD].decode() == start
