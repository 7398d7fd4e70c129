"""How far budgets are used up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from fleetspan_routing.control.meter import Agent, Meter, Session, used_by
from fleetspan_routing.control.rules import Answer, Budget, Measure, Scope

Raised = Mapping[tuple[str, str], Mapping[Measure, float]]
"""Limits that a person has set at run time, by budget and what it is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far one limit of one budget is used.

    Attributes:
        budget: Which.
        of: Id of what it is of: a session, ``session/agent``, ``session/type``,
            ``user/2026-11-27`` or ``2026-11-27``.
        measure: Which limit.
        used: How much is used.
        limit: At most so much.
    """

    budget: Budget
    of: str
    measure: Measure
    used: float
    limit: float

    @property
    def share(self) -> float:
        """Used part of the limit; more than 1 when it was overrun."""
        return self.used / self.limit

    @property
    def then(self) -> Answer:
        """What is answered once it is spent."""
        return self.budget.then

    def sentence(self) -> str:
        """Say it."""
        used, limit = (_amount(self.measure, each) for each in (self.used, self.limit))
        return (
            f"budget {self.budget.name!r} of this {self.budget.of.replace('_', ' ')}: "
            f"{used} of {limit} {self.measure.unit} used"
        )


def standings(
    budgets: Sequence[Budget],
    meter: Meter,
    tenant: str,
    session: Session,
    agent: Agent,
    now_ns: int,
    raised: Raised,
) -> Iterator[Standing]:
    """Yield how far each limit is used that an agent's next step counts towards.

    Args:
        budgets: Those of the rules.
        meter: What all sessions have used.
        tenant: Whose they are.
        session: The one of the agent.
        agent: Who wants to do something.
        now_ns: Unix nanoseconds.
        raised: Limits set at run time.
    """
    for budget in budgets:
        for of, used in _holders(budget, meter, tenant, session, agent, now_ns):
            limits = {**budget.limits, **raised.get((budget.name, of), {})}
            for measure, limit in limits.items():
                yield Standing(
                    budget=budget,
                    of=of,
                    measure=measure,
                    used=used(measure),
                    limit=limit,
                )


def _holders(
    budget: Budget,
    meter: Meter,
    tenant: str,
    session: Session,
    agent: Agent,
    now_ns: int,
) -> Iterator[tuple[str, Callable[[Measure], float]]]:
    """Yield what has such a budget, each with what tells how much it has used."""
    match budget.of:
        case Scope.SESSION:
            yield session.session_id, partial(session.used, now_ns=now_ns)
        case Scope.DAY:
            yield _day(now_ns), partial(meter.used_in_day, tenant, now_ns, None)
        case Scope.USER:
            user = session.user
            if not budget.only or user in budget.only:
                of = f"{user or 'unknown'}/{_day(now_ns)}"
                yield of, partial(meter.used_in_day, tenant, now_ns, user)
        case Scope.AGENT_TYPE if agent is not session.main:
            if not budget.only or agent.type in budget.only:
                of = f"{session.session_id}/{agent.type}"
                yield of, partial(_used_by_type, session, agent.type, now_ns)
        case Scope.SUB_TREE:
            for root_id in (agent.agent_id, *session.above(agent)):
                root = session.agents.get(root_id)
                if root is None or root is session.main:
                    continue
                if not budget.only or root.type in budget.only:
                    of = f"{session.session_id}/{root_id}"
                    yield of, partial(_used_by_tree, session, root_id, now_ns)


def _used_by_type(session: Session, type_: str, now_ns: int, measure: Measure) -> float:
    alike = [
        agent
        for agent in session.agents.values()
        if agent.type == type_ and agent is not session.main
    ]
    return used_by(alike, measure, now_ns)


def _used_by_tree(session: Session, root: str, now_ns: int, measure: Measure) -> float:
    agents = session.sub_tree(root)
    if measure is Measure.SUBAGENTS:
        # Its root is not one of the sub-agents that it began.
        agents = agents[1:]
    return used_by(agents, measure, now_ns)


def _day(now_ns: int) -> str:
    return datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y-%m-%d")


def _amount(measure: Measure, amount: float) -> str:
    if measure is Measure.USD:
        return f"{amount:,.2f}" if amount >= 0.01 or not amount else f"{amount:.4f}"
    return f"{amount:,.0f}"
