"""From a snapshot back to what has ended already."""

from __future__ import annotations

from fleetspan_routing.coordinator import snapshot
from fleetspan_routing.coordinator._errors import SnapshotError
from fleetspan_routing.coordinator.graph import Graph, shape
from fleetspan_routing.coordinator.result import Status, StepOutcome, described
from fleetspan_routing.coordinator.snapshot import KeptStep, Snapshot
from fleetspan_routing.coordinator.step import Step


def restore(kept: Snapshot, workflow: str, graph: Graph) -> dict[str, StepOutcome]:
    """Return what has ended, and let the graph grow as it had grown.

    Completed steps have ended. An optional one that failed has, too, when something that
    has ended ran without its result; otherwise it is tried again.

    Args:
        kept: The snapshot.
        workflow: The workflow's name.
        graph: The steps that it begins with; those that plans grew are added.

    Raises:
        OtherGraphError: When it is of another workflow.
        SnapshotError: When a plan cannot grow again.
    """
    begun = {name: shape(step) for name, step in graph.steps.items()}
    snapshot.refuse_other(kept, workflow, begun)
    plans = list(graph.steps.values())
    # It grows while it is gone through: a plan may grow plans.
    for step in plans:
        if step.grow is not None and _status(kept, step) == Status.COMPLETED:
            grown = _grown(kept, graph, step)
            shapes = {each.name: shape(each) for each in grown}
            snapshot.refuse_other_growth(kept, step.name, shapes)
            plans += grown
    ended: dict[str, StepOutcome] = {}
    for name in reversed(graph.order()):
        step = graph.steps[name]
        status = _status(kept, step)
        used = any(each in ended for each in graph.dependents[name])
        lasting = status == Status.FAILED and not step.required and used
        if status == Status.COMPLETED or lasting:
            ended[name] = _outcome(step, kept.steps[name])
    return {name: ended[name] for name in graph.steps if name in ended}


def _grown(kept: Snapshot, graph: Graph, plan: Step) -> list[Step]:
    assert plan.grow is not None  # noqa: S101 - for the type checker
    try:
        return graph.add(plan.grow(kept.steps[plan.name].result), grown_by=plan.name)
    except Exception as error:
        raise SnapshotError(
            f"{kept.path}: plan {plan.name!r} cannot grow again",
            because=described(error),
            suggestion="a grow that makes the same steps of the same result",
        ) from error


def _status(kept: Snapshot, step: Step) -> str:
    found = kept.steps.get(step.name)
    return snapshot.WAITING if found is None else found.status


def _outcome(step: Step, kept: KeptStep) -> StepOutcome:
    return StepOutcome(
        name=step.name,
        phase=step.phase,
        required=step.required,
        status=Status(kept.status),
        result=kept.result,
        error=kept.error,
        attempts=kept.attempts,
        restored=True,
    )
