"""What sessions have used so far, and what is at work in them, in memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from fleetspan_routing.control.rules import Measure

_MOST_SESSIONS: Final = 20_000
_MANY: Final = 100
_MOST_SUMS: Final = 10_000
_KEPT_NS: Final = 10**8
_MOST_CALLS_KNOWN: Final = 50_000
_SUMMED: Final = (Measure.TOKENS, Measure.USD, Measure.CALLS)
_ADDED: Final = (*_SUMMED, Measure.SUBAGENTS)
_DAY_NS: Final = 86_400 * 10**9

SessionKey = tuple[str, str]
"""Tenant and session id."""


@dataclass(slots=True)
class Agent:
    """An agent of a session.

    Attributes:
        agent_id: Its id; the session's for the main one.
        type: What the client calls its type; ``""`` for the main one.
        parent: Id of the agent that began it; ``""`` for the main one.
        depth: 0 for the main one; where it is not certain who began it, the deepest.
        at_work: Whether it has not ended, as far as is known.
        tokens: Used by itself.
        usd: Spent by itself; calls without a price add nothing.
        calls: Tool calls that it was let do.
        began_ns: Unix nanoseconds.
        ended_ns: 0 while it is at work.
    """

    agent_id: str
    type: str = ""
    parent: str = ""
    depth: int = 0
    at_work: bool = True
    tokens: int = 0
    usd: float = 0.0
    calls: int = 0
    began_ns: int = 0
    ended_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One model call, as one of the feeds tells it.

    Attributes:
        call_id: The same in every feed.
        agent_id: Whose; ``""`` for the main one.
        tokens: All of them: input, cached or not, and output.
        usd: ``None`` when there is no price.
    """

    call_id: str
    agent_id: str
    tokens: int
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A call that begins a sub-agent which has not been seen yet."""

    by: str
    type: str


@dataclass(slots=True)
class Session:
    """A session.

    Attributes:
        session_id: Its id.
        user: Whose, when known.
        began_ns: When it was seen first, Unix nanoseconds.
        agents: By id; the main one is always there.
        begun: Sub-agents that were let begin, in all.
        stored_tokens: What the store knows was used in all; another collector may have
            been told of it.
        stored_usd: Likewise.
        stored_calls: Likewise, of tools.
        total: What all agents have used together, as far as it was told here.
        dearest: What its dearest model call has used, of tokens and money.
        day: Of which day (UTC, since 1970) it was heard of last.
        heard_ns: When it was heard of first on that day, Unix nanoseconds.
        before: What it had used before that day.
    """

    session_id: str
    began_ns: int
    user: str = ""
    agents: dict[str, Agent] = field(default_factory=dict)
    begun: int = 0
    stored_tokens: int = 0
    stored_usd: float = 0.0
    stored_calls: int = 0
    total: dict[Measure, float] = field(
        default_factory=lambda: dict.fromkeys(_SUMMED, 0.0)
    )
    dearest: dict[Measure, float] = field(
        default_factory=lambda: {Measure.TOKENS: 0.0, Measure.USD: 0.0}
    )
    day: int = 0
    heard_ns: int = 0
    before: dict[Measure, float] = field(default_factory=dict)
    _starting: dict[str, _Begun] = field(default_factory=dict)
    _calls: dict[str, tuple[Agent, int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.agents[self.session_id] = Agent(self.session_id, began_ns=self.began_ns)
        self.day, self.heard_ns = self.began_ns // _DAY_NS, self.began_ns

    def begin_day(self, now_ns: int) -> None:
        """It is heard of on another day, for the first time."""
        self.before = {measure: self.used(measure, now_ns) for measure in _ADDED}
        self.day, self.heard_ns = now_ns // _DAY_NS, now_ns

    @property
    def main(self) -> Agent:
        """The one that the user talks to."""
        return self.agents[self.session_id]

    def agent(self, agent_id: str, type_: str = "", now_ns: int = 0) -> Agent:
        """Return an agent; one that has not been seen is taken to have begun now."""
        known = self.agents.get(agent_id or self.session_id)
        if known is not None:
            known.type = known.type or (type_ if agent_id else "")
            return known
        return self._appear(agent_id, type_, now_ns)

    def _appear(self, agent_id: str, type_: str, now_ns: int) -> Agent:
        fitting = [
            (call_id, begun)
            for call_id, begun in self._starting.items()
            if not type_ or begun.type in ("", type_)
        ]
        agent = Agent(agent_id, type=type_, parent=self.session_id, depth=1)
        agent.began_ns = now_ns or time.time_ns()
        if fitting:
            # Nothing says which call began it: of those that may have, the deepest.
            call_id, begun = max(
                fitting, key=lambda each: self.agents[each[1].by].depth
            )
            agent.parent, agent.depth = begun.by, self.agents[begun.by].depth + 1
            del self._starting[call_id]
        self.agents[agent_id] = agent
        return agent

    def starting(self, call_id: str, by: Agent, type_: str) -> None:
        """A call that begins a sub-agent has been let do."""
        self.begun += 1
        self._starting[call_id] = _Begun(by=by.agent_id, type=type_)

    def started(self, call_id: str, agent_id: str, by: Agent, *, ended: bool) -> None:
        """The answer to such a call says which agent it was."""
        self._starting.pop(call_id, None)
        if not agent_id:
            return
        agent = self.agents.get(agent_id) or self._appear(agent_id, "", 0)
        agent.parent, agent.depth = by.agent_id, by.depth + 1
        if ended:
            self.ended(agent_id)

    def ended(self, agent_id: str, now_ns: int = 0) -> None:
        """A sub-agent has ended."""
        agent = self.agents.get(agent_id)
        if agent is not None and agent is not self.main:
            agent.at_work = False
            agent.ended_ns = agent.ended_ns or now_ns or time.time_ns()

    @property
    def at_once(self) -> int:
        """How many sub-agents are at work, or about to be."""
        working = sum(agent.at_work for agent in self.agents.values()) - 1
        return working + len(self._starting)

    def lost_call(self, call_id: str) -> None:
        """A call that was to begin a sub-agent has not."""
        if self._starting.pop(call_id, None) is not None:
            self.begun -= 1

    def note(self, usage: Usage) -> None:
        """Count a model call, once, however many feeds tell of it."""
        agent = self.agent(usage.agent_id)
        before = self._calls.get(usage.call_id)
        tokens, usd = usage.tokens, usage.usd or 0.0
        if before is not None:
            owner, known_tokens, known_usd = before
            # The latest line of a call that is still going on says more than the first.
            tokens, usd = max(tokens, known_tokens), max(usd, known_usd)
            self._add(owner, -known_tokens, -known_usd)
            agent = owner if not usage.agent_id else agent
        self._add(agent, tokens, usd)
        for measure, amount in ((Measure.TOKENS, tokens), (Measure.USD, usd)):
            self.dearest[measure] = max(self.dearest[measure], amount)
        if len(self._calls) >= _MOST_CALLS_KNOWN:
            del self._calls[next(iter(self._calls))]
        self._calls[usage.call_id] = (agent, tokens, usd)

    @property
    def has_model_calls(self) -> bool:
        """Whether any model call was told of here."""
        return bool(self._calls)

    def count_call(self, agent: Agent) -> None:
        """An agent is let call a tool."""
        agent.calls += 1
        self.total[Measure.CALLS] += 1

    def _add(self, agent: Agent, tokens: int, usd: float) -> None:
        agent.tokens += tokens
        agent.usd += usd
        self.total[Measure.TOKENS] += tokens
        self.total[Measure.USD] += usd

    def sub_tree(self, root: str) -> list[Agent]:
        """Return an agent, first, and all that it began, at first or at second hand."""
        inside = {root}
        before = 0
        # Once, unless somebody was seen before who began it.
        while len(inside) > before:
            before = len(inside)
            inside |= {
                agent.agent_id
                for agent in self.agents.values()
                if agent.parent in inside
            }
        below = [self.agents[each] for each in inside - {root} if each in self.agents]
        return [self.agents[root], *below]

    def above(self, agent: Agent) -> Iterator[str]:
        """Yield the ids of those that began an agent, the nearest first."""
        seen = {agent.agent_id}
        at = agent.parent
        while at and at not in seen:
            seen.add(at)
            yield at
            at = self.agents[at].parent if at in self.agents else ""

    def used(self, measure: Measure, now_ns: int) -> float:
        """Return how much the session has used in all."""
        match measure:
            case Measure.TOKENS:
                return max(self.total[measure], self.stored_tokens)
            case Measure.USD:
                return max(self.total[measure], self.stored_usd)
            case Measure.CALLS:
                return max(self.total[measure], self.stored_calls)
            case Measure.WALL_S:
                return max(0.0, (now_ns - self.began_ns) / 1e9)
            case Measure.SUBAGENTS:
                return self.begun
            case Measure.DEPTH:
                return max(agent.depth for agent in self.agents.values())

    def used_in_day(self, measure: Measure, now_ns: int) -> float:
        """Return how much it has used on the day on which it was heard of last.

        Of time, since it was heard of first on that day; of depth, what it comes to.
        """
        if measure is Measure.WALL_S:
            return max(0.0, (now_ns - max(self.began_ns, self.heard_ns)) / 1e9)
        return max(0.0, self.used(measure, now_ns) - self.before.get(measure, 0.0))


def used_by(agents: Iterable[Agent], measure: Measure, now_ns: int) -> float:
    """Return how much some agents have used by themselves.

    Of sub-agents and depth: of those that are there, what they come to.
    """
    some = list(agents)
    match measure:
        case Measure.TOKENS:
            return sum(agent.tokens for agent in some)
        case Measure.USD:
            return sum(agent.usd for agent in some)
        case Measure.CALLS:
            return sum(agent.calls for agent in some)
        case Measure.WALL_S:
            if not some:
                return 0.0
            begins = min(agent.began_ns for agent in some)
            ends = max(agent.ended_ns or now_ns for agent in some)
            return max(0.0, (ends - begins) / 1e9)
        case Measure.SUBAGENTS:
            return sum(agent.depth > 0 for agent in some)
        case Measure.DEPTH:
            return max((agent.depth for agent in some), default=0)


class Meter:
    """The sessions of all tenants; the one heard of longest ago is forgotten first."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[SessionKey, Session] = OrderedDict()
        self._days: dict[tuple[str, int], dict[SessionKey, Session]] = {}
        self._sums: dict[tuple[str, int, str | None, Measure], tuple[int, float]] = {}

    def session(self, key: SessionKey, now_ns: int) -> Session:
        """Return a session; one that has not been heard of begins now."""
        known = self._sessions.get(key)
        if known is not None:
            self._sessions.move_to_end(key)
            if now_ns // _DAY_NS > known.day:
                self._take_from_day(key, known)
                known.begin_day(now_ns)
                self._add_to_day(key, known)
            return known
        made = self._sessions[key] = Session(key[1], now_ns)
        self._add_to_day(key, made)
        if len(self._sessions) > _MOST_SESSIONS:
            oldest, gone = self._sessions.popitem(last=False)
            self._take_from_day(oldest, gone)
        return made

    def knows(self, key: SessionKey) -> bool:
        """Return whether a session has been heard of."""
        return key in self._sessions

    def began_earlier(self, key: SessionKey, began_ns: int) -> None:
        """Take it over that a session began before it was first heard of here."""
        session = self._sessions[key]
        if began_ns >= session.began_ns:
            return
        if began_ns // _DAY_NS == session.day:
            session.heard_ns = min(session.heard_ns, began_ns)
        session.began_ns = session.main.began_ns = began_ns

    def of_day(
        self, tenant: str, now_ns: int, user: str | None = None
    ) -> list[Session]:
        """Return the sessions of a tenant that were at work on the day (UTC) of a time.

        Args:
            tenant: Whose.
            now_ns: Unix nanoseconds.
            user: Of this user alone; ``None``: of all.
        """
        some = self._days.get((tenant, now_ns // _DAY_NS), {})
        return [each for each in some.values() if user is None or each.user == user]

    def used_in_day(
        self, tenant: str, now_ns: int, user: str | None, measure: Measure
    ) -> float:
        """Return how much the sessions have used on a day together, or the deepest is.

        Of very many sessions what it was up to a tenth of a second ago.
        """
        key = (tenant, now_ns // _DAY_NS, user, measure)
        kept = self._sums.get(key)
        if kept is not None and 0 <= now_ns - kept[0] < _KEPT_NS:
            return kept[1]
        sessions = self.of_day(tenant, now_ns, user)
        each = [session.used_in_day(measure, now_ns) for session in sessions]
        used = max(each, default=0.0) if measure is Measure.DEPTH else sum(each)
        if len(sessions) > _MANY:
            if len(self._sums) >= _MOST_SUMS:
                self._sums.clear()
            self._sums[key] = (now_ns, used)
        return used

    def _add_to_day(self, key: SessionKey, session: Session) -> None:
        self._days.setdefault((key[0], session.day), {})[key] = session

    def _take_from_day(self, key: SessionKey, session: Session) -> None:
        day = (key[0], session.day)
        sessions = self._days.get(day, {})
        sessions.pop(key, None)
        if not sessions:
            self._days.pop(day, None)

    def __iter__(self) -> Iterator[tuple[SessionKey, Session]]:
        """Yield the sessions, the one heard of longest ago first."""
        return iter(list(self._sessions.items()))
