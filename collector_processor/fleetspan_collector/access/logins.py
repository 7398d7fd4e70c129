"""Browsers that have shown a key and hold a cookie in its place."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Final

from fleetspan_collector.access.gate import Gate
from fleetspan_collector.access.identity import Identity, UnauthenticatedError

COOKIE: Final = "fleetspan_login"
IDLE_S: Final = 12 * 3600.0
"""For how long a login lasts that nobody uses."""
_MOST_LOGINS: Final = 10_000
_ATTEMPTS: Final = 10
_ATTEMPTS_PER_S: Final = 1.0


@dataclass(slots=True)
class _Login:
    identity: Identity
    used_s: float


class Logins:
    """Logins of browsers, kept in memory alone: a restart ends them all.

    A login ends with its key, and when it was not used for `IDLE_S`.

    Args:
        gate: Knows the keys.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._lock = threading.Lock()
        self._by_hash: dict[str, _Login] = {}
        self._attempts = float(_ATTEMPTS)
        self._attempted_s = time.monotonic()

    def log_in(self, key: str) -> str:
        """Return the token of a new login.

        Raises:
            UnauthenticatedError: When the key is not in force, or too many were tried.
        """
        with self._lock:
            self._refill()
            if self._attempts < 1:
                raise UnauthenticatedError("too many keys were tried; wait a second")
            self._attempts -= 1
        identity = self._gate.identify(key)
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._attempts = min(self._attempts + 1, _ATTEMPTS)
            self._forget_old()
            self._by_hash[_hash(token)] = _Login(identity, time.monotonic())
        return token

    def identity(self, token: str) -> Identity | None:
        """Return who has logged in with a token; ``None`` when it is not in force."""
        name = _hash(token)
        now_s = time.monotonic()
        with self._lock:
            login = self._by_hash.get(name)
            if login is None:
                return None
            if now_s - login.used_s > IDLE_S or not self._gate.holds(login.identity):
                del self._by_hash[name]
                return None
            login.used_s = now_s
            return login.identity

    def log_out(self, token: str) -> None:
        """End a login; one that is not there is fine."""
        with self._lock:
            self._by_hash.pop(_hash(token), None)

    def _refill(self) -> None:
        now_s = time.monotonic()
        grown = self._attempts + (now_s - self._attempted_s) * _ATTEMPTS_PER_S
        self._attempts = min(grown, _ATTEMPTS)
        self._attempted_s = now_s

    def _forget_old(self) -> None:
        oldest_s = time.monotonic() - IDLE_S
        for name, login in list(self._by_hash.items()):
            if login.used_s < oldest_s:
                del self._by_hash[name]
        while len(self._by_hash) >= _MOST_LOGINS:
            least = min(self._by_hash, key=lambda name: self._by_hash[name].used_s)
            del self._by_hash[least]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
