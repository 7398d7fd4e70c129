"""Sends what is new in transcripts to a collector."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import orjson

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.transcripts import standing as positions
from fleetspan_collector.transcripts.collector_client import (
    Address,
    AwayError,
    Client,
    TooLargeError,
)
from fleetspan_collector.transcripts.finding import Found, Transcript, find_transcripts
from fleetspan_collector.transcripts.lines import is_object, read_chunks
from fleetspan_collector.transcripts.standing import Standing, Stored

_SENDERS: Final = 4
"""Files sent side by side, so that one sync of the journal covers several requests."""

_LOOK_AGAIN_S: Final = 0.25
_PATIENCE_S: Final = 60.0

Locate = Callable[[], Address | None]
OnProgress = Callable[[int, int], None]
"""Called with bytes that are done, and bytes in all."""


@dataclass(slots=True)
class Imported:
    """What an import has done so far.

    Attributes:
        files: Transcripts found, descriptions of sub-agents left out.
        read: Those of them of which anything was sent.
        lines: Lines sent.
        bytes: Their size.
        malformed: Lines sent that are no JSON object; they are kept as they are.
        too_long: Lines that no request can hold, and that were left out.
        restarted: Files read from their beginning because they are not what they were.
        sessions: Ids of the sessions found.
        unreadable: Files and folders that could not be read, with the reason.
    """

    files: int = 0
    read: set[Path] = field(default_factory=set)
    lines: int = 0
    bytes: int = 0
    malformed: int = 0
    too_long: int = 0
    restarted: int = 0
    sessions: set[str] = field(default_factory=set)
    unreadable: dict[Path, str] = field(default_factory=dict)


class Importer:
    """Sends transcripts to a collector, each line once as far as it can be known.

    Sending a line again changes nothing: the store knows it by its place in its file.

    Args:
        places: Where to look, as `find_transcripts` takes them.
        locate: Returns where the collector is; ``None`` while there is none.
        database: The store's database.
        tenant: Whose the transcripts are.
        stopping: Set to end it, after the chunks that are on their way.
        patience_s: How long to wait for a collector that is away; ``None``: for ever.

    Attributes:
        imported: What it has done.
        address: The collector that it has talked to last.
    """

    def __init__(
        self,
        places: Iterable[Path],
        locate: Locate,
        *,
        database: str,
        tenant: str,
        stopping: threading.Event,
        patience_s: float | None = _PATIENCE_S,
    ) -> None:
        self.imported = Imported()
        self.address: Address | None = None
        self._places = list(places)
        self._locate = locate
        self._about = {"database": database, "tenant": tenant}
        self._stopping = stopping
        self._patience_s = patience_s
        self._client: Client | None = None
        self._standings: dict[Path, Standing] = {}
        self._stored: dict[str, Stored] = {}
        self._lock = threading.Lock()

    def look(
        self, on_progress: OnProgress | None = None, found: Found | None = None
    ) -> Found:
        """Send everything that is new, waiting for the collector where it is away.

        Args:
            on_progress: Told how far it has come.
            found: What there is; ``None`` to look.

        Returns:
            What there is.

        Raises:
            UnreachableError: When the collector stays away.
            CollectorError: When it refuses what is sent.
        """
        found = find_transcripts(self._places) if found is None else found
        self._note(found)
        away_since: float | None = None
        while not self._stopping.is_set():
            try:
                client = self._connect(found)
                self._send_all(client, found, on_progress)
                break
            except AwayError as error:
                # It may be another one when it comes back, with another store.
                self.forget_collector()
                now = time.monotonic()
                away_since = now if away_since is None else away_since
                if self._patience_s is not None and now - away_since > self._patience_s:
                    raise UnreachableError(
                        "the collector does not answer",
                        because=f"{error}; waited {self._patience_s:.0f} s",
                        suggestion="fleetspan doctor, then the same command again: what"
                        " was sent is not sent twice",
                    ) from error
                self._stopping.wait(_LOOK_AGAIN_S)
        return found

    def changed(self, found: Found) -> bool:
        """Tell whether any file is not as it was when it was read."""
        return any(self._is_changed(each) for each in found.files.values())

    def moved(self) -> bool:
        """Tell whether the collector is not the one that was talked to last."""
        return self._locate() != self.address

    def forget_collector(self) -> None:
        """Ask anew, with the next look, where the collector is and what it has."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def close(self) -> None:
        """Let go of the collector; safe to call twice."""
        self.forget_collector()

    def wait_until_readable(self, timeout_s: float) -> bool:
        """Return once everything sent is derived; tells whether it is."""
        deadline = time.monotonic() + timeout_s
        while self._client is not None and self._client.address.web is not None:
            try:
                if self._client.query("SELECT 1")[1]:
                    return True
            except AwayError:
                self._stopping.wait(_LOOK_AGAIN_S)
            if time.monotonic() > deadline or self._stopping.is_set():
                break
        return False

    def totals(self) -> dict[str, float | None] | None:
        """Add up what the collector knows of the sessions; ``None`` when it cannot say.

        Raises:
            CollectorError: When it refuses to.
        """
        if self._client is None or self._client.address.web is None:
            return None
        added: dict[str, float | None] = {}
        try:
            for sessions in positions.in_batches(self.imported.sessions):
                named = positions.statement(
                    "transcript_totals", sessions, **self._about
                )
                for name, value in self._client.query(named)[0][0].items():
                    so_far = added.get(name)
                    added[name] = value if so_far is None else so_far + (value or 0)
        except AwayError:
            return None
        return added

    def _note(self, found: Found) -> None:
        imported = self.imported
        imported.files = sum(not each.is_meta for each in found.files.values())
        imported.sessions |= {
            each.session_id for each in found.files.values() if each.session_id
        }
        still = {
            path: reason
            for path, reason in imported.unreadable.items()
            if path in found.files
        }
        imported.unreadable = still | found.unreadable

    def _connect(self, found: Found) -> Client:
        """The client; of a collector met for the first time, with what it has.

        Raises:
            AwayError: When there is none.
        """
        if self._client is not None:
            return self._client
        address = self._locate()
        if address is None:
            raise AwayError("no collector runs")
        client = Client(address, self._stopping)
        self._stored = {}
        if address.web is not None:
            files = found.files.values()
            self._stored = positions.ask(client, files, **self._about)
        if address.web is not None or address != self.address:
            self._standings = {}
        self._client, self.address = client, address
        return client

    def _send_all(
        self, client: Client, found: Found, on_progress: OnProgress | None
    ) -> None:
        todo = [each for each in found.files.values() if self._is_changed(each)]
        starts = {each.path: self._start(each) for each in todo}
        sizes = {each.path: _size(each.path) for each in todo}
        progress = _Progress(
            sum(max(sizes[path] - start.offset, 0) for path, start in starts.items()),
            on_progress,
        )
        giving_up = threading.Event()

        def send(file: Transcript) -> None:
            if giving_up.is_set() or self._stopping.is_set():
                return
            try:
                self._send(client, file, starts[file.path], progress, giving_up)
                with self._lock:
                    self.imported.unreadable.pop(file.path, None)
            except OSError as error:
                self._pass_over(file, error)
            except BaseException:
                giving_up.set()
                raise

        with ThreadPoolExecutor(_SENDERS, "fleetspan-transcripts") as pool:
            for done in [pool.submit(send, each) for each in todo]:
                done.result()

    def _pass_over(self, file: Transcript, error: OSError) -> None:
        """Report a file that cannot be read, and leave it alone until it changes."""
        with self._lock:
            self.imported.unreadable[file.path] = error.strerror or str(error)
        try:
            look = positions.look_of(file.path)
        except OSError:
            return
        standing = self._standings.get(file.path, Standing())
        self._standings[file.path] = replace(standing, seen=look)

    def _is_changed(self, file: Transcript) -> bool:
        standing = self._standings.get(file.path)
        if standing is None or standing.seen is None:
            return True
        try:
            return positions.look_of(file.path) != standing.seen
        except OSError:
            # Gone, as the client's own tidying does; what it said is stored.
            return False

    def _start(self, file: Transcript) -> Standing:
        """Where to read on: where this process stands, else where the store does."""
        if file.is_meta:
            return Standing()
        try:
            standing = self._standings.get(file.path)
            if standing is not None:
                if positions.still_stands(file.path, standing):
                    return standing
                self.imported.restarted += 1
                return Standing()
            stored = self._stored.get(positions.name_of(file.path))
            if stored is None:
                return Standing()
            resumed = positions.resume(file.path, stored)
            self.imported.restarted += resumed.offset == 0
            return resumed
        except OSError:
            # Sending it says why.
            return Standing()

    def _send(
        self,
        client: Client,
        file: Transcript,
        standing: Standing,
        progress: _Progress,
        giving_up: threading.Event,
    ) -> None:
        look = positions.look_of(file.path)
        if file.is_meta:
            self._send_description(client, file)
            self._standings[file.path] = Standing(seen=look)
            return
        for chunk in read_chunks(file.path, standing.offset):
            if giving_up.is_set() or self._stopping.is_set():
                return
            if not chunk.body:
                with self._lock:
                    self.imported.too_long += 1
                standing = replace(standing, offset=chunk.end)
                continue
            self._send_lines(client, file, chunk.offset, chunk.body)
            standing = standing.after(chunk)
            self._standings[file.path] = standing
            progress.advance(len(chunk.body))
        self._standings[file.path] = replace(standing, seen=look)

    def _send_description(self, client: Client, file: Transcript) -> None:
        """Send what describes a sub-agent, as one line, when it is not known yet."""
        line = _as_line(file.path.read_bytes())
        if not line:
            return
        stored = self._stored.get(positions.name_of(file.path))
        if stored is None or stored.described != positions.described(line):
            self._send_lines(client, file, 0, line + b"\n")

    def _send_lines(
        self, client: Client, file: Transcript, offset: int, body: bytes
    ) -> None:
        """Send lines, in halves where they are too much at once."""
        try:
            client.send(file, offset, body)
        except TooLargeError:
            middle = body.rfind(b"\n", 0, max(len(body) // 2, 1)) + 1
            middle = middle or body.find(b"\n") + 1
            if middle == len(body):
                with self._lock:
                    self.imported.too_long += 1
                return
            self._send_lines(client, file, offset, body[:middle])
            self._send_lines(client, file, offset + middle, body[middle:])
            return
        if file.is_meta:
            return
        lines = [line for line in body.split(b"\n") if line.strip()]
        malformed = sum(not is_object(line) for line in lines)
        with self._lock:
            self.imported.lines += len(lines)
            self.imported.bytes += len(body)
            self.imported.malformed += malformed
            self.imported.read.add(file.path)


class _Progress:
    def __init__(self, total: int, on_progress: OnProgress | None) -> None:
        self._done, self._total, self._on_progress = 0, total, on_progress
        self._lock = threading.Lock()
        self.advance(0)

    def advance(self, size: int) -> None:
        with self._lock:
            self._done += size
            if self._on_progress is not None:
                self._on_progress(self._done, max(self._total, self._done))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _as_line(document: bytes) -> bytes:
    """Return a JSON document on one line; what is no JSON stays as it is."""
    document = document.strip()
    if b"\n" in document:
        try:
            return orjson.dumps(orjson.loads(document))
        except orjson.JSONDecodeError:
            return document.replace(b"\n", b" ")
    return document
