"""What a moment is of which a snapshot is taken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Trigger(StrEnum):
    """What takes a snapshot."""

    AGENTS = "agents"
    TOKENS = "tokens"
    CONTEXT_WINDOW = "context_window"
    BUDGET_TOKENS = "budget_tokens"
    BUDGET_USD = "budget_usd"
    ERROR_BURST = "error_burst"
    COMPACTION = "compaction"
    TOOL = "tool"
    ABANDONED = "abandoned"
    SDK = "sdk"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """State that an application gave.

    Attributes:
        kind: ``bytes``, ``text`` or ``json``; ``""`` when it gave none.
        hash: SHA-256 of the whole, as 64 hex digits.
        size_bytes: How large it is.
        chunks: SHA-256 of its pieces, in order.
    """

    kind: str = ""
    hash: str = ""
    size_bytes: int = 0
    chunks: tuple[str, ...] = ()


NO_STATE: Final = State()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment of which a snapshot is taken.

    Attributes:
        trigger: Why.
        place: Tells the moments of one trigger in one run apart, and stays the same.
        at_ns: When, in the run's own time, Unix nanoseconds.
        reason: Why, in words.
        name: What the application calls it.
        agent_id: Whose doing it is; ``""`` for the run as a whole.
        state: State that came with it.
    """

    trigger: Trigger
    place: str
    at_ns: int
    reason: str
    name: str = ""
    agent_id: str = ""
    state: State = NO_STATE
