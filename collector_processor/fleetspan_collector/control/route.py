"""``POST /v1/claude-code/decide``: a hook that waits for an answer.

The body is the hook as the client gives it; the answer is what the client is to be told,
and ``{}`` when it is to go on as it would. It is not kept: the same hook comes to
``/v1/claude-code/hooks`` as well. What was decided is kept, after the answer.
"""

from __future__ import annotations

import asyncio
from typing import Final

import orjson

from fleetspan_collector._signals import Sink
from fleetspan_collector.control.answers import answer_of
from fleetspan_collector.control.service import Control
from fleetspan_collector.receivers import HttpAnswer, HttpRequest, Route, Undecodable

DECIDE_PATH: Final = "/v1/claude-code/decide"
_JSON: Final = "application/json"


def decide_routes(control: Control | None, sink: Sink) -> dict[str, Route]:
    """Return what answers at the path.

    Args:
        control: Who decides; ``None``: nothing is controlled, and each answer is ``{}``.
        sink: Where decisions are kept.
    """
    recording: set[asyncio.Task[None]] = set()

    async def decide(request: HttpRequest) -> HttpAnswer:
        hook = _hook(request.body)
        if control is None:
            return HttpAnswer(status=200, content_type=_JSON, body=b"{}")
        await control.catch_up(request.tenant, hook)
        decision = await control.decide(request.tenant, hook)
        if decision.notable:
            traceparent = request.headers.get("traceparent", "").strip()
            task = asyncio.create_task(control.record(decision, traceparent, sink))
            recording.add(task)
            task.add_done_callback(recording.discard)
        return HttpAnswer(
            status=200,
            content_type=_JSON,
            body=orjson.dumps(answer_of(decision), default=str),
        )

    return {
        DECIDE_PATH: Route(handler=decide, content_types=(_JSON,), label="decisions")
    }


def _hook(body: bytes) -> dict[str, object]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"is not JSON: {error}", field="body") from None
    if not isinstance(document, dict):
        raise Undecodable("is no JSON object", field="body")
    return document
