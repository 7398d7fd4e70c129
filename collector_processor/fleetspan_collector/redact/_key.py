"""The key of the hashes in markers: one per data directory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from fleetspan_collector._errors import UsageError

KEY_FILE: Final = "redaction.key"
_KEY_BYTES: Final = 32


def load_key(data: Path) -> bytes:
    """Return the key of a data directory, making it when there is none.

    It stays the same over restarts, so that equal secrets stay recognisable and a
    request that a client sends again is the same request.

    Args:
        data: The data directory, which exists and is owned.

    Raises:
        UsageError: When the file is there and no key.
    """
    path = data / KEY_FILE
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
        raise UsageError(
            f"the key of redaction in {path} cannot be used",
            because=f"it has {len(key)} bytes, expected {_KEY_BYTES}",
            suggestion=f"rm {path}: a new one is made, and old markers compare no more",
        )
    key = os.urandom(_KEY_BYTES)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
    ) as f:
        f.write(key)
        f.flush()
        os.fsync(f.fileno())
    fresh.replace(path)
    return key
