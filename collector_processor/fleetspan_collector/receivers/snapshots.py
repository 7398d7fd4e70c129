"""Snapshots that applications ask for, and their state, over HTTP.

``POST /v1/fleetspan/snapshot-chunks``
    A piece of state, as it is; ``x-fleetspan-sha256`` may name its SHA-256, which is then
    checked. The answer is ``{"hash": …}`` once it is durable.

``POST /v1/fleetspan/snapshots``
    The snapshot as JSON, after the pieces of its state. The answer is
    ``{"request_id": …}`` once it is durable.

A state is the application's own: it is kept byte for byte, whatever the content policy
says, or, by the setting ``snapshot_state``, not at all. Name and reason are text like any
other, and redacted.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final

import orjson

from .._signals import Signal, Submission
from .._snapshot_inputs import TEXTS, SnapshotChunk, SnapshotRequest
from ._faults import Undecodable
from ._intake import Intake
from ._route import HttpAnswer, HttpRequest, Route

SNAPSHOTS_PATH: Final = "/v1/fleetspan/snapshots"
CHUNKS_PATH: Final = "/v1/fleetspan/snapshot-chunks"

_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"
_PROTOCOL: Final = "http/json"
_RECORD_ID_BYTES: Final = 16
_LONGEST_TEXT: Final = 4096
_MOST_CHUNKS: Final = 1_000_000
_ID: Final = re.compile(r"[0-9A-Za-z-]{8,64}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_KINDS: Final = ("", "bytes", "text", "json")
_LARGEST: Final = 2**63 - 1


def routes(intake: Intake) -> dict[str, Route]:
    """Return what answers at the paths of snapshots."""
    receiver = _Receiver(intake)
    return {
        SNAPSHOTS_PATH: Route(
            handler=receiver.snapshot, content_types=(_JSON,), label=Signal.SNAPSHOTS
        ),
        CHUNKS_PATH: Route(
            handler=receiver.chunk,
            content_types=(_BYTES,),
            label=Signal.SNAPSHOT_CHUNKS,
        ),
    }


class _Receiver:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def chunk(self, request: HttpRequest) -> HttpAnswer:
        """Answer once a piece of state is durable.

        Raises:
            Undecodable: When it is not the piece that its sender means.
        """
        if not self._intake.settings.keeps_state:
            return _answer({"hash": None, "kept": False})
        body = request.body
        found = await self._intake.prepare(len(body), lambda: sha256(body).digest())
        meant = request.headers.get("x-fleetspan-sha256", "").strip().lower()
        if meant and meant != found.hex():
            raise Undecodable(
                f"is {meant[:80]!r}, and the body's is {found.hex()}",
                field="x-fleetspan-sha256",
            )
        await self._accept(
            request,
            Submission(
                signal=Signal.SNAPSHOT_CHUNKS,
                tenant=request.tenant,
                payload=SnapshotChunk(hash=found.hex(), body=body).SerializeToString(),
                rows=1,
                record_id=found[:_RECORD_ID_BYTES],
            ),
        )
        return _answer({"hash": found.hex(), "kept": True})

    async def snapshot(self, request: HttpRequest) -> HttpAnswer:
        """Answer once the request for a snapshot is durable.

        Raises:
            Undecodable: When a field is missing or wrong.
        """
        body = request.body
        wanted = await self._intake.prepare(len(body), lambda: _read(body))
        request_id = wanted.request_id
        await self._accept(
            request,
            Submission(
                signal=Signal.SNAPSHOTS,
                tenant=request.tenant,
                payload=wanted.SerializeToString(),
                rows=1,
                record_id=sha256(request_id.encode()).digest()[:_RECORD_ID_BYTES],
            ),
        )
        return _answer({"request_id": request_id})

    async def _accept(self, request: HttpRequest, submission: Submission) -> None:
        request.reservation.resize(len(submission.payload))
        await self._intake.accept(submission)
        metrics, signal = self._intake.metrics, submission.signal
        metrics.requests.labels(signal, _PROTOCOL).inc()
        metrics.items.labels(signal, _PROTOCOL).inc()
        metrics.bytes.labels(signal, _PROTOCOL).inc(len(submission.payload))


def _answer(document: dict[str, object]) -> HttpAnswer:
    return HttpAnswer(status=200, content_type=_JSON, body=orjson.dumps(document))


def _read(body: bytes) -> Any:
    """Read a request for a snapshot.

    Raises:
        Undecodable: When a field is missing or wrong.
    """
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise Undecodable("the body is JSON, but no object")
    wanted = SnapshotRequest()
    for name in TEXTS:
        setattr(wanted, name, _text(given, name))
    if not _ID.fullmatch(wanted.request_id):
        raise Undecodable(
            f"is {wanted.request_id[:80]!r}, expected 8 to 64 letters, digits and hyphens",
            field="request_id",
        )
    wanted.at_unix_nano = _number(given, "at_unix_nano")
    wanted.state_bytes = _number(given, "state_bytes")
    if wanted.state_kind not in _KINDS:
        raise Undecodable(
            f"is {wanted.state_kind[:80]!r}, expected bytes, text, json or nothing",
            field="state_kind",
        )
    chunks = given.get("state_chunks") or []
    if not isinstance(chunks, list) or len(chunks) > _MOST_CHUNKS:
        raise Undecodable(
            f"must be at most {_MOST_CHUNKS} hashes", field="state_chunks"
        )
    hashes = [*chunks, wanted.state_hash] if wanted.state_hash else chunks
    if not all(isinstance(each, str) and _HASH.fullmatch(each) for each in hashes):
        raise Undecodable("must be SHA-256, 64 hex digits each", field="state_chunks")
    wanted.state_chunks.extend(chunks)
    return wanted


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Undecodable("must be a text", field=name)
    # A lone surrogate cannot be written as UTF-8.
    return value[:_LONGEST_TEXT].encode("utf-8", "replace").decode()


def _number(given: dict[str, Any], name: str) -> int:
    value = given.get(name) or 0
    if not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise Undecodable("must be a whole number from 0 to 2^63 - 1", field=name)
    return value
