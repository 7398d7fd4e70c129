"""What the rules object to in a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleetspan_routing.control.budgets import Standing
from fleetspan_routing.control.decision import Objection
from fleetspan_routing.control.loops import Steps
from fleetspan_routing.control.risk import risk
from fleetspan_routing.control.rules import Answer, Measure, Rules
from fleetspan_routing.control.step import Step
from fleetspan_routing.control.tool_rules import matching


def spent(standings: Iterable[Standing], step: Step) -> Iterator[Objection]:
    """Object when a limit that the step counts towards does not allow it."""
    for each in standings:
        if _next(each, step) <= each.limit:
            continue
        if step.event == "UserPromptSubmit" and each.then is not Answer.DENY:
            continue
        yield Objection(
            by=f"budget:{each.budget.name}",
            then=each.then,
            reason=f"Stopped by the {each.sentence()}. Do not try again or work "
            "around it: say what is done and what is left. A person can raise it: "
            f"fleetspan budget set {each.budget.name!r} {each.of!r} "
            f"{each.measure}=NUMBER",
            location=f"{each.budget.name}/{each.of}/{each.measure}",
            details={
                "measure": str(each.measure),
                "used": each.used,
                "limit": each.limit,
                "of": each.of,
            },
        )


def by_rules(rules: Rules, step: Step) -> Iterator[Objection]:
    """Object by the rules for tools, and when the risk is high."""
    called = (step.call_id,) if step.call_id else ()
    for rule, met in matching(rules.tools, step.call, step.agent.type):
        yield Objection(
            by=f"rule:{rule.name}",
            then=rule.then,
            reason=f"{rule.because or 'Not allowed'} (rule {rule.name!r}, {met})",
            location=f"rule/{rule.name}/{step.agent.agent_id}",
            evidence=called,
            details={"met": met},
        )
    if rules.risk is None:
        return
    scored = risk(step.call, step.call.cwd)
    if scored.total >= rules.risk.threshold:
        yield Objection(
            by="risk",
            then=rules.risk.then,
            reason=f"This needs consent: {scored.sentence()}",
            location=f"risk/{step.agent.agent_id}",
            evidence=called,
            details={"risk": scored.total, **scored.factors},
        )


def looping(rules: Rules, steps: Steps | None, step: Step) -> Iterator[Objection]:
    """Object to what has been done before, with nothing new to show for it."""
    guard = rules.loop
    if guard is None or steps is None:
        return
    time, before = steps.repetition(step.fingerprint, guard.longest)
    if time >= guard.repeats:
        yield Objection(
            by="loop",
            then=guard.then,
            reason=f"This would be time {time} that you call {step.call.tool} like "
            "this, and the answer was the same each time. Do something else: change "
            "what you try, or say what stands in the way.",
            location=f"loop/{step.agent.agent_id}/{step.fingerprint.hex()}",
            evidence=tuple(before),
            details={"time": time, "tool": step.call.tool},
        )


def fanning_out(rules: Rules, step: Step) -> Iterator[Objection]:
    """Object to a sub-agent too many."""
    guard = rules.fan_out
    if guard is None:
        return
    at_once, total = step.session.at_once, step.session.begun
    if at_once + 1 > guard.at_once:
        what = f"{at_once} sub-agents are at work, and {guard.at_once} may be at once"
        advice = "Wait until one of them has ended."
    elif guard.in_total is not None and total + 1 > guard.in_total:
        what = f"{total} sub-agents were begun, and {guard.in_total} may be in all"
        advice = "Go on without further ones."
    else:
        return
    yield Objection(
        by="fan_out",
        then=guard.then,
        reason=f"No further sub-agent: {what}. {advice}",
        location=f"fan_out/{step.session.session_id}",
        evidence=(step.call_id,) if step.call_id else (),
        details={"at_once": at_once, "in_total": total},
    )


def _next(standing: Standing, step: Step) -> float:
    """What a limit would have to allow for the step to be done."""
    match standing.measure:
        case Measure.CALLS:
            return standing.used + (step.event != "UserPromptSubmit")
        case Measure.SUBAGENTS if step.begins_agent:
            return standing.used + 1
        case Measure.DEPTH if step.begins_agent:
            return step.agent.depth + 1
        case Measure.SUBAGENTS | Measure.DEPTH:
            return 0
        case _:
            # What is used up to the last bit leaves nothing for the next call.
            spent = standing.used >= standing.limit
            return standing.limit + 1 if spent else standing.used
