"""A snapshot as a tar file: the document, the hand-off, the state, and their hashes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from fleetspan_collector.snapshots.handoff import handoff
from fleetspan_collector.snapshots.reading import Snapshot

SCHEMA_VERSION: Final = 1
SUMS: Final = "SHA256SUMS"
_STATE_NAMES: Final = {"json": "state.json", "text": "state.txt"}


def write_archive(
    snapshot: Snapshot, state: Iterator[bytes], target: Path
) -> list[str]:
    """Write a snapshot to a tar file; a file that is there is replaced when it is whole.

    Args:
        snapshot: The snapshot.
        state: Pieces of its state; they are not looked at when it is not complete.
        target: The file.

    Returns:
        The names of what is in it.

    Raises:
        IncompleteStateError: When the state is not what it was; nothing is written then.
        OSError: When it cannot be written.
    """
    handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            names = _write(snapshot, state, file)
        Path(scratch).replace(target)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    return names


def _write(snapshot: Snapshot, state: Iterator[bytes], file: IO[bytes]) -> list[str]:
    at = datetime.fromisoformat(str(snapshot.document["at"])).timestamp()
    sums: dict[str, str] = {}
    document = {"schema_version": SCHEMA_VERSION, "snapshot": snapshot.document}
    text = json.dumps(document, ensure_ascii=False, indent=2)
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, body in (
            ("snapshot.json", text.encode("utf-8", "replace")),
            ("handoff.md", handoff(snapshot).encode("utf-8", "replace")),
        ):
            sums[name] = hashlib.sha256(body).hexdigest()
            archive.addfile(_entry(name, len(body), at), io.BytesIO(body))
        known = snapshot.state
        if known is not None and known["complete"]:
            name = _STATE_NAMES.get(known["kind"], "state.bin")
            sums[name] = known["sha256"]
            with tempfile.TemporaryFile() as spool:
                for piece in state:
                    spool.write(piece)
                size = spool.tell()
                spool.seek(0)
                archive.addfile(_entry(name, size, at), spool)
        listed = "".join(f"{sums[name]}  {name}\n" for name in sums).encode()
        archive.addfile(_entry(SUMS, len(listed), at), io.BytesIO(listed))
    return [*sums, SUMS]


def _entry(name: str, size: int, at_s: float) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mtime = at_s
    entry.mode = 0o600
    return entry
