"""Reading and writing the settings file, and the record of what it was before."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pwd
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleetspan_collector._errors import UsageError
from fleetspan_collector.claude_settings.edit import Added

_BOM: Final = "\ufeff"
_RECORD_VERSION: Final = 1
_RECORD_SUFFIX: Final = ".before-fleetspan"
_PROJECT_FILES: Final = ("settings.json", "settings.local.json")
_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the settings were before, and what was put in.

    Attributes:
        original: The bytes of the file; ``None`` when there was none.
        installed_sha256: Hash of the bytes that were written.
        added: What was put in.
    """

    original: bytes | None
    installed_sha256: str
    added: Added


def user_settings(environ: Mapping[str, str]) -> Path:
    """Return the path of the user's settings: ``$CLAUDE_CONFIG_DIR`` or ``~/.claude``."""
    folder = environ.get("CLAUDE_CONFIG_DIR", "").strip() or "~/.claude"
    return Path(folder).expanduser().absolute() / "settings.json"


def is_project_file(path: Path, environ: Mapping[str, str]) -> bool:
    """Whether a path is that of a project's settings, and not of a user's."""
    if path.parent.name != ".claude" or path.name not in _PROJECT_FILES:
        return False
    if path.parent == user_settings(environ).parent:
        return path.name != "settings.json"
    homes = {Path.home(), *(Path(user.pw_dir) for user in pwd.getpwall())}
    return path.parent.parent not in homes


def read_bytes(path: Path) -> bytes | None:
    """Return the content of a file; ``None`` when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def decode(content: bytes | None, path: Path) -> tuple[str, str]:
    """Return the mark at the beginning of a text file, if any, and the text after it.

    Raises:
        UsageError: When it is not UTF-8.
    """
    try:
        text = (content or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not text",
            because=f"it is not UTF-8: {error.reason} at byte {error.start}",
            suggestion="save it as UTF-8, then the same command again",
        ) from error
    return (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)


def write_bytes(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file's content whole or not at all; links and permissions stay.

    Args:
        path: The file, or a link to it.
        content: What it is to hold.
        mode: Permissions; ``None`` keeps those of the file, a new one is private.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        found = target.stat()
    except FileNotFoundError:
        found = None
    if mode is None:
        mode = stat.S_IMODE(found.st_mode) if found else _PRIVATE
    handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if found is not None and os.geteuid() == 0:
                os.fchown(file.fileno(), found.st_uid, found.st_gid)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise


def remove_file(path: Path) -> None:
    """Remove a file that we made; a link to it stays, as it was there before."""
    target = Path(os.path.realpath(path))
    target.unlink(missing_ok=True)


def record_path(path: Path) -> Path:
    """Return where the record of a settings file is: beside it, or beside its link."""
    return path.with_name(path.name + _RECORD_SUFFIX)


def write_record(path: Path, record: Record) -> None:
    """Write the record of a settings file, for its owner alone."""
    original = record.original
    document = {
        "about": "What `fleetspan claude uninstall` puts back; it goes with that.",
        "version": _RECORD_VERSION,
        "original_base64": (
            None if original is None else base64.b64encode(original).decode("ascii")
        ),
        "installed_sha256": record.installed_sha256,
        "added": record.added.to_json(),
    }
    text = json.dumps(document, indent=1) + "\n"
    # Settings may hold secrets, so this may too.
    write_bytes(record_path(path), text.encode(), mode=_PRIVATE)


def read_record(path: Path) -> Record | None:
    """Read the record of a settings file; ``None`` when there is none that we can use."""
    content = read_bytes(record_path(path))
    if content is None:
        return None
    try:
        document = json.loads(content)
        original = document["original_base64"]
        if document["version"] != _RECORD_VERSION:
            return None
        return Record(
            original=None if original is None else base64.b64decode(original),
            installed_sha256=document["installed_sha256"],
            added=Added.from_json(document["added"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def remove_record(path: Path) -> None:
    """Forget the record of a settings file."""
    record_path(path).unlink(missing_ok=True)


def sha256(content: bytes) -> str:
    """Return the hash by which written bytes are known again."""
    return hashlib.sha256(content).hexdigest()
