"""A workflow is an agent, each step its sub-agent, and handlers work inside their step."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import fleetspan
from fleetspan.testing import Recorded
from fleetspan_routing.coordinator import (
    Limits,
    OnFailure,
    Phase,
    Retry,
    Step,
    StepContext,
    Workflow,
)
from tests.routing.coordinator import virtual_time
from tests.routing.coordinator.workflows import timed


def asks(model: str) -> Any:
    """Return a handler that asks a model."""

    async def handler(context: StepContext) -> str:
        await asyncio.sleep(1)
        with fleetspan.llm(model):
            await asyncio.sleep(1)
        return model

    return handler


def by_name(recorded: Recorded) -> dict[str, dict[str, Any]]:
    """Return the spans by their names."""
    return {span["name"]: span for span in recorded.spans()}


def test_spans_of_handlers_are_children_of_their_step(recorded: Recorded) -> None:
    """Also of steps that run at once, of plain functions, and of grown steps."""

    def plain(context: StepContext) -> None:
        with fleetspan.tool("grep"):
            pass

    def grow(_: object) -> list[Step]:
        return [
            Step(
                name="build a.py",
                agent="builder",
                phase=Phase.BUILD,
                handler=asks("model-c"),
                needs=("plan",),
            )
        ]

    steps = [
        Step(name="one", phase=Phase.SCOUT, handler=asks("model-a")),
        Step(name="two", phase=Phase.SCOUT, handler=plain),
        Step(
            name="plan",
            phase=Phase.PLAN,
            handler=asks("model-b"),
            needs=("one", "two"),
            grow=grow,
        ),
    ]

    async def main() -> None:
        with fleetspan.run("nightly", session="s-1"):
            await Workflow(name="release", steps=steps).run()

    virtual_time.run(main())
    assert recorded.tree() == (
        "invoke_workflow nightly\n"
        "  invoke_agent release\n"
        "    invoke_agent one\n"
        "      chat model-a\n"
        "    invoke_agent two\n"
        "      execute_tool grep\n"
        "    invoke_agent plan\n"
        "      chat model-b\n"
        "    invoke_agent builder\n"
        "      chat model-c"
    )
    spans = by_name(recorded)
    assert {span["attributes"]["fleetspan.run.id"] for span in spans.values()} == {
        spans["invoke_workflow nightly"]["attributes"]["fleetspan.run.id"]
    }
    built = spans["invoke_agent builder"]["attributes"]
    assert {
        key: value for key, value in built.items() if key.startswith("fleetspan.step")
    } == {
        "fleetspan.step.name": "build a.py",
        "fleetspan.step.phase": "build",
        "fleetspan.step.needs": ["plan"],
        "fleetspan.step.grown_by": "plan",
        "fleetspan.step.slot_wait_ms": 0,
    }
    assert built["fleetspan.agent.type"] == "build"
    assert built["fleetspan.agent.outcome"] == "completed"
    assert built["fleetspan.attempts"] == 1


def test_retries_are_events_and_the_failure_is_the_spans(recorded: Recorded) -> None:
    """One span for all attempts; the workflow's span has failed, too."""
    retry = Retry(attempts=2, first_wait_s=4, jitter=0)
    steps = [timed("a", 1, fails=["a"], retry=retry), timed("b", 1, "a")]
    result = virtual_time.run(Workflow(name="w", steps=steps).run())
    assert result.status == "failed"
    spans = by_name(recorded)
    assert list(spans) == ["invoke_agent w", "invoke_agent a"]
    step = spans["invoke_agent a"]
    assert (step["status"], step["status_description"]) == (
        "error",
        "RuntimeError: a is broken",
    )
    assert step["attributes"]["fleetspan.attempts"] == 2
    assert step["attributes"]["fleetspan.agent.outcome"] == "failed"
    assert step["events"][0]["name"] == "fleetspan.step.retry"
    assert step["events"][0]["attributes"] == {
        "fleetspan.step.attempt": 1,
        "fleetspan.step.wait_s": 4.0,
        "error.type": "RuntimeError",
        "fleetspan.step.because": "RuntimeError: a is broken",
    }
    whole = spans["invoke_agent w"]
    assert (whole["status"], whole["status_description"]) == ("error", "step_failed: a")
    assert whole["attributes"]["fleetspan.agent.outcome"] == "failed"
    assert [(event["name"], event["attributes"]) for event in whole["events"]] == [
        (
            "fleetspan.step.skipped",
            {
                "fleetspan.step.name": "b",
                "fleetspan.step.phase": "build",
                "fleetspan.step.because": "step 'a' failed: RuntimeError: a is broken",
            },
        )
    ]


def test_a_step_that_starts_in_anothers_wait_is_no_child_of_it(
    recorded: Recorded,
) -> None:
    """Whoever frees the slot, the workflow is what starts a step."""
    retry = Retry(attempts=2, first_wait_s=4)
    steps = [
        timed("flaky", 1, fails=["flaky"], retry=retry, expected_s=9, required=False),
        timed("other", 1),
    ]
    workflow = Workflow(name="w", steps=steps, limits=Limits(total=1))
    virtual_time.run(workflow.run())
    assert recorded.tree() == (
        "invoke_agent w\n  invoke_agent flaky\n  invoke_agent other"
    )


def test_what_is_restored_is_an_event_and_no_agent(
    recorded: Recorded, tmp_path: Path
) -> None:
    """It did not run in this process."""
    fails = ["b"]
    workflow = Workflow(
        name="w",
        steps=[timed("a", 1), timed("b", 1, "a", fails=fails)],
        on_failure=OnFailure.CONTINUE,
    )
    path = tmp_path / "state.json"
    virtual_time.run(workflow.run(snapshot_path=path))
    fails.clear()
    virtual_time.run(workflow.resume(path))
    names = [span["name"] for span in recorded.spans()]
    assert names == [f"invoke_agent {name}" for name in ("w", "a", "b", "w", "b")]
    second = recorded.spans()[3]
    assert [event["attributes"] for event in second["events"]] == [
        {"fleetspan.step.name": "a", "fleetspan.step.phase": "build"}
    ]
    assert second["events"][0]["name"] == "fleetspan.step.restored"


def test_the_wait_for_a_slot_is_not_part_of_a_step(recorded: Recorded) -> None:
    """It is an attribute, in milliseconds."""
    steps = [timed("a", 2, expected_s=2), timed("b", 1, expected_s=1)]
    workflow = Workflow(name="w", steps=steps, limits=Limits(total=1))
    virtual_time.run(workflow.run())
    spans = by_name(recorded)
    assert spans["invoke_agent a"]["attributes"]["fleetspan.step.slot_wait_ms"] == 0
    assert spans["invoke_agent b"]["attributes"]["fleetspan.step.slot_wait_ms"] == 2000
