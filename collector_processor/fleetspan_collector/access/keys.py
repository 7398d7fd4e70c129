"""API keys: what one is, and the file that holds their hashes.

A key is ``fsk_``, eight characters that name it, ``_`` and 43 characters of 256 random
bits. The file holds the SHA-256 of the whole key: a salt or a slow hash would protect
nothing, for there is nothing to guess.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fleetspan_collector._errors import CollectorError, UsageError
from fleetspan_collector.access.identity import Scope

_VERSION: Final = 1
_KEY: Final = re.compile(r"fsk_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")
_ID_CHARACTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH: Final = 8
_MOST_NOTE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is kept of a key.

    Attributes:
        key_id: Names it; part of the key itself.
        sha256: Of the key, hexadecimal.
        tenant: Whose rows become what is sent with it, and may be read; ``None`` for a
            key of all tenants, which sends as the collector's own tenant.
        scopes: What it allows.
        note: What its maker wrote of it.
        created: When it was made.
        expires: From when on it is not in force; ``None`` for never.
        revoked: When it was revoked; ``None`` while it is not.
    """

    key_id: str
    sha256: str
    tenant: str | None
    scopes: tuple[Scope, ...]
    note: str
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def status(self, now: datetime) -> str:
        """Return ``in force``, ``expired`` or ``revoked``."""
        if self.revoked is not None and self.revoked <= now:
            return "revoked"
        if self.expires is not None and self.expires <= now:
            return "expired"
        return "in force"

    def matches(self, key: str) -> bool:
        """Tell whether this is what is kept of a key, in constant time."""
        return hmac.compare_digest(self.sha256, _hash(key))


class KeyFileError(CollectorError):
    """The file of keys cannot be used."""

    def __init__(self, path: Path, because: str) -> None:
        super().__init__(
            f"the file of keys {path} cannot be used",
            because=because,
            suggestion="restore it from a copy, or remove it and make new keys with "
            "`fleetspan keys add`",
        )


def id_of(key: str) -> str | None:
    """Return the id that a key names; ``None`` when it has not the form of one."""
    found = _KEY.fullmatch(key)
    return found[1] if found else None


def masked(text: str) -> str:
    """Return a text with the secret part of each key in it left out, to be shown."""
    return _KEY.sub(r"fsk_\1_…", text)


class KeyFile:
    """The keys of a collector, in a file that only its user reads.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Key, ...]:
        """Return all keys, oldest first; none when there is no file.

        Raises:
            KeyFileError: When it cannot be read or is not what it should be.
        """
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFileError(self.path, str(error)) from error
        try:
            document = json.loads(text)
            if document["version"] != _VERSION:
                raise ValueError(f"its version is {document['version']!r}")
            return tuple(_read_key(each) for each in document["keys"])
        except (ValueError, KeyError, TypeError) as error:
            raise KeyFileError(self.path, f"{type(error).__name__}: {error}") from error

    def add(
        self,
        *,
        tenant: str | None,
        scopes: Iterable[Scope],
        note: str = "",
        expires: datetime | None = None,
    ) -> tuple[Key, str]:
        """Make a key.

        Returns:
            What is kept of it, and the key itself, which nobody can read again.
        """
        made: list[tuple[Key, str]] = []

        def change(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            made.append(_new(keys, tenant, scopes, note, expires))
            return (*keys, made[0][0])

        self._change(change)
        return made[0]

    def revoke(self, key_id: str, *, at: datetime | None = None) -> Key:
        """Let a key end, now or at a time; one that has ended stays as it is.

        Raises:
            UsageError: When there is none of that id.
        """
        changed: list[Key] = []
        when = at or datetime.now(UTC)

        def change(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            key = find(keys, key_id)
            ends = when if key.revoked is None else min(when, key.revoked)
            changed.append(replace(key, revoked=ends))
            return tuple(changed[0] if each is key else each for each in keys)

        self._change(change)
        return changed[0]

    def rotate(self, key_id: str, *, old_ends: datetime) -> tuple[Key, str]:
        """Make a key like another one, which ends at a time.

        Raises:
            UsageError: When there is none of that id, or it has ended.
        """
        made: list[tuple[Key, str]] = []

        def change(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            old = find(keys, key_id)
            status = old.status(datetime.now(UTC))
            if status != "in force":
                raise UsageError(
                    f"the key {old.key_id} cannot be rotated",
                    because=f"it is {status}",
                    suggestion="fleetspan keys add",
                )
            made.append(_new(keys, old.tenant, old.scopes, old.note, old.expires))
            ended = replace(old, revoked=min(old_ends, old.revoked or old_ends))
            kept = tuple(ended if each is old else each for each in keys)
            return (*kept, made[0][0])

        self._change(change)
        return made[0]

    def _change(self, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> None:
        with self._locked():
            self._write(change(self.read()))

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        """Keep other commands out; readers need no lock, for the file is replaced."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = self.path.with_name(f".{self.path.name}.lock")
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise KeyFileError(self.path, str(error)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, keys: Sequence[Key]) -> None:
        document = {"version": _VERSION, "keys": [_written(key) for key in keys]}
        new = self.path.with_name(f".{self.path.name}.new")
        try:
            # Not one that is there already, with the rights that somebody gave it.
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            _sync_directory(self.path.parent)
        except OSError as error:
            raise KeyFileError(self.path, str(error)) from error


def _sync_directory(directory: Path) -> None:
    """Have a power cut keep the new file: a revoked key must not come back."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def find(keys: Iterable[Key], key_id: str) -> Key:
    """Return the key of an id, or of the one id that begins so.

    Raises:
        UsageError: When there is none, or several.
    """
    found = [key for key in keys if key_id and key.key_id.startswith(key_id)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(key.key_id for key in found)
    raise UsageError(
        f"no single key is called {key_id[:40]!r}",
        because=f"these begin so: {names}" if found else "none begins so",
        suggestion="fleetspan keys ls",
    )


def _new(
    keys: Iterable[Key],
    tenant: str | None,
    scopes: Iterable[Scope],
    note: str,
    expires: datetime | None,
) -> tuple[Key, str]:
    taken = {key.key_id for key in keys}
    key_id = ""
    while not key_id or key_id in taken:
        key_id = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
    secret = f"fsk_{key_id}_{secrets.token_urlsafe(32)}"
    key = Key(
        key_id=key_id,
        sha256=_hash(secret),
        tenant=tenant,
        scopes=tuple(scope for scope in Scope if scope in set(scopes)),
        note=note[:_MOST_NOTE],
        created=datetime.now(UTC),
        expires=expires,
    )
    return key, secret


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _written(key: Key) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "sha256": key.sha256,
        "tenant": key.tenant,
        "scopes": list(key.scopes),
        "note": key.note,
        "created": key.created.isoformat(),
        "expires": key.expires and key.expires.isoformat(),
        "revoked": key.revoked and key.revoked.isoformat(),
    }


def _read_key(kept: dict[str, Any]) -> Key:
    return Key(
        key_id=_text(kept["id"]),
        sha256=_text(kept["sha256"]),
        tenant=None if kept["tenant"] is None else _text(kept["tenant"]),
        scopes=tuple(Scope(scope) for scope in kept["scopes"]),
        note=_text(kept["note"]),
        created=_moment(_text(kept["created"])),
        expires=_time(kept["expires"]),
        revoked=_time(kept["revoked"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {type(value).__name__}")
    return value


def _time(value: str | None) -> datetime | None:
    return None if value is None else _moment(value)


def _moment(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return moment
