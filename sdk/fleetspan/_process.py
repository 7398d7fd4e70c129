"""A name of this process that a collector on the same machine can look up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_START_FIELD: Final = 19
"""Place of the start time in /proc/PID/stat, counted after the command's name."""


def process_id() -> str | None:
    """Name this process as ``BOOT/PID-NAMESPACE/PID/START``.

    The boot and the pid namespace tell a collector whether the pid means anything to
    it, the start (in clock ticks since boot) whether the pid has been given away.

    Returns:
        None where the system does not tell (anywhere but Linux).
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        stat = Path("/proc/self/stat").read_bytes()
    except OSError:
        return None
    start = stat[stat.rfind(b")") + 2 :].split()[_START_FIELD].decode()
    return f"{boot}/{namespace}/{os.getpid()}/{start}"
