"""The spool: one file per delivery that the collector has not confirmed.

A file's name is ``TIME-ID-SIZE``: event time (Unix nanoseconds), delivery id and the size of
its content. Its content is the ``traceparent`` (or nothing), a line feed, and the hook's JSON
as the client wrote it. It appears whole or not at all, readable by its owner alone.

There is a folder per endpoint: what was meant for one collector never goes to another.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

FILES_AT_MOST: Final = 10_000
BYTES_AT_MOST: Final = 64 * 1024 * 1024
BODY_AT_MOST: Final = 16 * 1024 * 1024
"""Longest hook, in bytes; a longer one is counted as dropped."""

_ENDPOINT: Final = ".endpoint"
_DROPPED: Final = ".dropped"
_REFUSED: Final = ".refused"
_THIS_MACHINE: Final = ("localhost", "::1", "0.0.0.0", "::")  # noqa: S104 - names only
_DRAFT_PREFIX: Final = ".draft-"
_DRAFT_LIFE_NS: Final = 60 * 10**9


class Delivery:
    """One hook on its way.

    Attributes:
        time_ns: When the hook ran, in Unix nanoseconds.
        id: Random, the same for every attempt: the collector counts it once.
        traceparent: W3C trace context of the client's span, or empty.
        body: The hook's JSON.
    """

    __slots__ = ("body", "id", "time_ns", "traceparent")

    def __init__(
        self, time_ns: int, delivery_id: str, traceparent: str, body: bytes
    ) -> None:
        self.time_ns = time_ns
        self.id = delivery_id
        self.traceparent = traceparent
        self.body = body


class Spool:
    """The deliveries that wait for one endpoint.

    Args:
        folder: Its directory; made, for its owner alone, when something is put there.
        endpoint: Base address of the collector's OTLP/HTTP port.
    """

    def __init__(self, folder: str, endpoint: str) -> None:
        self.folder = folder
        self.endpoint = endpoint

    def put(self, delivery: Delivery) -> str | None:
        """Keep a delivery and return its name; ``None`` when that is not possible."""
        content = delivery.traceparent.encode() + b"\n" + delivery.body
        name = f"{delivery.time_ns:020d}-{delivery.id}-{len(content)}"
        draft = self._path(f"{_DRAFT_PREFIX}{name}")
        try:
            try:
                file = _create(draft)
            except FileNotFoundError:
                self._make()
                file = _create(draft)
        except OSError:
            return None
        try:
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(file, view) :]
            finally:
                os.close(file)
            # No fsync: it would make the client wait. A file that lost its end in a power
            # failure is told by the size in its name.
            os.rename(draft, self._path(name))
        except OSError:
            self._unlink(os.path.basename(draft))
            return None
        return name

    def names(self) -> list[str]:
        """Return what waits, oldest first."""
        try:
            found = os.listdir(self.folder)
        except OSError:
            return []
        return sorted(name for name in found if _parts(name) is not None)

    def take(self, name: str) -> Delivery | None:
        """Read a delivery; a damaged one is counted as dropped, and goes."""
        parts = _parts(name)
        try:
            file = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            chunks = []
            while chunk := os.read(file, 1024 * 1024):
                chunks.append(chunk)
        finally:
            os.close(file)
        content = b"".join(chunks)
        head, line_feed, body = content.partition(b"\n")
        if parts is None or len(content) != parts[2] or not line_feed:
            self.drop(name)
            return None
        return Delivery(parts[0], parts[1], head.decode("ascii", "ignore"), body)

    def done(self, name: str) -> None:
        """Forget a delivery that the collector has confirmed."""
        self._unlink(name)

    def drop(self, name: str) -> None:
        """Give a delivery up, and count it."""
        if self._unlink(name):
            self.count_dropped()

    def refuse(self, name: str) -> None:
        """Forget a delivery that no collector would take, and count it."""
        if self._unlink(name):
            self._count(_REFUSED)

    def count_dropped(self) -> None:
        """Count one hook that will never be delivered."""
        self._count(_DROPPED)

    @property
    def dropped(self) -> int:
        """Hooks given up so far: too many, too long, or damaged."""
        return self._counted(_DROPPED)

    @property
    def refused(self) -> int:
        """Hooks that the collector called unacceptable so far."""
        return self._counted(_REFUSED)

    def bound(self, now_ns: int) -> None:
        """Let the oldest go until the spool keeps its bounds; clear old drafts away."""
        names = self.names()
        sizes = {name: parts[2] for name in names if (parts := _parts(name))}
        total = sum(sizes.values())
        for gone, name in enumerate(names):
            if len(names) - gone <= FILES_AT_MOST and total <= BYTES_AT_MOST:
                break
            self.drop(name)
            total -= sizes[name]
        for name in os.listdir(self.folder):
            if name.startswith(_DRAFT_PREFIX):
                parts = _parts(name[len(_DRAFT_PREFIX) :])
                if parts is None or parts[0] < now_ns - _DRAFT_LIFE_NS:
                    self._unlink(name)

    def _make(self) -> None:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        file = os.open(self._path(_ENDPOINT), flags, 0o600)
        try:
            os.write(file, self.endpoint.encode())
        finally:
            os.close(file)

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def _unlink(self, name: str) -> bool:
        """Remove a file; False when it was not there, so that nothing counts twice."""
        try:
            os.unlink(self._path(name))
        except OSError:
            return False
        return True

    def _count(self, what: str) -> None:
        # One byte for each: appending needs no lock, and the size is the count.
        try:
            if not os.path.isdir(self.folder):
                self._make()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            file = os.open(self._path(what), flags, 0o600)
            try:
                os.write(file, b".")
            finally:
                os.close(file)
        except OSError:
            # A full disk: what cannot be counted is still given up.
            return

    def _counted(self, what: str) -> int:
        try:
            return os.stat(self._path(what)).st_size
        except OSError:
            return 0


def spool_of(endpoint: str) -> Spool:
    """Return the spool of an endpoint, in the user's state directory."""
    return Spool(f"{spool_root()}/{folder_name(endpoint)}", endpoint)


def all_spools() -> list[Spool]:
    """Return the spools that there are, each with the endpoint it was made for."""
    root = spool_root()
    found = []
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        try:
            with open(f"{root}/{name}/{_ENDPOINT}", encoding="utf-8") as file:
                found.append(Spool(f"{root}/{name}", file.read().strip()))
        except OSError:
            continue
    return found


def spool_root() -> str:
    """Return the directory of all spools: ``FLEETSPAN_SPOOL``, else in the XDG state."""
    named = os.path.expanduser(os.environ.get("FLEETSPAN_SPOOL", "").strip())
    # A relative path would put it into whatever project the client works in.
    if os.path.isabs(named):
        return named
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Application Support/fleetspan/hooks")
    state = os.environ.get("XDG_STATE_HOME", "").strip()
    if not os.path.isabs(state):
        state = os.path.expanduser("~/.local/state")
    return f"{state}/fleetspan/hooks"


def folder_name(endpoint: str) -> str:
    """Name the folder of an endpoint; the names of this machine are one.

    >>> folder_name("http://localhost:4318")
    'http_127.0.0.1_4318'
    """
    scheme, host, port, path = split_endpoint(endpoint)
    host = "127.0.0.1" if host.lower() in _THIS_MACHINE else host.lower()
    raw = f"{scheme}_{host}_{port}{path}"
    safe = (c if c.isascii() and (c.isalnum() or c in ".-_") else "~" for c in raw)
    return "".join(safe)[:200]


def split_endpoint(endpoint: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path of an address such as ``http://host:4318``."""
    scheme, separator, rest = endpoint.strip().partition("://")
    if not separator:
        scheme, rest = "http", scheme
    place, slash, path = rest.partition("/")
    place = place.rpartition("@")[2]
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdigit():
        host, port = place, ""
    scheme = scheme.lower()
    number = int(port) if port else (443 if scheme == "https" else 80)
    return scheme, host.strip("[]"), number, (slash + path).rstrip("/")


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _parts(name: str) -> tuple[int, str, int] | None:
    """Return time, delivery id and size of a name; ``None`` when it is not ours."""
    pieces = name.split("-")
    if len(pieces) != 3 or not (pieces[0].isdigit() and pieces[2].isdigit()):
        return None
    return int(pieces[0]), pieces[1], int(pieces[2])
