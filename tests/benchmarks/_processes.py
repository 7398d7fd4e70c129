"""CPU time and memory of a process and all that it started."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped, import-not-found, unused-ignore]

_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What some processes have used so far.

    Attributes:
        at_s: When it was read, on the monotonic clock.
        cpu_s: User and system time, in seconds.
        rss_bytes: Resident memory now.
        peak_rss_bytes: The highest resident memory of each so far (``VmHWM``), summed.
    """

    at_s: float
    cpu_s: float
    rss_bytes: int
    peak_rss_bytes: int


def usage_of(pids: Sequence[int]) -> Usage:
    """Read what these processes and their living children have used.

    Args:
        pids: Process ids of the roots of the trees.

    Raises:
        psutil.NoSuchProcess: When one of the roots has ended.
    """
    family = [psutil.Process(pid) for pid in pids]
    family += [child for each in family for child in each.children(recursive=True)]
    cpu_s = 0.0
    rss_bytes = peak_bytes = 0
    for process in family:
        times = process.cpu_times()
        # Children that have ended count with the parent that waited for them.
        cpu_s += times.user + times.system
        cpu_s += getattr(times, "children_user", 0.0)
        cpu_s += getattr(times, "children_system", 0.0)
        resident = process.memory_info().rss
        rss_bytes += resident
        peak_bytes += _peak(process.pid, resident)
    return Usage(
        at_s=time.monotonic(),
        cpu_s=cpu_s,
        rss_bytes=rss_bytes,
        peak_rss_bytes=peak_bytes,
    )


def _peak(pid: int, resident_bytes: int) -> int:
    """The kernel's high-water mark; where there is none, what is resident now."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * _KIB
    return resident_bytes
