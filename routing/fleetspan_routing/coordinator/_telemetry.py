"""Spans of a workflow and its steps: the workflow is an agent, each step its sub-agent."""

from __future__ import annotations

from collections.abc import Mapping

import fleetspan
from fleetspan import Agent
from fleetspan import _semconv as semconv
from fleetspan._guard import guard
from fleetspan_routing.coordinator.result import (
    Status,
    StepOutcome,
    WorkflowResult,
    described,
)
from fleetspan_routing.coordinator.step import Step


def workflow_agent(name: str) -> Agent:
    """Return the agent that is a workflow; with no run around it, it is the run."""
    return fleetspan.agent(name, type="coordinator")


def step_agent(step: Step) -> Agent:
    """Return the agent that is a step."""
    return fleetspan.agent(step.agent or step.name, type=str(step.phase))


def tell_step(
    agent: Agent, step: Step, *, grown_by: str | None, waited_s: float
) -> None:
    """Record what is known of a step when it starts.

    Args:
        agent: Its agent.
        step: The step.
        grown_by: The plan that it comes from.
        waited_s: How long it could have run but for slots, in seconds.
    """
    agent.set(semconv.STEP_NAME, step.name)
    agent.set(semconv.STEP_PHASE, str(step.phase))
    agent.set(semconv.STEP_NEEDS, list(step.needs))
    agent.set(semconv.STEP_SLOT_WAIT_MS, round(waited_s * 1000, 3))
    if grown_by is not None:
        agent.set(semconv.STEP_GROWN_BY, grown_by)


def tell_end(agent: Agent, status: Status, attempts: int) -> None:
    """Record how a step ended."""
    agent.set(semconv.ATTEMPTS, attempts)
    agent.outcome(status)


def tell_retry(agent: Agent, error: Exception, *, attempt: int, wait_s: float) -> None:
    """Record that an attempt failed and another will follow.

    Args:
        agent: The step's agent.
        error: What the attempt failed with.
        attempt: Which one it was, from 1.
        wait_s: How long the step waits, in seconds.
    """
    _event(
        agent,
        semconv.STEP_RETRY,
        {
            semconv.STEP_ATTEMPT: attempt,
            semconv.STEP_WAIT_S: wait_s,
            semconv.ERROR_TYPE: type(error).__qualname__,
            semconv.STEP_BECAUSE: described(error),
        },
    )


def tell_not_run(agent: Agent, outcome: StepOutcome) -> None:
    """Record at the workflow that a step is not run: it never was an agent.

    Args:
        agent: The workflow's agent.
        outcome: Of the step, skipped or restored.
    """
    name = semconv.STEP_RESTORED if outcome.restored else semconv.STEP_SKIPPED
    values = {
        semconv.STEP_NAME: outcome.name,
        semconv.STEP_PHASE: str(outcome.phase),
    }
    if outcome.error:
        values[semconv.STEP_BECAUSE] = outcome.error
    _event(agent, name, values)


def tell_workflow(agent: Agent, result: WorkflowResult) -> None:
    """Record how a workflow ended; a failed one has a failed span."""
    agent.outcome(result.status)
    if result.status is not Status.COMPLETED:
        names = [each.name for each in result.failed if each.required]
        agent.fail("step_failed", ", ".join(names))


def _event(agent: Agent, name: str, values: Mapping[str, str | int | float]) -> None:
    with guard("record an event"):
        agent.span.add_event(name, dict(values))
