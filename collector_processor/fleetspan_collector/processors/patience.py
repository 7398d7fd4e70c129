"""Whether a process that does not answer hangs, or has not had its turn yet.

On a busy machine a second of wall time may hold little work. So what counts is the time
in which the process worked or waited for something, as Linux tells; where it cannot be
told, wall time counts.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

_STARVED_FACTOR: Final = 10.0
"""After so many times its time it hangs, whatever the machine says."""

_UTIME, _STIME = 11, 12
"""Places in /proc/PID/stat, counted after the command's name."""


class Patience:
    """How long one step of a process has had.

    Args:
        pid: The process.
    """

    def __init__(self, pid: int) -> None:
        self._stat = Path("/proc", str(pid), "stat")
        self._step: object = None
        self._looked_at = 0.0
        self._cpu_s = 0.0
        self._had_s = 0.0

    def is_over(self, step: object, since_s: float, most_s: float) -> bool:
        """Look at it; called several times a second while it works.

        Args:
            step: What it is doing; time begins anew with every step.
            since_s: Since when, `time.monotonic`.
            most_s: How long it may take, in seconds.
        """
        now_s = time.monotonic()
        state, cpu_s = self._now()
        if step != self._step:
            self._step, self._had_s = step, 0.0
        elif state in ("R", "?"):
            worked_s = cpu_s - self._cpu_s
            passed_s = now_s - self._looked_at
            self._had_s += passed_s if state == "?" else min(worked_s, passed_s)
        else:
            self._had_s += now_s - self._looked_at
        self._looked_at, self._cpu_s = now_s, cpu_s
        wall_s = now_s - since_s
        starved = self._had_s < 0.8 * most_s
        return wall_s > most_s and (not starved or wall_s > _STARVED_FACTOR * most_s)

    def _now(self) -> tuple[str, float]:
        """Its state, ``?`` when unknown, and the CPU time that it has used, in seconds."""
        try:
            stat = self._stat.read_bytes()
        except OSError:
            return "?", 0.0
        fields = stat[stat.rfind(b")") + 2 :].split()
        ticks = int(fields[_UTIME]) + int(fields[_STIME])
        return fields[0].decode(), ticks / os.sysconf("SC_CLK_TCK")
