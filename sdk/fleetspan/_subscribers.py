"""In-process subscribers to every kind of activity."""

# ruff: noqa: BLE001 - nothing of a subscriber's may reach the program; note() logs it

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from fleetspan._errors import ConfigError
from fleetspan._guard import note

Kind = Literal[
    "run.start",
    "run.end",
    "agent.start",
    "agent.end",
    "llm.start",
    "llm.end",
    "tool.start",
    "tool.end",
    "file_operation",
    "decision",
    "error",
    "context_snapshot",
    "validation",
    "outcome",
]

KINDS: Final[tuple[str, ...]] = (
    "run.start",
    "run.end",
    "agent.start",
    "agent.end",
    "llm.start",
    "llm.end",
    "tool.start",
    "tool.end",
    "file_operation",
    "decision",
    "error",
    "context_snapshot",
    "validation",
    "outcome",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that has just happened.

    Attributes:
        kind: Such as ``agent.start``, ``llm.end`` or ``decision``.
        name: Name of the run, agent or tool; model of an llm call.
        time_unix_nano: When, in nanoseconds since the epoch.
        trace_id: 32 hex digits; zeros where nothing is recorded.
        span_id: 16 hex digits of the span it is about or happened in.
        run_id: The run, or None outside of one.
        session_id: The conversation, or None.
        agent_id: The agent itself, or the agent that the call or event belongs to.
        parent_agent_id: For an agent's own notices, the agent that started it.
        attributes: Attributes as on the span or span event; at an end, all of them.
        duration_s: At an end, seconds since the start.
        error_type: At an end, what went wrong, or None.
    """

    kind: str
    name: str
    time_unix_nano: int
    trace_id: str
    span_id: str
    run_id: str | None
    session_id: str | None
    agent_id: str | None
    parent_agent_id: str | None
    attributes: Mapping[str, object]
    duration_s: float | None = None
    error_type: str | None = None


Callback = Callable[[Notice], object]

# Replaced as a whole under the lock and read without it. No key for a kind nobody wants,
# so that an empty table makes the check on the hot path one truth test.
by_kind: dict[str, tuple[Callback, ...]] = {}
_lock = threading.Lock()


class Subscription:
    """A running subscription. Call `close`, or leave its ``with`` block, to end it."""

    __slots__ = ("_callback", "_kinds")

    def __init__(self, callback: Callback, kinds: tuple[str, ...]) -> None:
        self._callback = callback
        self._kinds = kinds
        with _lock:
            for kind in kinds:
                by_kind[kind] = (*by_kind.get(kind, ()), callback)

    def close(self) -> None:
        """End the subscription; again is harmless."""
        with _lock:
            kinds, self._kinds = self._kinds, ()
            for kind in kinds:
                remaining = list(by_kind.get(kind, ()))
                if self._callback in remaining:
                    remaining.remove(self._callback)
                if remaining:
                    by_kind[kind] = tuple(remaining)
                else:
                    by_kind.pop(kind, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def subscribe(callback: Callback, kinds: Iterable[Kind] | None = None) -> Subscription:
    """Have a function called for every activity of this process.

    It runs at once, on the thread where the activity happens, so keep it short. What it
    raises is logged once and disturbs neither the program nor other subscribers.

    Args:
        callback: Gets each `Notice`.
        kinds: Which kinds to hear of; None: all.

    Returns:
        The subscription, to be closed, or used as a context manager.

    Raises:
        ConfigError: When a kind is unknown.
    """
    wanted = KINDS if kinds is None else tuple(dict.fromkeys(kinds))
    for kind in wanted:
        if kind not in KINDS:
            expected = "expected one of " + ", ".join(KINDS)
            raise ConfigError("kinds", f"unknown kind, got {kind!r}, {expected}")
    return Subscription(callback, wanted)


def publish(callbacks: tuple[Callback, ...], notice: Notice) -> None:
    """Call each subscriber; none can stop the next."""
    for callback in callbacks:
        try:
            callback(notice)
        except Exception as error:
            note("call a subscriber", error)
