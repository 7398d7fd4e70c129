"""When steps run: as soon as they can, never before, and within the limits."""

from __future__ import annotations

import asyncio
import inspect
import random
import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_routing import coordinator
from fleetspan_routing.coordinator import (
    Graph,
    Limits,
    Phase,
    Retry,
    Step,
    StepContext,
    Workflow,
    WorkflowResult,
)
from tests.routing.coordinator import virtual_time
from tests.routing.coordinator.workflows import (
    Log,
    Plan,
    limits,
    plans,
    result_of,
    timed,
)


def run(steps: list[Step], **options: Any) -> WorkflowResult:
    """Run steps in virtual time."""
    workflow = Workflow(name="test", steps=steps, **options)
    return virtual_time.run(workflow.run())


def random_plan(seed: int, count: int) -> Plan:
    """Return a larger random graph, as long chains beside wide fans."""
    chance = random.Random(seed)
    return Plan(
        seconds=[chance.lognormvariate(0, 1) for _ in range(count)],
        needs=[
            sorted({chance.randrange(max(0, n - 30), n) for _ in range(3)}) if n else []
            for n in range(count)
        ],
        phases=[Phase.BUILD] * count,
        resources=[()] * count,
    )


def seconds_of(plan: Plan) -> dict[str, float]:
    """Return how long each step of a graph takes."""
    return {f"s{n}": seconds for n, seconds in enumerate(plan.seconds)}


def test_a_step_starts_the_moment_that_its_own_needs_are_done() -> None:
    """No wave: what follows a short step does not wait for a long one beside it."""
    result = run(
        [
            timed("short", 1, phase=Phase.SCOUT),
            timed("long", 10, phase=Phase.SCOUT),
            timed("plan", 2, "short", phase=Phase.PLAN),
            timed("build", 3, "plan"),
            timed("join", 1, "build", "long"),
        ]
    )
    assert {n: (s.started_s, s.ended_s) for n, s in result.steps.items()} == {
        "short": (0, 1),
        "long": (0, 10),
        "plan": (1, 3),
        "build": (3, 6),
        "join": (10, 11),
    }
    assert (result.status, result.seconds) == ("completed", 11)


@settings(deadline=None, max_examples=150)
@given(plan=plans(), limited=limits())
def test_every_step_runs_once_after_its_needs_and_within_limits(
    plan: Plan, limited: Limits
) -> None:
    """On any graph, under any limits."""
    log = Log()
    result = run(plan.steps(log), limits=limited)
    assert result.status == "completed"
    assert result.results == plan.expected()
    assert log.calls == dict.fromkeys(plan.expected(), 1)
    assert log.early == []
    for key, most in (
        ("all", limited.total),
        *((phase, limited.phases.get(phase)) for phase in Phase),
        *((key, limited.of_resource(key)) for key in ("gpu", "repository")),
    ):
        assert most is None or log.most[key] <= most, key


@settings(deadline=None, max_examples=100)
@given(plan=plans(most=20, resources=False))
def test_without_limits_the_critical_path_is_all_the_time_it_takes(plan: Plan) -> None:
    """Exactly: nothing waits for what it does not need."""
    ideal, _ = Graph(plan.steps(Log())).critical_path(seconds_of(plan))
    assert run(plan.steps(Log())).seconds == pytest.approx(ideal)


@pytest.mark.parametrize(("seed", "count"), [(1, 20), (2, 80), (3, 200)])
def test_large_random_graphs_take_their_critical_path(seed: int, count: int) -> None:
    """Within 2 % of the ideal (here exactly), which waves are far from."""
    plan = random_plan(seed, count)
    ideal, chain = Graph(plan.steps(Log())).critical_path(seconds_of(plan))
    assert ideal == pytest.approx(sum(seconds_of(plan)[name] for name in chain))
    assert run(plan.steps(Log())).seconds == pytest.approx(ideal, rel=1e-9)


@settings(deadline=None, max_examples=100)
@given(plan=plans(most=20, resources=False), slots=st.integers(1, 4))
def test_no_slot_is_idle_while_a_step_could_run(plan: Plan, slots: int) -> None:
    """Graham's bound, which holds for every schedule that never idles needlessly."""
    path, _ = Graph(plan.steps(Log())).critical_path(seconds_of(plan))
    took = run(plan.steps(Log()), limits=Limits(total=slots)).seconds
    assert took <= sum(plan.seconds) / slots + path * (1 - 1 / slots) + 1e-6


@pytest.mark.parametrize("slots", [2, 4, 8])
def test_with_few_slots_the_longest_remaining_path_goes_first(slots: int) -> None:
    """Over ten graphs, near the bound that no schedule can beat."""
    took = bound = 0.0
    for seed in range(10):
        plan = random_plan(seed, 100)
        seconds = seconds_of(plan)
        steps = [
            timed(s.name, seconds[s.name], *s.needs, expected_s=seconds[s.name])
            for s in plan.steps(Log())
        ]
        path, _ = Graph(steps).critical_path(seconds)
        took += run(steps, limits=Limits(total=slots)).seconds
        bound += max(path, sum(plan.seconds) / slots)
    assert took <= bound * 1.05


def test_expected_seconds_decide_who_goes_first() -> None:
    """The start of the longest path, though it is the last in the list."""
    log = Log()
    run(
        [
            timed("c", 1, log=log, expected_s=1),
            timed("b", 1, log=log, expected_s=5),
            timed("a", 1, log=log, expected_s=2),
            timed("after a", 1, "a", log=log, expected_s=9),
        ],
        limits=Limits(total=1),
    )
    assert log.finished == ["a", "after a", "b", "c"]


def test_without_expectations_the_count_of_what_waits_decides() -> None:
    """However indirectly it waits; of equals, the first in the list."""
    log = Log()
    run(
        [
            timed("alone", 1, log=log),
            timed("alone too", 1, log=log),
            timed("of two", 1, log=log),
            timed("x", 1, "of two", log=log),
            timed("y", 1, "x", log=log),
        ],
        limits=Limits(total=1),
    )
    assert log.finished == ["of two", "x", "alone", "alone too", "y"]


def test_a_step_that_cannot_have_its_slot_keeps_no_other_waiting() -> None:
    """The second holder of the key waits; what is less urgent starts."""
    result = run(
        [
            timed("one", 5, resources=("gpu",), expected_s=9),
            timed("two", 5, resources=("gpu",), expected_s=8),
            timed("free", 1, expected_s=1),
        ],
        limits=Limits(total=2, resources={"gpu": 1}),
    )
    started = {name: step.started_s for name, step in result.steps.items()}
    assert started == {"one": 0, "two": 5, "free": 0}


class TestGrowth:
    """A plan says what is to be built."""

    def test_a_plan_grows_steps_that_get_its_result(self) -> None:
        """They may need each other, the plan, and any other step."""
        log = Log()

        async def plan(context: StepContext) -> list[str]:
            await asyncio.sleep(1)
            return ["a", "b"]

        def grow(names: list[str]) -> list[Step]:
            made = [timed(n, 2, "plan", "scout", log=log) for n in names]
            return [*made, timed("review", 1, *names, log=log)]

        result = run(
            [
                timed("scout", 2, phase=Phase.SCOUT, log=log),
                Step(name="plan", phase=Phase.PLAN, handler=plan, grow=grow),
            ]
        )
        assert list(result.steps) == ["scout", "plan", "a", "b", "review"]
        assert log.finished == ["scout", "a", "b", "review"]
        given = {"plan": ["a", "b"], "scout": result.results["scout"]}
        assert result.results["a"] == result_of("a", given)
        assert result.seconds == 5

    def test_plans_may_grow_plans(self) -> None:
        """As deep as they like, up to most_steps."""

        def grow(result: dict[str, Any]) -> list[Step]:
            name = result["name"]
            return [timed(name + "+", 1, phase=Phase.PLAN, grow=grow)] * (
                len(name) < 5 or name.startswith("x")
            )

        deep = run([timed("p", 1, phase=Phase.PLAN, grow=grow)])
        assert list(deep.steps) == ["p", "p+", "p++", "p+++", "p++++"]
        endless = run([timed("x", 1, phase=Phase.PLAN, grow=grow)], most_steps=50)
        assert endless.status == "failed"
        assert "a workflow cannot have 51 steps" in endless.failed[0].error

    @pytest.mark.parametrize(
        ("grown", "said"),
        [
            ([timed("plan", 1)], "'plan' is there twice"),
            ([timed("a", 1, "b")], "needs 'b', which is unknown"),
            ([timed("a", 1, "b"), timed("b", 1, "a")], "in a circle"),
            ([timed("a", 1, resources=("gpu",))], "'gpu', which is unknown"),
            (["a"], "'a' is no step"),
            (None, "could not make steps of its result"),
        ],
    )
    def test_what_grows_is_checked_like_any_step(self, grown: Any, said: str) -> None:
        """Nothing of it is run, the plan has failed, and it is not made again."""
        log = Log()
        result = run(
            [
                timed(
                    "plan",
                    1,
                    phase=Phase.PLAN,
                    grow=lambda _: grown,
                    log=log,
                    retry=Retry(attempts=3),
                )
            ]
        )
        assert result.status == "failed"
        assert list(result.steps) == ["plan"]
        assert said in result.steps["plan"].error
        assert log.calls == {"plan": 1}

    def test_what_has_grown_changes_who_is_urgent(self) -> None:
        """A step gets ahead of others when grown steps wait for it."""
        log = Log()

        def grow(_: object) -> list[Step]:
            return [timed("join", 1, "late", log=log)]

        run(
            [
                timed("plan", 1, phase=Phase.PLAN, grow=grow, log=log, expected_s=9),
                timed("early", 1, log=log),
                timed("late", 1, log=log),
            ],
            limits=Limits(total=1),
        )
        assert log.finished == ["plan", "late", "early", "join"]


def test_the_example_of_the_package_runs() -> None:
    """As it stands in the docstring, on a real event loop."""
    text = inspect.getdoc(coordinator) or ""
    names: dict[str, Any] = {}
    exec(textwrap.dedent(text.split("::\n", 1)[1]), names)  # noqa: S102 - our own
    assert names["result"].results == {
        "scout": ["a.py", "b.py"],
        "plan": ["a.py", "b.py"],
        "build a.py": "build a.py is done",
        "build b.py": "build b.py is done",
    }


def test_the_table_of_contents_is_complete() -> None:
    """Every public name, and no other."""
    public = {
        name
        for name, value in vars(coordinator).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert set(coordinator.__all__) == public
