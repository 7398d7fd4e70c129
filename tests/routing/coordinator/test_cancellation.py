"""When a workflow is cancelled or stopped, nothing of it runs any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fleetspan
from fleetspan_routing.coordinator import (
    Limits,
    Phase,
    Retry,
    Step,
    StepContext,
    StepTimeout,
    Workflow,
)
from tests.routing.coordinator import virtual_time
from tests.routing.coordinator.workflows import Log, Plan, limits, plans, timed


def cancelled_at(seconds: float, workflow: Workflow, times: int = 1) -> float:
    """Run a workflow, cancel it, and return when it was over.

    `virtual_time.run` sees to it that no task is left; this, that no thread is.
    """
    before = set(threading.enumerate())

    async def main() -> float:
        loop = asyncio.get_running_loop()
        task = loop.create_task(workflow.run())
        for number in range(times):
            loop.call_at(seconds + number, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return loop.time()

    over = virtual_time.run(main())
    # Threads of others may have ended meanwhile.
    assert set(threading.enumerate()) <= before
    return over


@settings(deadline=None, max_examples=100)
@given(plan=plans(), limited=limits(), part=st.floats(0, 0.95))
def test_cancelled_at_any_moment_nothing_is_left(
    plan: Plan, limited: Limits, part: float
) -> None:
    """On any graph, under any limits: no task runs, and no slot is held."""
    log = Log()
    workflow = Workflow(
        name="test", steps=[*plan.steps(log), timed("long", 100)], limits=limited
    )
    at = part * (sum(plan.seconds) + 1)
    assert cancelled_at(at, workflow) == pytest.approx(at, abs=1e-6)
    assert not any(log.running.values())


def test_what_ignores_cancellation_for_a_while_is_waited_for() -> None:
    """And is not disturbed by a second cancellation more than it has to be."""
    seen: list[str] = []

    async def tidy(context: StepContext) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(5)
            seen.append("tidied")

    step = Step(name="tidy", phase=Phase.BUILD, handler=tidy)
    assert cancelled_at(1, Workflow(name="test", steps=[step])) == 6
    assert seen == ["tidied"]


def test_a_failure_while_all_is_being_cancelled_disturbs_nobody() -> None:
    """A plan that comes back with nonsense must not cut short what others tidy up."""
    seen: list[str] = []

    async def stubborn(context: StepContext) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(1)

    async def tidy(context: StepContext) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(5)
            seen.append("tidied")

    def grow(_: object) -> list[Step]:
        raise ValueError("nonsense")

    steps = [
        Step(name="plan", phase=Phase.PLAN, handler=stubborn, grow=grow),
        Step(name="tidy", phase=Phase.BUILD, handler=tidy),
    ]
    assert cancelled_at(1, Workflow(name="test", steps=steps)) == 6
    assert seen == ["tidied"]


def test_a_second_cancellation_reaches_what_swallowed_the_first() -> None:
    """So that nothing has to be waited for without end."""

    async def deaf(context: StepContext) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(100)

    step = Step(name="deaf", phase=Phase.BUILD, handler=deaf)
    assert cancelled_at(1, Workflow(name="test", steps=[step]), times=2) == 2


def test_what_waits_for_a_slot_or_another_attempt_is_cancelled_too() -> None:
    """Neither of them ever starts."""
    log = Log()
    retry = Retry(attempts=2, first_wait_s=50)
    steps = [
        timed("flaky", 1, log=log, fails=["flaky"], retry=retry),
        timed("holds", 100, log=log),
        timed("waits", 1, log=log),
    ]
    workflow = Workflow(name="test", steps=steps, limits=Limits(total=1))
    assert cancelled_at(3, workflow) == 3
    assert log.calls == {"flaky": 1, "holds": 1}


def test_a_timeout_around_a_workflow_ends_it() -> None:
    """It is an ordinary citizen of asyncio."""

    async def main() -> None:
        workflow = Workflow(name="test", steps=[timed("long", 100)])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await workflow.run()

    virtual_time.run(main())


def test_the_telemetry_of_a_cancelled_workflow_says_so(recorded: Any) -> None:
    """Every span has ended."""
    cancelled_at(1, Workflow(name="test", steps=[timed("long", 100)]))
    outcomes = {
        span["name"]: span["attributes"]["fleetspan.agent.outcome"]
        for span in recorded.spans()
    }
    assert outcomes == {
        "invoke_agent test": "cancelled",
        "invoke_agent long": "cancelled",
    }


class TestThreads:
    """Plain functions run in threads, which cannot be ended from outside."""

    def run(self, handler: Callable[[StepContext], object], **options: Any) -> Any:
        """Run a plain handler as the only step; return what became of it."""
        before = set(threading.enumerate())
        step = Step(name="plain", phase=Phase.BUILD, handler=handler, **options)
        result = virtual_time.run(Workflow(name="test", steps=[step]).run())
        assert set(threading.enumerate()) <= before
        return result.steps["plain"]

    def test_it_runs_beside_the_event_loop_and_in_its_context(self) -> None:
        """In a thread that is gone afterwards, with the step as the agent at work."""

        def handler(context: StepContext) -> list[object]:
            agent = fleetspan.current_agent()
            return [threading.current_thread().name[:14], agent and agent.name]

        assert self.run(handler).result == ["fleetspan-step", "plain"]

    def test_its_error_is_the_steps(self) -> None:
        """And may be retried like any."""

        def handler(context: StepContext) -> str:
            if context.attempt == 1:
                raise OSError("first")
            return "second"

        assert self.run(handler).error == "OSError: first"
        assert self.run(handler, retry=Retry(attempts=2)).result == "second"

    def test_at_a_timeout_it_is_asked_to_stop_and_waited_for(self) -> None:
        """It has timed out, whatever it returns; and it runs no more."""
        ended: list[bool] = []

        def handler(context: StepContext) -> str:
            ended.append(context.stop.wait(60))
            return "too late"

        outcome = self.run(handler, timeout_s=5)
        assert isinstance(outcome.exception, StepTimeout)
        assert ended == [True]

    def test_one_that_does_not_listen_is_waited_for_all_the_same(self) -> None:
        """Nobody walks away from it: a thread that runs on unseen is worse."""
        release = threading.Event()
        ended: list[bool] = []

        def handler(context: StepContext) -> None:
            def let_go() -> None:
                context.stop.wait(60)
                release.set()

            # It never looks at its own stop; a third thread lets it go, later.
            threading.Thread(target=let_go).start()
            ended.append(release.wait(60))

        outcome = self.run(handler, timeout_s=5)
        assert isinstance(outcome.exception, StepTimeout)
        assert ended == [True]

    @pytest.mark.parametrize("times", [1, 2])
    def test_cancelled_it_is_asked_to_stop_and_waited_for(self, times: int) -> None:
        """However often it is cancelled."""
        ended: list[bool] = []

        def handler(context: StepContext) -> None:
            ended.append(context.stop.wait(60))
            raise RuntimeError("stopped half-way")

        step = Step(name="plain", phase=Phase.BUILD, handler=handler)
        cancelled_at(1, Workflow(name="test", steps=[step]), times)
        assert ended == [True]

    def test_a_coroutine_from_a_plain_function_is_refused(self) -> None:
        """A lambda around an async function is a likely slip."""
        step = timed("a", 1)
        outcome = self.run(lambda context: step.handler(context))
        assert "returned something to be awaited" in outcome.error

    def test_more_threads_than_cores(self) -> None:
        """As many as slots: a hundred wait for each other."""
        barrier = threading.Barrier(100, timeout=60)
        steps = [
            Step(name=f"s{n}", phase=Phase.BUILD, handler=lambda _: barrier.wait())
            for n in range(100)
        ]
        result = virtual_time.run(Workflow(name="test", steps=steps).run())
        assert sorted(result.results.values()) == list(range(100))
