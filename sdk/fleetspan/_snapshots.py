"""A snapshot of a program's own state, at a moment of a run."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.context import get_current

from fleetspan import _runtime
from fleetspan import _semconv as semconv
from fleetspan._guard import complain, guard
from fleetspan._outbox import CHUNK_BYTES, Snapshot
from fleetspan._scope import enclosing

if TYPE_CHECKING:
    from opentelemetry.context import Context

_ID_BYTES: Final = 8
_LONGEST_TEXT: Final = 4096


def snapshot(state: object = None, *, name: str = "", reason: str = "") -> str:
    """Take a snapshot of where the run stands, with state of your own.

    The collector notes what every agent of the run has done and is doing, and keeps the
    state byte for byte, once, however often the same one is sent. It is not redacted:
    give it nothing that must not be stored. It waits until the collector has it, for
    `Config.snapshot_wait_s` at most; what cannot be delivered is tried again in the
    background. In a coroutine: ``await asyncio.to_thread(fleetspan.snapshot, state)``.

    Args:
        state: Bytes, text, or anything that JSON can hold; of any size. None: no state.
        name: What it is called, of low cardinality, such as ``plan``.
        reason: Why it is taken.

    Returns:
        The snapshot's id, for ``fleetspan snapshot show``; ``""`` outside of a run, or
        when it cannot be taken.
    """
    with guard("take a snapshot"):
        return _take(state, name, reason)
    return ""


def _take(state: object, name: str, reason: str) -> str:
    runtime = _runtime.current()
    if runtime.config.disabled:
        return ""
    context = get_current()
    scope, _ = enclosing(context)
    if not scope.run_id:
        complain("snapshot", "took none: no run and no agent is at work here")
        return ""
    kind, data = _encoded(state)
    chunks = _hashes(data) if data is not None else []
    at_ns = runtime.clock()
    fields = {
        "request_id": os.urandom(_ID_BYTES).hex(),
        "at_unix_nano": at_ns,
        **_place(context),
        "run_id": scope.run_id,
        "session_id": scope.session_id or "",
        "agent_id": scope.agent_id or "",
        "name": str(name)[:_LONGEST_TEXT],
        "reason": str(reason)[:_LONGEST_TEXT],
        "state_kind": kind,
        "state_hash": "" if data is None else hashlib.sha256(data).hexdigest(),
        "state_bytes": len(data or b""),
        "state_chunks": chunks,
    }
    with guard("record a snapshot"):
        trace.get_current_span(context).add_event(
            semconv.SNAPSHOT, _attributes(fields), at_ns
        )
    taken = Snapshot(fields=fields, state=data, chunks=chunks)
    runtime.outbox.put(taken, runtime.config.snapshot_wait_s)
    return str(fields["request_id"])


def _place(context: Context) -> dict[str, str]:
    """Return trace and span at work, empty where there are none."""
    where = trace.get_current_span(context).get_span_context()
    return {
        "trace_id": format(where.trace_id, "032x") if where.is_valid else "",
        "span_id": format(where.span_id, "016x") if where.is_valid else "",
    }


def _encoded(state: object) -> tuple[str, bytes | None]:
    """Return the kind of a state, and its bytes.

    Raises:
        TypeError: When JSON cannot hold it.
        ValueError: When it contains itself.
    """
    if state is None:
        return "", None
    if isinstance(state, bytes):
        return "bytes", state
    if isinstance(state, bytearray | memoryview):
        # A copy: the program may go on writing into it.
        return "bytes", bytes(state)
    if isinstance(state, str):
        return "text", state.encode("utf-8", "surrogatepass")
    # Nothing stands in for what JSON cannot hold: a state is to be taken up again.
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"))
    return "json", text.encode("utf-8", "surrogatepass")


def _hashes(data: bytes) -> list[str]:
    view = memoryview(data)
    return [
        hashlib.sha256(view[start : start + CHUNK_BYTES]).hexdigest()
        for start in range(0, len(data), CHUNK_BYTES)
    ]


def _attributes(fields: dict[str, Any]) -> dict[str, str | int]:
    found: dict[str, str | int] = {semconv.SNAPSHOT_ID: fields["request_id"]}
    for attribute, field in (
        (semconv.SNAPSHOT_NAME, "name"),
        (semconv.SNAPSHOT_REASON, "reason"),
        (semconv.SNAPSHOT_STATE_HASH, "state_hash"),
    ):
        if fields[field]:
            found[attribute] = fields[field]
    if fields["state_hash"]:
        found[semconv.SNAPSHOT_STATE_BYTES] = fields["state_bytes"]
    return found
