"""Lets in who shows a key that is in force."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from fleetspan_collector.access.identity import (
    ALL_SCOPES,
    Identity,
    Scope,
    UnauthenticatedError,
)
from fleetspan_collector.access.keys import Key, KeyFile, KeyFileError, id_of
from fleetspan_collector.access.owner import sender_key
from fleetspan_collector.config import Endpoint, Settings

logger = logging.getLogger("fleetspan.access")

OWNER_ID: Final = "owner"
SENDER_ID: Final = "sender"
_SENDS: Final = frozenset({Scope.INGEST})
_LOOK_S: Final = 0.5
"""How long what the file said is believed without another look."""


class KeyGate:
    """A gate that follows a file of keys while it changes.

    Nobody has to show a key as long as there is no file. Once there is one, also when
    all its keys are revoked or it is gone again, everybody has to.

    Args:
        file: The keys.
        tenant: Whose rows become what is sent without a key, and with one of all tenants.
        owner_key: What the commands of the collector's own user show; ``""`` for none.
        sender_key: What programs that those start show, to send only; ``""`` for none.

    Raises:
        KeyFileError: When the file is there and cannot be used.
    """

    def __init__(
        self,
        file: KeyFile,
        tenant: str = "",
        owner_key: str = "",
        sender_key: str = "",
    ) -> None:
        self._file = file
        self._tenant = tenant
        self._owner_key = owner_key.encode()
        self._sender_key = sender_key.encode()
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._looked_s = -_LOOK_S
        self._complained = False
        self._keys: Mapping[str, Key] = {}
        # Before it is read: what changes in between is seen by the next look.
        self._stamp = self._stat()
        self._required = self._stamp is not None
        self._take(file.read())

    @property
    def required(self) -> bool:
        """Whether a key has to be shown."""
        self._look()
        return self._required

    def identify(self, key: str | None) -> Identity:
        """Return who shows this key.

        Raises:
            UnauthenticatedError: When a key has to be shown, and this is none in force.
        """
        self._look()
        if key is not None and (own := self._own(key)) is not None:
            return own
        if not self._required:
            return self._known("", None, ALL_SCOPES)
        if key is None:
            raise UnauthenticatedError("no key was shown")
        found = self._keys.get(id_of(key) or "")
        if found is None or not found.matches(key):
            raise UnauthenticatedError("the key is not known")
        status = found.status(datetime.now(UTC))
        if status != "in force":
            raise UnauthenticatedError(f"the key is {status}")
        return self._known(found.key_id, found.tenant, frozenset(found.scopes))

    def holds(self, identity: Identity) -> bool:
        """Tell whether somebody who was let in may stay."""
        self._look()
        if identity.key_id in (OWNER_ID, SENDER_ID):
            return True
        if not identity.key_id:
            return not self._required
        key = self._keys.get(identity.key_id)
        return key is not None and key.status(datetime.now(UTC)) == "in force"

    def _own(self, key: str) -> Identity | None:
        """Return whom of the collector's own user a key is of, if it is."""
        shown = key.encode("utf-8", "surrogateescape")
        if self._owner_key and hmac.compare_digest(shown, self._owner_key):
            return self._known(OWNER_ID, None, ALL_SCOPES)
        if self._sender_key and hmac.compare_digest(shown, self._sender_key):
            return self._known(SENDER_ID, self._tenant, _SENDS)
        return None

    def _known(
        self, key_id: str, sees: str | None, scopes: frozenset[Scope]
    ) -> Identity:
        return Identity(
            key_id=key_id,
            tenant=self._tenant if sees is None else sees,
            sees=sees,
            scopes=scopes,
        )

    def _look(self) -> None:
        """Read the file again when it has changed."""
        now_s = time.monotonic()
        if now_s < self._looked_s + _LOOK_S:
            return
        with self._lock:
            self._looked_s = now_s
            stamp = self._stat()
            if stamp == self._stamp:
                return
            # Also by one that cannot be read: somebody wants keys to be asked for.
            self._required = self._required or stamp is not None
            try:
                # A file that has gone leaves what it held in force: a mishap with it
                # must not open the doors, nor shut out everybody.
                keys = None if stamp is None else self._file.read()
            except KeyFileError as error:
                if not self._complained:
                    self._complained = True
                    logger.error("%s; the keys stay as they were", error)
                return
            self._complained = False
            self._stamp = stamp
            if keys is not None:
                self._take(keys)

    def _take(self, keys: tuple[Key, ...]) -> None:
        self._keys = {key.key_id: key for key in keys}

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def load_gate(settings: Settings, owner: str = "") -> KeyGate:
    """Return the gate of a collector.

    Args:
        settings: Says where the keys are.
        owner: The key of its own user's commands, see `OwnerPass`.

    Raises:
        KeyFileError: When the file of keys cannot be used.
    """
    sender = sender_key(settings.data)
    gate = KeyGate(KeyFile(settings.keys_path), settings.tenant, owner, sender)
    wide = [
        str(each) for each in settings.endpoints.values() if each and _is_wide(each)
    ]
    if wide and gate.required and settings.tls_cert_file is None:
        logger.warning(
            "keys and all that is sent can be read on the network on the way to %s: set "
            "tls_cert_file and tls_key_file, or have something before it encrypt them",
            ", ".join(wide),
        )
    return gate


def _is_wide(endpoint: Endpoint) -> bool:
    return not endpoint.is_loopback
