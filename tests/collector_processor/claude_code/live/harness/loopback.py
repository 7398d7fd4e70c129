"""A network namespace that has a loopback and nothing else."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
from typing import Final

_SET_FLAGS: Final = 0x8914  # SIOCSIFFLAGS of <linux/sockios.h>
_UP: Final = 0x1 | 0x40  # IFF_UP | IFF_RUNNING of <linux/if.h>


def unshare() -> list[str]:
    """Return the command in front of another that runs it in such a namespace."""
    return ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]


def refusal() -> str:
    """Return why no such namespace can be had here; empty when it can."""
    if shutil.which("unshare") is None:
        return "`unshare` is not installed"
    done = subprocess.run(
        [*unshare(), "true"], capture_output=True, text=True, check=False, timeout=30
    )
    return f"no network namespace: {done.stderr.strip()}" if done.returncode else ""


def bring_up() -> None:
    """Bring the loopback of the namespace up, from inside.

    Raises:
        OSError: When there is another interface, so that this is no such namespace.
    """
    names = [name for _, name in socket.if_nameindex()]
    if names != ["lo"]:
        raise OSError(f"not a namespace with a loopback alone: {names}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", _UP)
        fcntl.ioctl(any_socket, _SET_FLAGS, request)
