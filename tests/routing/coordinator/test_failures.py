"""What fails, what is tried again, and what becomes of everything else."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_routing.coordinator import (
    Limits,
    OnFailure,
    Phase,
    Retry,
    Step,
    StepContext,
    StepTimeout,
    Workflow,
    WorkflowFailed,
    WorkflowResult,
)
from tests.routing.coordinator import virtual_time
from tests.routing.coordinator.workflows import Log, Plan, limits, plans, timed

NO_JITTER = Retry(attempts=3, first_wait_s=4, factor=3, jitter=0)


def run(steps: list[Step], **options: Any) -> WorkflowResult:
    """Run steps in virtual time."""
    workflow = Workflow(name="test", steps=steps, **options)
    return virtual_time.run(workflow.run())


def statuses(result: WorkflowResult) -> dict[str, str]:
    """Return the status of each step."""
    return {name: str(step.status) for name, step in result.steps.items()}


def test_a_failed_root_never_makes_a_completed_workflow() -> None:
    """What waits for it, however indirectly, is skipped and says why."""
    result = run(
        [
            timed("root", 1, fails=["root"]),
            timed("next", 1, "root"),
            timed("last", 1, "next"),
        ]
    )
    assert result.status == "failed"
    assert statuses(result) == {"root": "failed", "next": "skipped", "last": "skipped"}
    last = result.steps["last"]
    assert last.caused_by == "root"
    assert last.error == "step 'root' failed: RuntimeError: root is broken"
    assert isinstance(result.steps["root"].exception, RuntimeError)
    with pytest.raises(WorkflowFailed, match="root: RuntimeError: root is broken"):
        result.raise_if_failed()


def independent() -> list[Step]:
    """Return a step that fails, one that runs meanwhile, and one that starts later."""
    return [
        timed("bad", 1, fails=["bad"]),
        timed("behind", 1, "bad"),
        timed("running", 2),
        timed("later", 1, "running"),
    ]


def test_stop_cancels_what_runs_and_starts_nothing() -> None:
    """Each says which failure was the reason."""
    result = run(independent(), on_failure=OnFailure.STOP)
    assert statuses(result) == {
        "bad": "failed",
        "behind": "skipped",
        "running": "cancelled",
        "later": "skipped",
    }
    assert {step.caused_by for step in result.steps.values()} == {None, "bad"}
    assert result.seconds == 1


def test_continue_finishes_what_does_not_need_it() -> None:
    """And only skips what does."""
    result = run(independent(), on_failure=OnFailure.CONTINUE)
    assert statuses(result) == {
        "bad": "failed",
        "behind": "skipped",
        "running": "completed",
        "later": "completed",
    }
    assert (result.status, result.seconds) == ("failed", 3)


def test_without_an_optional_step_the_rest_goes_on() -> None:
    """What needs it runs, without its result and told why."""
    seen: list[StepContext] = []

    async def plan(context: StepContext) -> int:
        seen.append(context)
        return len(context.results)

    result = run(
        [
            timed("web", 1, required=False, fails=["web"]),
            timed("files", 1),
            Step(name="plan", phase=Phase.PLAN, handler=plan, needs=("web", "files")),
        ]
    )
    assert result.status == "completed"
    assert result.results["plan"] == 1
    assert seen[0].missing == {"web": "RuntimeError: web is broken"}
    assert [step.name for step in result.failed] == ["web"]


def test_stop_takes_what_waits_for_a_slot_out_of_the_queue() -> None:
    """It never gets the slot that the failure has freed."""
    log = Log()
    result = run(
        [
            timed("bad", 1, log=log, fails=["bad"], expected_s=9),
            timed("waits", 1, log=log),
        ],
        limits=Limits(total=1),
    )
    assert statuses(result) == {"bad": "failed", "waits": "skipped"}
    assert log.calls == {"bad": 1}


def test_stopped_a_plan_that_finishes_all_the_same_builds_nothing() -> None:
    """It took no notice of its cancellation; what it grew is skipped."""

    async def stubborn(context: StepContext) -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return "the plan"
        return "never"

    log = Log()
    plan = Step(
        name="plan",
        phase=Phase.PLAN,
        handler=stubborn,
        grow=lambda _: [timed("build", 1, "plan", log=log), timed("x", 1, log=log)],
    )
    result = run([plan, timed("bad", 1, fails=["bad"])])
    assert statuses(result) == {
        "plan": "completed",
        "bad": "failed",
        "build": "skipped",
        "x": "skipped",
    }
    assert result.steps["x"].caused_by == "bad"
    assert not log.calls


def test_what_a_handler_raises_when_it_is_stopped_is_no_failure_of_it() -> None:
    """Nor is it tried again."""
    calls: list[int] = []

    async def complains(context: StepContext) -> None:
        calls.append(context.attempt)
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            raise ValueError("interrupted") from None

    step = Step(name="a", phase=Phase.BUILD, handler=complains, retry=NO_JITTER)
    result = run([step, timed("bad", 1, fails=["bad"])])
    assert statuses(result) == {"a": "cancelled", "bad": "failed"}
    assert calls == [1]


@settings(deadline=None, max_examples=100)
@given(
    data=st.data(),
    plan=plans(),
    limited=limits(),
    policy=st.sampled_from(OnFailure),
)
def test_on_any_graph_exactly_what_is_behind_a_failure_is_skipped(
    data: st.DataObject, plan: Plan, limited: Limits, policy: OnFailure
) -> None:
    """With CONTINUE; with STOP nothing that is behind it runs, either."""
    names = [f"s{n}" for n in range(len(plan.seconds))]
    fails = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    log = Log()
    result = run(plan.steps(log, fails), limits=limited, on_failure=policy)
    behind: set[str] = set()
    for n, needs in enumerate(plan.needs):
        if any(f"s{need}" in {*behind, *fails} for need in needs):
            behind.add(f"s{n}")
    assert result.status == "failed"
    assert max(log.calls.values()) == 1
    assert not behind & set(log.calls)
    skipped = {step.name for step in result.skipped}
    assert behind <= skipped
    for step in result.skipped:
        assert result.steps[step.caused_by or ""].status == "failed"
    if policy is OnFailure.CONTINUE:
        assert skipped == behind
        assert set(log.calls) == set(names) - behind


class TestRetries:
    """A step that fails may be tried again."""

    def test_waits_grow_and_others_use_the_slot(self) -> None:
        """Tried at 0, 5 and 18; meanwhile the only slot is free."""
        tried: list[tuple[int, float]] = []

        async def flaky(context: StepContext) -> str:
            tried.append((context.attempt, asyncio.get_running_loop().time()))
            await asyncio.sleep(1)
            if context.attempt < 3:
                raise OSError("not yet")
            return "at last"

        result = run(
            [
                Step(name="flaky", phase=Phase.BUILD, handler=flaky, retry=NO_JITTER),
                timed("other", 2),
            ],
            limits=Limits(total=1),
        )
        assert tried == [(1, 0), (2, 5), (3, 18)]
        assert result.results["flaky"] == "at last"
        assert result.steps["flaky"].attempts == 3
        assert result.steps["other"].started_s == 1

    def test_the_last_error_counts(self) -> None:
        """After as many attempts as there may be."""
        log = Log()
        result = run([timed("a", 0, log=log, fails=["a"], retry=NO_JITTER)])
        assert result.steps["a"].error == "RuntimeError: a is broken"
        assert log.calls == {"a": 3}

    def test_other_errors_are_final(self) -> None:
        """Only those that are named are worth another attempt."""
        log = Log()
        retry = Retry(attempts=3, on=(OSError, TimeoutError))
        result = run([timed("a", 0, log=log, fails=["a"], retry=retry)])
        assert result.status == "failed"
        assert log.calls == {"a": 1}

    def test_jitter_takes_away_at_most_its_share(self) -> None:
        """And no wait is longer than the longest, whatever the factor."""
        retry = Retry(attempts=10_000, first_wait_s=2, most_wait_s=50, jitter=0.5)
        chance = random.Random(1)
        error = OSError()
        waits = [retry.wait_s(2, error, chance) or 0 for _ in range(500)]
        assert 2 <= min(waits) < 2.1
        assert 3.9 < max(waits) <= 4
        late = [retry.wait_s(9_000, error, chance) or 0 for _ in range(500)]
        assert 25 <= min(late) <= max(late) <= 50
        assert retry.wait_s(10_000, error, chance) is None

    def test_a_step_that_waits_can_be_cancelled(self) -> None:
        """Stopped at 1, not at 4 when it would have come back."""
        result = run(
            [
                timed("waits", 0, fails=["waits"], retry=NO_JITTER),
                timed("bad", 1, fails=["bad"]),
            ]
        )
        assert statuses(result) == {"waits": "cancelled", "bad": "failed"}
        assert result.seconds == 1


class TestTimeouts:
    """An attempt has so many seconds."""

    def test_it_is_cancelled_and_says_so(self) -> None:
        """Each attempt has all the time, and is told when it ends."""
        seen: list[tuple[float | None, float]] = []

        async def slow(context: StepContext) -> None:
            seen.append((context.deadline, context.remaining_s()))
            await asyncio.sleep(100)

        retry = Retry(attempts=2, on=(TimeoutError,), first_wait_s=1, jitter=0)
        result = run(
            [
                Step(
                    name="slow",
                    phase=Phase.SCOUT,
                    handler=slow,
                    timeout_s=5,
                    retry=retry,
                )
            ]
        )
        assert seen == [(5, 5), (11, 5)]
        assert isinstance(result.steps["slow"].exception, StepTimeout)
        assert "may take 5 s" in result.steps["slow"].error
        assert result.seconds == 11

    def test_a_result_that_comes_too_late_is_none(self) -> None:
        """A handler that swallows its cancellation has timed out when it returns."""

        async def stubborn(context: StepContext) -> str:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(7)
            return "too late"

        result = run([Step(name="s", phase=Phase.BUILD, handler=stubborn, timeout_s=5)])
        assert isinstance(result.steps["s"].exception, StepTimeout)
        assert result.seconds == 12

    def test_a_timeout_inside_the_handler_is_its_own_error(self) -> None:
        """It is no StepTimeout."""

        async def impatient(context: StepContext) -> None:
            async with asyncio.timeout(1):
                await asyncio.sleep(2)

        result = run(
            [Step(name="s", phase=Phase.BUILD, handler=impatient, timeout_s=5)]
        )
        assert type(result.steps["s"].exception) is TimeoutError


def test_a_handler_that_is_cancelled_from_inside_has_failed() -> None:
    """Else its step would look as if the workflow had been cancelled."""

    async def awaits_another(context: StepContext) -> None:
        other = asyncio.create_task(asyncio.sleep(10))
        other.cancel()
        await other

    result = run([Step(name="s", phase=Phase.BUILD, handler=awaits_another)])
    assert result.status == "failed"
    assert "cancelled from inside" in result.steps["s"].error


def test_a_task_that_someone_else_cancels_has_failed() -> None:
    """Nothing of the coordinator's asked for it."""

    async def suicidal(context: StepContext) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    result = run([Step(name="s", phase=Phase.BUILD, handler=suicidal)])
    assert result.status == "failed"
    assert "someone else" in result.steps["s"].error
    with pytest.raises(WorkflowFailed, match="someone else"):
        result.raise_if_failed()
