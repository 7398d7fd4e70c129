"""Decides what a step of an agent is answered, from memory, in well under a millisecond.

It is given the hooks of Claude Code, as JSON documents, in the order of their arrival:
`decide` for those that wait for an answer, `observe` for the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from fleetspan_routing.control.budgets import Raised, Standing, standings
from fleetspan_routing.control.calls import Call, read_call
from fleetspan_routing.control.decision import Chosen, Decision, Objection
from fleetspan_routing.control.loops import Steps, fingerprint
from fleetspan_routing.control.meter import Agent, Meter, Session, SessionKey, Usage
from fleetspan_routing.control.objections import (
    by_rules,
    fanning_out,
    looping,
    spent,
)
from fleetspan_routing.control.rules import Answer, Measure, Mode, Rules
from fleetspan_routing.control.step import (
    AGENT_TOOLS,
    Step,
    canonical,
    lasting,
    word,
)

ANSWERED: Final = frozenset({"PreToolUse", "PermissionRequest", "UserPromptSubmit"})
"""Hooks that a decision may answer."""

_MOST_WARNED: Final = 100_000


class Approvals(Protocol):
    """Where a person's consent is kept."""

    def is_granted(self, tenant: str, fingerprint: str) -> bool:
        """Whether exactly this was approved; a consent for one time is used up by it."""
        ...

    def request(self, tenant: str, fingerprint: str, what: Mapping[str, str]) -> str:
        """Note that consent is wanted and return the id to give it under."""
        ...


Choose = Callable[[Session, Agent, Mapping[str, Any], str], Chosen | None]
"""Chooses a sub-agent's model: who begins it, the tool's input, the folder."""


class Decider:
    """What is known of all sessions, and what follows from it.

    Every method may be called from any thread.

    Args:
        rules: What the user has laid down.
        approvals: Where consent is kept.
        choose: Chooses models of sub-agents; ``None``: nobody does.
        is_approving: Whether a call touches the approvals themselves.
    """

    def __init__(
        self,
        rules: Rules,
        approvals: Approvals,
        *,
        choose: Choose | None = None,
        is_approving: Callable[[Call], bool] = lambda call: False,
    ) -> None:
        self.rules = rules
        self.meter = Meter()
        self.raised: Raised = {}
        self._approvals = approvals
        self._choose = choose
        self._is_approving = is_approving
        self._steps: dict[tuple[SessionKey, str], Steps] = {}
        self._warned: dict[tuple[str, str, str, str], None] = {}
        self._lock = threading.Lock()

    def decide(self, tenant: str, hook: Mapping[str, Any], now_ns: int) -> Decision:
        """Decide what a hook is answered; one that asks nothing is observed.

        Args:
            tenant: Whose session it is.
            hook: What the client says.
            now_ns: Unix nanoseconds.
        """
        with self._lock:
            event = word(hook, "hook_event_name")
            session_id = word(hook, "session_id")
            if event not in ANSWERED or not session_id:
                self._observe(tenant, hook, now_ns)
                return Decision(
                    event=event,
                    tenant=tenant,
                    session_id=session_id,
                    agent_id=word(hook, "agent_id") or session_id,
                    agent_type=word(hook, "agent_type"),
                    tool=word(hook, "tool_name"),
                    call_id=word(hook, "tool_use_id"),
                )
            step = self._step(tenant, hook, event, session_id, now_ns)
            decision = self._decided(step)
            if event == "PreToolUse" and not _stops(decision):
                self._let_do(step)
            return decision

    def may_be_spent(self, tenant: str, hook: Mapping[str, Any], now_ns: int) -> bool:
        """Return whether one more call of a model may spend a budget of tokens or money.

        That is when less is left than twice its session's dearest call, or when no call
        of the session is known; not when it is spent already.

        Args:
            tenant: Whose session it is.
            hook: Of the agent.
            now_ns: Unix nanoseconds.
        """
        session_id, agent_id = word(hook, "session_id"), word(hook, "agent_id")
        if not session_id:
            return False
        with self._lock:
            session = self.meter.session((tenant, session_id), now_ns)
            agent = session.agents.get(agent_id or session_id)
            found = self._standings(tenant, session, agent or session.main, now_ns)
            for each in found:
                dearest = session.dearest.get(each.measure)
                if dearest is None or each.used >= each.limit:
                    continue
                left = each.limit - each.used
                if not session.has_model_calls or left <= 2 * dearest:
                    return True
        return False

    def observe(self, tenant: str, hook: Mapping[str, Any], now_ns: int) -> None:
        """Take note of what has happened."""
        with self._lock:
            self._observe(tenant, hook, now_ns)

    def note_usage(self, key: SessionKey, usage: Usage, now_ns: int) -> None:
        """Count a model call."""
        with self._lock:
            self.meter.session(key, now_ns).note(usage)

    def note_stored(
        self,
        key: SessionKey,
        *,
        began_ns: int,
        user: str,
        tokens: int,
        usd: float,
        calls: int = 0,
        subagents: int = 0,
        active_ns: int = 0,
        before: Mapping[Measure, float] | None = None,
    ) -> None:
        """Take over what the store knows of a session in whole.

        Args:
            key: Which.
            began_ns: When it began, Unix nanoseconds.
            user: Whose it is; ``""`` when not known.
            tokens: Of all its calls.
            usd: Likewise.
            calls: Of tools.
            subagents: That it began.
            active_ns: When it was at work last.
            before: What of it was before the day on which it was at work last, where it
                began on an earlier one.
        """
        with self._lock:
            session = self.meter.session(key, began_ns)
            self.meter.began_earlier(key, began_ns)
            session.user = session.user or user
            session.stored_tokens = max(session.stored_tokens, tokens)
            session.stored_usd = max(session.stored_usd, usd)
            session.stored_calls = max(session.stored_calls, calls)
            session.begun = max(session.begun, subagents)
            # The day of its latest work; what is before it is the store's to say, where
            # the session was not heard of here then.
            self.meter.session(key, max(active_ns, began_ns))
            if before is not None:
                session.before = dict(before)

    def knows(self, key: SessionKey) -> bool:
        """Return whether a session has been heard of."""
        with self._lock:
            return self.meter.knows(key)

    def all_standings(self, tenant: str | None, now_ns: int) -> list[Standing]:
        """How far each budget is used, of all that have one, the fullest first.

        Args:
            tenant: Whose; ``None``: of all.
            now_ns: Unix nanoseconds.
        """
        found: dict[tuple[str, str, str, Measure], Standing] = {}
        with self._lock:
            for key, session in self.meter:
                if tenant not in (None, key[0]):
                    continue
                for agent in session.agents.values():
                    for each in self._standings(key[0], session, agent, now_ns):
                        found[key[0], each.budget.name, each.of, each.measure] = each
        return sorted(found.values(), key=lambda each: -each.share)

    # --- one step

    def _step(
        self,
        tenant: str,
        hook: Mapping[str, Any],
        event: str,
        session_id: str,
        now_ns: int,
    ) -> Step:
        session = self.meter.session((tenant, session_id), now_ns)
        agent = session.agent(word(hook, "agent_id"), word(hook, "agent_type"), now_ns)
        given = hook.get("tool_input")
        return Step(
            hook=hook,
            event=event,
            key=(tenant, session_id),
            session=session,
            agent=agent,
            call=read_call(
                word(hook, "tool_name"),
                given if isinstance(given, dict) else {},
                word(hook, "cwd"),
            ),
            call_id=word(hook, "tool_use_id"),
            now_ns=now_ns,
        )

    def _decided(self, step: Step) -> Decision:
        found = list(
            self._standings(step.key[0], step.session, step.agent, step.now_ns)
        )
        objections = list(self._objections(step, found))
        strictest = max(objections, key=lambda each: each.then.rank, default=None)
        decision = Decision(
            event=step.event,
            tenant=step.key[0],
            session_id=step.key[1],
            agent_id=step.agent.agent_id,
            agent_type=step.agent.type,
            tool=step.call.tool,
            call_id=step.call_id,
            answer=strictest.then if strictest else Answer.NONE,
            enforced=self.rules.mode is Mode.ON,
            objection=strictest,
            warnings=tuple(self._warnings(step, found)),
        )
        if decision.answer is Answer.APPROVE:
            decision = self._with_approval(step, decision)
        if step.event == "PreToolUse" and step.begins_agent and not _stops(decision):
            decision = self._with_model(step, decision)
        return decision

    def _objections(self, step: Step, found: Sequence[Standing]) -> Iterator[Objection]:
        if step.event != "UserPromptSubmit" and self._is_approving(step.call):
            yield Objection(
                by="approvals",
                then=Answer.DENY,
                reason="Approvals and budgets are for people, outside of the session. "
                "Ask your user to give consent; do not look for another way.",
                location=f"approvals/{step.agent.agent_id}",
                evidence=(step.call_id,) if step.call_id else (),
            )
        yield from spent(found, step)
        if step.event == "UserPromptSubmit":
            return
        yield from by_rules(self.rules, step)
        if step.event == "PreToolUse":
            steps = self._steps.get((step.key, step.agent.agent_id))
            yield from looping(self.rules, steps, step)
            if step.begins_agent:
                yield from fanning_out(self.rules, step)

    def _standings(
        self, tenant: str, session: Session, agent: Agent, now_ns: int
    ) -> Iterator[Standing]:
        return standings(
            self.rules.budgets, self.meter, tenant, session, agent, now_ns, self.raised
        )

    def _warnings(self, step: Step, found: Sequence[Standing]) -> Iterator[Objection]:
        for each in found:
            if not each.budget.warn_at <= each.share < 1:
                continue
            key = (step.key[0], each.budget.name, each.of, str(each.measure))
            if each.measure is Measure.DEPTH or key in self._warned:
                continue
            if len(self._warned) >= _MOST_WARNED:
                del self._warned[next(iter(self._warned))]
            self._warned[key] = None
            yield Objection(
                by=f"budget:{each.budget.name}",
                then=Answer.NONE,
                reason=f"{each.share:.0%} of the {each.sentence()}",
                location=f"{each.budget.name}/{each.of}/{each.measure}",
                details={"used": each.used, "limit": each.limit, "of": each.of},
            )

    def _with_approval(self, step: Step, decision: Decision) -> Decision:
        name = fingerprint(step.key, step.agent.agent_id, step.fingerprint).hex()
        if self._approvals.is_granted(step.key[0], name):
            return replace(decision, answer=Answer.NONE)
        objection = decision.objection
        approval = self._approvals.request(
            step.key[0],
            name,
            {
                "session_id": step.key[1],
                "agent": step.agent.type or "main",
                "tool": step.call.tool,
                "what": step.call.command or ", ".join(step.call.paths),
                "reason": objection.reason if objection else "",
            },
        )
        return replace(decision, approval=approval)

    def _with_model(self, step: Step, decision: Decision) -> Decision:
        if self._choose is None or self.rules.models.mode is Mode.OFF:
            return decision
        arguments = step.call.arguments
        chosen = self._choose(step.session, step.agent, arguments, step.call.cwd)
        if chosen is None:
            return decision
        does = self.rules.models.mode is Mode.ON and decision.enforced
        changed = {**arguments, "model": chosen.model}
        wanted = does and chosen.model != chosen.asked
        return replace(
            decision,
            chosen=replace(chosen, applied=does),
            input=changed if wanted else None,
        )

    def _let_do(self, step: Step) -> None:
        step.session.count_call(step.agent)
        if step.begins_agent:
            type_ = word(step.call.arguments, "subagent_type")
            step.session.starting(step.call_id, step.agent, type_)
        steps = self._steps.setdefault((step.key, step.agent.agent_id), Steps())
        steps.begin(step.fingerprint, step.call_id)

    # --- what has happened

    def _observe(self, tenant: str, hook: Mapping[str, Any], now_ns: int) -> None:
        session_id = word(hook, "session_id")
        if not session_id:
            return
        key = (tenant, session_id)
        session = self.meter.session(key, now_ns)
        agent_id, call_id = word(hook, "agent_id"), word(hook, "tool_use_id")
        match word(hook, "hook_event_name"):
            case "SubagentStart":
                session.agent(agent_id, word(hook, "agent_type"), now_ns)
            case "SubagentStop":
                session.ended(agent_id, now_ns)
            case "PostToolUse" | "PostToolUseFailure":
                agent = session.agent(agent_id, word(hook, "agent_type"), now_ns)
                self._answered(key, session, agent, call_id, hook)
            case "PermissionDenied":
                session.lost_call(call_id)
            case "SessionEnd":
                for each in (session_id, *session.agents):
                    session.ended(each, now_ns)
                    self._steps.pop((key, each), None)

    def _answered(
        self,
        key: SessionKey,
        session: Session,
        agent: Agent,
        call_id: str,
        hook: Mapping[str, Any],
    ) -> None:
        response = hook.get("tool_response", hook.get("error"))
        steps = self._steps.get((key, agent.agent_id))
        if steps is not None:
            failed = "error" in hook
            steps.answered(call_id, fingerprint(failed, canonical(lasting(response))))
        if word(hook, "tool_name") not in AGENT_TOOLS:
            return
        if isinstance(response, dict):
            ended = response.get("status") == "completed"
            session.started(call_id, word(response, "agentId"), agent, ended=ended)
        else:
            session.lost_call(call_id)


def _stops(decision: Decision) -> bool:
    # Asking leaves it to the user, who mostly says yes: it counts as done.
    return decision.enforced and decision.answer in (Answer.APPROVE, Answer.DENY)
