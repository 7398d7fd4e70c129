"""Each agent's model calls one after the other, and the tool calls between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.run import NONE, UNKNOWN_NS, Indexes, Run, per_run

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CallTokens:
    """What each model call was given and gave, in tokens; NaN where not told.

    Attributes:
        whole: Its whole input: fresh, read from a cache, and written to one.
        fresh: Input that no cache had a part in; 0 when not told, as below.
        read: Read from a cache.
        written: Written to one.
        written_1h: Of these, written for an hour.
        output: What it gave.
        read_told: Where `read` was told.
    """

    whole: Floats
    fresh: Floats
    read: Floats
    written: Floats
    written_1h: Floats
    output: Floats
    read_told: NDArray[np.bool_]

    def by_price(self, rows: Indexes) -> Floats:
        """Tokens of some calls, columns as `prices.KINDS`."""
        hour = self.written_1h[rows]
        return np.column_stack(
            [
                self.fresh[rows],
                self.read[rows],
                np.maximum(self.written[rows] - hour, 0),
                hour,
                self.output[rows],
            ]
        )


@per_run
def tokens_of(run: Run) -> CallTokens:
    """The tokens of every model call of a run."""
    calls = run.llm_calls
    fresh, read = calls.floats("InputTokens"), calls.floats("CacheReadTokens")
    written = calls.floats("CacheWriteTokens")
    read_told = ~np.isnan(read)
    known = ~np.isnan(fresh) | read_told | ~np.isnan(written)
    fresh, read, written = _told(fresh), _told(read), _told(written)
    return CallTokens(
        whole=np.where(known, fresh + read + written, np.nan),
        fresh=fresh,
        read=read,
        written=written,
        written_1h=np.minimum(_told(calls.floats("CacheWrite1hTokens")), written),
        output=_told(calls.floats("OutputTokens")),
        read_told=read_told,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conversations:
    """The model calls of each agent, in the order in which they began.

    Attributes:
        order: Rows of ``run.llm_calls`` by agent, then start.
        place: For each call its place in `order`.
    """

    order: Indexes
    place: Indexes
    _agent: Indexes
    _key: Indexes
    _starts: Indexes

    def last_before(self, agents: Indexes, times_ns: Indexes) -> Indexes:
        """The call that each agent began last, at the time or before it; else -1."""
        place = self._begun(agents, times_ns) - 1
        return self._at(place, agents)

    def first_after(self, agents: Indexes, times_ns: Indexes) -> Indexes:
        """The call that each agent began first after the time; -1 for none."""
        return self._at(self._begun(agents, times_ns), agents)

    def of_agent(self, agent: int) -> Indexes:
        """The calls of an agent, by start; of nobody for -1."""
        width = len(self._starts) + 1
        begin, end = np.searchsorted(
            self._key, [(agent + 1) * width, (agent + 2) * width]
        ).tolist()
        return self.order[begin:end]

    def follows(self, calls: Indexes) -> NDArray[np.bool_]:
        """Which of some calls are not the first of their agent."""
        place = self.place[calls]
        before = self.order[np.maximum(place - 1, 0)]
        same: NDArray[np.bool_] = self._agent[before] == self._agent[calls]
        return same & (place > 0)

    def between(self, first: int, last: int) -> Indexes:
        """The calls of an agent after one call, up to and with another one.

        Args:
            first: A row; -1 stands before all calls.
            last: A row of the same agent; -1 gives none.
        """
        if last == NONE:
            return self.order[:0]
        end = int(self.place[last])
        if first != NONE:
            return self.order[int(self.place[first]) + 1 : end + 1]
        mine = self.of_agent(int(self._agent[last]))
        return mine[: end + 1 - int(self.place[mine[0]])]

    def _begun(self, agents: Indexes, times_ns: Indexes) -> Indexes:
        started = np.searchsorted(self._starts, times_ns, side="right")
        width = len(self._starts) + 1
        return np.searchsorted(self._key, (agents + 1) * width + started)

    def _at(self, place: Indexes, agents: Indexes) -> Indexes:
        found = np.full(len(place), NONE)
        inside = np.flatnonzero((place >= 0) & (place < len(self.order)))
        rows = self.order[place[inside]]
        same = self._agent[rows] == agents[inside]
        found[inside[same]] = rows[same]
        return found


@per_run
def conversations_of(run: Run) -> Conversations:
    """The model calls of each agent of a run; those of nobody stand together."""
    agent = run.tree.call_agent
    starts = run.llm_calls.nanoseconds("StartTime")
    order = np.argsort(agent, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    key = (agent[order] + 1) * (len(order) + 1) + order
    return Conversations(
        order=order, place=place, _agent=agent, _key=key, _starts=starts
    )


@per_run
def askers_of(run: Run) -> Indexes:
    """For each tool call the model call that asked for it: its agent's last before it.

    -1 for those of nobody, and where no call came before.
    """
    agent = run.tree.tool_agent
    starts = run.tool_calls.nanoseconds("StartTime")
    found = conversations_of(run).last_before(agent, starts)
    found[agent == NONE] = NONE
    return found


@per_run
def readers_of(run: Run) -> Indexes:
    """For each tool call the model call that read its result: its agent's next one.

    -1 for those of nobody, for those that nobody saw end, and where no call followed.
    """
    agent = run.tree.tool_agent
    ends = ends_of(run.tool_calls.nanoseconds("StartTime"), _tool_ms(run))
    # A call that begins in the very moment in which the tool ends has its result.
    found = conversations_of(run).first_after(agent, ends - 1)
    found[(agent == NONE) | np.isnan(_tool_ms(run))] = NONE
    return found


def ends_of(starts_ns: Indexes, duration_ms: Floats) -> Indexes:
    """When things ended, Unix nanoseconds; when they began, where that is not known."""
    bounded = np.where(duration_ms > 0, np.minimum(duration_ms, 1e12), 0)
    known = starts_ns != UNKNOWN_NS
    return np.where(known, starts_ns + (bounded * 1e6).astype(np.int64), starts_ns)


def previous_of_same(keys: Indexes) -> Indexes:
    """For each element the place of the last one before it with the same key; else -1."""
    order = np.argsort(keys, kind="stable")
    previous = np.full(len(keys), NONE)
    same = keys[order[1:]] == keys[order[:-1]]
    previous[order[1:][same]] = order[:-1][same]
    return previous


def numbered(*columns: NDArray[np.object_]) -> Indexes:
    """Give rows of texts the same number exactly when they are the same."""
    seen: dict[object, int] = {}
    rows = zip(*columns, strict=True) if len(columns) > 1 else columns[0]
    return np.fromiter(
        (seen.setdefault(each, len(seen)) for each in rows), np.int64, len(columns[0])
    )


def _tool_ms(run: Run) -> Floats:
    return run.tool_calls.floats("DurationMs")


def _told(values: Floats) -> Floats:
    return np.where(values > 0, values, 0)
