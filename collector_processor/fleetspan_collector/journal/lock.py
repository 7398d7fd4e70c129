"""One process owns a data directory."""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from fleetspan_collector._errors import UnreachableError

_LENGTH = 256  # fixed, so that one write replaces it whole


class DataLock:
    """The ownership of a data directory, held until `close` or the process's end.

    The kernel lets go of it however the process ends. The file stays, and says who
    owns the directory, or who did last.

    Args:
        data_directory: The directory to own; it is created when it is not there.

    Raises:
        UnreachableError: When another process owns it.
        OSError: When the lock file cannot be opened.
    """

    def __init__(self, data_directory: Path) -> None:
        data_directory.mkdir(parents=True, exist_ok=True)
        self.path = data_directory / "lock"
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = read_owner(data_directory)
            self.close()
            raise _held(data_directory, owner) from None
        except BaseException:
            self.close()
            raise
        owner = {
            "pid": os.getpid(),
            "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        os.pwrite(self._fd, json.dumps(owner).encode().ljust(_LENGTH), 0)

    def close(self) -> None:
        """Give the directory up; a second call does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_owner(data_directory: Path) -> dict[str, object]:
    """Return ``pid`` and ``started_at`` of the last owner; empty when not known.

    The owner may be gone: only a `DataLock` tells whether the directory is owned.
    """
    try:
        owner = json.loads((data_directory / "lock").read_bytes())
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _held(data_directory: Path, owner: dict[str, object]) -> UnreachableError:
    pid = owner.get("pid")
    if not isinstance(pid, int):
        return UnreachableError(
            f"the data directory {data_directory} is in use",
            because="another process holds its lock",
            suggestion=f"fuser {data_directory / 'lock'}",
        )
    return UnreachableError(
        f"the data directory {data_directory} is in use",
        because=f"process {pid} has owned it since {owner.get('started_at')}",
        suggestion=f"stop that process (kill {pid}), or choose another directory "
        "with --data",
    )
