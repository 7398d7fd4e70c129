"""What real sessions of Claude Code sent, as deliveries to play against a collector.

A delivery is one HTTP request. Tests take a list of them, shuffle, reverse or double
it, and send it: to a running collector (`send`), or through the collector's own HTTP
application into the journal of a store in this process (`journal`, `take`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import http.client
import json
import os
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from prometheus_client import CollectorRegistry

from fleetspan_collector._signals import Accepted, Signal, Submission
from fleetspan_collector.derive.normalise import Window
from fleetspan_collector.journal import Journal, Segment
from fleetspan_collector.receivers import (
    Intake,
    OtlpHttpApp,
    ReceiverMetrics,
    ReceiverSettings,
)
from tests.collector_processor.embedded import Embedded
from tests.collector_processor.running import Collector

FOLDER: Final = Path(__file__).parent / "captures"
NAMES: Final = ("tree", "default", "resume", "crash", "sdk")
SMALLER: Final = ("denied", "failing", "five", "background", "message", "interactive")
"""One thing each, beside what `NAMES` have; not every test takes all of them."""
FEEDS: Final = ("traces", "logs", "metrics", "hooks", "transcripts")
HOOKS_PATH: Final = "/v1/claude-code/hooks"
TRANSCRIPTS_PATH: Final = "/v1/claude-code/transcripts"

_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One HTTP request that a client sent, or would have sent.

    Attributes:
        feed: One of `FEEDS`, or ``http_hooks``.
        path: Where it is posted to, on the OTLP HTTP port.
        headers: Its headers, by lower-case name, without the length.
        body: Its body.
        at_s: When it was sent, in Unix seconds; 0 where the capture does not tell.
    """

    feed: str
    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float = 0.0


def expected(name: str) -> dict[str, Any]:
    """Return the truth of a capture, from what the fake provider answered."""
    found: dict[str, Any] = json.loads((FOLDER / name / "expected.json").read_bytes())
    return found


def feeds(name: str) -> tuple[str, ...]:
    """Return the feeds of which a capture holds anything."""
    return tuple(feed for feed in FEEDS if deliveries(name, feed))


def deliveries(name: str, *chosen: str, lines_at_once: int = 20) -> list[Delivery]:
    """Return what a capture holds, feed by feed, each in the order it was sent.

    Args:
        name: One of `NAMES`.
        chosen: Feeds, one or more of `FEEDS`; none for all of them. ``http_hooks``
            are the same hooks as a plugin of `tree` sent them, for a second time.
        lines_at_once: Lines of a transcript in one delivery, at most.
    """
    readers = {
        "traces": lambda: _otlp(name, "traces"),
        "logs": lambda: _otlp(name, "logs"),
        "metrics": lambda: _otlp(name, "metrics"),
        "hooks": lambda: _hooks(name),
        "http_hooks": lambda: _http_hooks(name),
        "transcripts": lambda: _transcripts(name, lines_at_once),
    }
    return [each for feed in chosen or FEEDS for each in readers[feed]()]


def _otlp(name: str, signal: str) -> Iterator[Delivery]:
    for path in sorted((FOLDER / name / "otlp").glob(f"*_{signal}.*")):
        yield Delivery(
            feed=signal,
            path=f"/v1/{signal}",
            headers={"content-type": _PROTOBUF if path.suffix == ".bin" else _JSON},
            body=path.read_bytes(),
        )


def _hooks(name: str) -> Iterator[Delivery]:
    """Yield hooks as the command form sends them, or the application of `sdk`."""
    for file in ("hooks", "sdk_hooks"):
        for number, entry in _entries(FOLDER / name / f"{file}.jsonl"):
            headers = {
                "content-type": _JSON,
                "x-fleetspan-delivery-id": f"{name}-{file}-{number}",
                "x-fleetspan-event-time": str(round(entry["t"] * 1e9)),
            }
            traceparent = entry.get("env", {}).get("TRACEPARENT")
            if traceparent:
                headers["traceparent"] = traceparent
            yield Delivery(
                feed="hooks",
                path=HOOKS_PATH,
                headers=headers,
                body=json.dumps(entry["input"]).encode(),
                at_s=entry["t"],
            )


def _http_hooks(name: str) -> Iterator[Delivery]:
    """Yield hooks as the client itself posted them: no id, no time, no traceparent."""
    for _, entry in _entries(FOLDER / name / "otlp" / "http_hooks.jsonl"):
        yield Delivery(
            feed="http_hooks",
            path=HOOKS_PATH,
            headers={"content-type": _JSON},
            body=json.dumps(entry["body"]).encode(),
            at_s=entry["t"],
        )


def _entries(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if path.exists():
        for number, line in enumerate(path.read_bytes().splitlines()):
            yield number, json.loads(line)


def transcript_files(name: str) -> list[Path]:
    """Return the transcripts of a capture, sub-agents' and their meta files too."""
    folder = FOLDER / name / "transcripts"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def transcript_headers(name: str, path: Path) -> dict[str, str]:
    """Return what a sender says of a transcript file, but for the offset."""
    relative = path.relative_to(FOLDER / name / "transcripts").as_posix()
    there = f"/srv/work/{name}/home/.claude/projects/{relative}"
    headers = {
        "content-type": "application/x-ndjson",
        "x-fleetspan-transcript-path": quote(there),
        "x-fleetspan-session-id": path.name.removesuffix(".jsonl"),
    }
    if path.parent.name == "subagents":
        stem = path.name.removesuffix(".jsonl").removesuffix(".meta.json")
        headers["x-fleetspan-session-id"] = path.parent.parent.name
        headers["x-fleetspan-agent-id"] = stem.removeprefix("agent-")
    return headers


def _transcripts(name: str, lines_at_once: int) -> Iterator[Delivery]:
    for path in transcript_files(name):
        headers = transcript_headers(name, path)
        lines = path.read_bytes().splitlines(keepends=True)
        offset = 0
        for first in range(0, len(lines), lines_at_once):
            body = b"".join(lines[first : first + lines_at_once])
            yield Delivery(
                feed="transcripts",
                path=TRANSCRIPTS_PATH,
                headers=headers | {"x-fleetspan-transcript-offset": str(offset)},
                body=body,
            )
            offset += len(body)


def send(collector: Collector, given: Iterable[Delivery]) -> None:
    """Send deliveries to a running collector, one after another, and see each accepted.

    Raises:
        AssertionError: When one is not answered with 200.
    """
    connection = http.client.HTTPConnection(collector.endpoint("otlp_http"), timeout=60)
    try:
        for each in given:
            connection.request("POST", each.path, each.body, each.headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, (each.feed, answer.status, body)
    finally:
        connection.close()


class Forgetful:
    """A sink that lets a repeat pass, as the journal does once its window is over."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def accept(self, submission: Submission) -> Accepted:
        """Journal it, whether or not it came before."""
        return await self._journal.accept(
            dataclasses.replace(submission, record_id=os.urandom(16))
        )


def journal(
    store: Embedded,
    given: Sequence[Delivery],
    *,
    tenant: str = "",
    forgetful: bool = False,
) -> list[Segment]:
    """Take deliveries through the HTTP application into a store's journal, and seal.

    Args:
        store: Where its journal is.
        given: What is delivered, in order.
        tenant: Whose it is; one tenant a case keeps cases apart in one store.
        forgetful: Whether a repeat is journaled again, as it would be much later.

    Returns:
        The sealed segments.

    Raises:
        AssertionError: When a delivery is not answered with 200.
    """
    intake = Intake(
        Forgetful(store.journal) if forgetful else store.journal,
        ReceiverSettings(),
        ReceiverMetrics(CollectorRegistry()),
        tenant_of=lambda headers: tenant,
    )
    asyncio.run(post_all(OtlpHttpApp(intake), given))
    store.journal.seal()
    return store.journal.sealed()


def take(
    store: Embedded,
    given: Sequence[Delivery],
    *,
    tenant: str = "",
    forgetful: bool = False,
) -> None:
    """Do what `journal` does, then insert the raw rows and derive from them."""
    windows = []
    for segment in journal(store, given, tenant=tenant, forgetful=forgetful):
        store.writer.insert(segment)
        store.journal.remove(segment)
        if segment.signal is not Signal.METRICS:
            windows.append(Window.of_batches(segment.signal, [segment.batch_id]))
    if windows:
        store.derivation.derive(windows)


async def post_all(app: OtlpHttpApp, given: Iterable[Delivery]) -> None:
    """Post deliveries to an application without a socket, and see each accepted.

    Raises:
        AssertionError: When one is not answered with 200.
    """
    for each in given:
        status, body = await _post(app, each)
        assert status == 200, (each.feed, status, body)


async def _post(app: OtlpHttpApp, given: Delivery) -> tuple[int, bytes]:
    headers = [("host", "localhost"), *given.headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": given.path,
        "headers": [(name.encode(), text.encode()) for name, text in headers],
        "server": ("127.0.0.1", 4318),
    }
    answered: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": given.body}

    async def keep(event: MutableMapping[str, Any]) -> None:
        answered.append(event)

    await app(scope, receive, keep)
    return answered[0]["status"], answered[1]["body"]
