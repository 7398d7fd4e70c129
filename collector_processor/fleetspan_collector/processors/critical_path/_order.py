"""The order of a run's things, as plain lists."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The order of a run's things; lists by thing, for loops that look at one each.

    Attributes:
        agents: How many things are agents.
        first_tool: The first thing that is a tool call.
        root: How many things there are, and the number of the whole run.
        start: When each began, Unix nanoseconds.
        end: When each ended.
        within: What each is in.
        waited: Whether what it is in waits for it.
        anchored: Whether it begins with what it is in, whatever that did since.
        parent: The parent of each agent; -1 for none.
        role: The `Role` of each agent.
        moments: Starts (``thing``) and ends (``root + 1 + thing``) in the order of
            time; at one moment what ended goes before what began.
        before: What had ended last, in what it is in, when it began; -1 for nothing.
        free_ns: When that was; without it, when what it is in began.
        ready_ns: The same, counting agents in the background that woke it.
        streaming: The model call that it began during; -1 for none.
        beside: What was still going on there when it began, longest first seen; -1.
        last: For each what had ended last in it when it ended; -1 for nothing.
        last_ns: When that was; without it, its own start.
        closing_ns: The same, counting agents in the background that woke it.
        wakes: For agents in the background: what their end let go on, their parent or a
            tool call of it that only waited for them.
        ended: For each what ended in it, in order, with when that was.
        again: For each tool call the sub-agents of which it waited for the first
            activation only.
        first_own: For each agent when it first did something itself.
        first_ns: When the run began.
        last_seen_ns: When the last of it ended.
    """

    agents: int
    first_tool: int
    root: int
    start: list[int]
    end: list[int]
    within: list[int]
    waited: list[bool]
    anchored: list[bool]
    parent: list[int]
    role: list[int]
    moments: list[int]
    before: list[int]
    free_ns: list[int]
    ready_ns: list[int]
    streaming: list[int]
    beside: list[int]
    last: list[int]
    last_ns: list[int]
    closing_ns: list[int]
    wakes: dict[int, int]
    ended: dict[int, list[tuple[int, int]]] = field(repr=False)
    again: dict[int, list[int]]
    first_own: list[int]
    first_ns: int
    last_seen_ns: int

    @property
    def wall_ns(self) -> int:
        """From the first start to the last end, nanoseconds."""
        return self.last_seen_ns - self.first_ns
