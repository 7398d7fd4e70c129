"""Writing to the disk so that it stays written."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_MAX_BUFFERS = 1000  # IOV_MAX is 1024 on Linux and macOS


def sync_data(fd: int) -> None:
    """Return once a file's data, and its length, have reached the disk.

    Raises:
        OSError: When they may not have.
    """
    if sys.platform == "darwin":
        # fsync on macOS leaves the data in the drive's volatile cache.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def sync_directory(directory: Path) -> None:
    """Return once the names in a directory have reached the disk.

    Raises:
        OSError: When they may not have.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, buffers: Sequence[bytes | memoryview]) -> None:
    """Write every byte of the buffers, in order, whatever a single call takes.

    Raises:
        OSError: When the disk took only a part; how much is not known.
    """
    for start in range(0, len(buffers), _MAX_BUFFERS):
        rest: Sequence[bytes | memoryview] = buffers[start : start + _MAX_BUFFERS]
        while rest:
            rest = _after(rest, os.writev(fd, rest))


def _after(
    buffers: Sequence[bytes | memoryview], written: int
) -> Sequence[bytes | memoryview]:
    """Return what is left of the buffers after their first ``written`` bytes."""
    for index, buffer in enumerate(buffers):
        if written < len(buffer):
            return [memoryview(buffer)[written:], *buffers[index + 1 :]]
        written -= len(buffer)
    return ()


def write_synced(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Create or replace a file, whole or not at all, even across a power cut.

    Raises:
        OSError: When it cannot be done; the file is then as it was.
    """
    aside = path.with_name(path.name + ".aside")
    try:
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            write_all(fd, list(chunks))
            sync_data(fd)
        finally:
            os.close(fd)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


class Reserve:
    """Disk space that is held back for the work a full disk must not stop.

    Args:
        path: The file that holds the space.
        size_bytes: How much; 0 for none.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def release(self) -> None:
        """Give the space back to the file system."""
        self._path.unlink(missing_ok=True)

    def hold(self) -> bool:
        """Take the space again where that is possible; return whether it is held."""
        if not self._size_bytes:
            return True
        try:
            if (
                self._path.exists()
                and self._path.stat().st_blocks * 512 >= self._size_bytes
            ):
                return True
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                _allocate(fd, self._size_bytes)
            finally:
                os.close(fd)
        except OSError:
            # A reserve that cannot be had must not take the last free blocks.
            self.release()
            return False
        return True


def _allocate(fd: int, size_bytes: int) -> None:
    if size_bytes and sys.platform == "linux":
        os.posix_fallocate(fd, 0, size_bytes)
        return
    block = bytes(1024 * 1024)
    for start in range(0, size_bytes, len(block)):
        write_all(fd, [block[: size_bytes - start]])
