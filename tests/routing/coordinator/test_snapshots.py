"""What is kept on the disk, and how a workflow is resumed from it."""

from __future__ import annotations

import asyncio
import enum
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_routing.coordinator import (
    OnFailure,
    OtherGraphError,
    Phase,
    ResultError,
    Retry,
    Step,
    StepContext,
    Workflow,
)
from fleetspan_routing.coordinator import snapshot as snapshots
from tests.routing.coordinator import virtual_time
from tests.routing.coordinator.workflows import (
    Log,
    Plan,
    plans,
    resume,
    run,
    timed,
    workflow,
)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), plan=plans(resources=False), policy=st.sampled_from(OnFailure))
def test_resumed_after_failing_at_any_step_nothing_runs_twice(
    data: st.DataObject, plan: Plan, policy: OnFailure
) -> None:
    """And the results are those of a run in which nothing fails."""
    names = list(plan.expected())
    fails = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    log = Log()
    work = workflow(plan.steps(log, fails), on_failure=policy)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.json"
        assert run(work, path).status == "failed"
        finished = list(log.finished)
        fails.clear()
        result = resume(work, path)
        assert result.status == "completed"
        assert result.results == plan.expected()
        assert sorted(log.finished) == sorted(names)
        assert log.early == []
        restored = [name for name, step in result.steps.items() if step.restored]
        assert sorted(restored) == sorted(finished)
        # Once more: there is nothing left to do.
        assert resume(work, path).results == plan.expected()
        assert sorted(log.finished) == sorted(names)


@settings(deadline=None, max_examples=40)
@given(plan=plans(resources=False), at=st.integers(0, 40))
def test_resumed_after_a_cancellation_at_any_moment(plan: Plan, at: int) -> None:
    """What had finished by then is not run again."""
    log = Log()
    work = workflow([*plan.steps(log), timed("long", 50, log=log)])

    async def cancelled(path: Path) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(work.run(snapshot_path=path))
        # Steps that end at the same moment may be on either side of it.
        loop.call_at(at + 0.5, task.cancel)
        await asyncio.wait([task])
        assert task.cancelled()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.json"
        virtual_time.run(cancelled(path))
        assert snapshots.read(path).status == "cancelled"
        result = resume(work, path)
    assert sorted(log.finished) == sorted([*plan.expected(), "long"])
    assert {n: r for n, r in result.results.items() if n != "long"} == plan.expected()


def grown_workflow(log: Log, fails: list[str], more: tuple[str, ...] = ()) -> Workflow:
    """Return a workflow whose plan makes two steps and a plan, which makes another."""

    def last(_: object) -> list[Step]:
        return [timed("last", 1, "x", "y", log=log, fails=fails)]

    def grow(_: object) -> list[Step]:
        made = [timed(n, 1, "plan", log=log, fails=fails) for n in ("x", "y", *more)]
        planner = timed("plan 2", 1, "x", phase=Phase.PLAN, log=log, grow=last)
        return [*made, planner]

    planner = timed("plan", 1, phase=Phase.PLAN, log=log, fails=fails, grow=grow)
    return workflow([planner])


@pytest.mark.parametrize("broken", ["plan", "x", "y", "last"])
def test_what_has_grown_is_there_again(broken: str, tmp_path: Path) -> None:
    """Plans are not made twice; the steps of a plan that is made are."""
    path = tmp_path / "state.json"
    plain = virtual_time.run(grown_workflow(Log(), []).run())
    log, fails = Log(), [broken]
    assert run(grown_workflow(log, fails), path).status == "failed"
    fails.clear()
    result = resume(grown_workflow(log, fails), path)
    assert result.results == plain.results
    assert list(result.steps) == list(plain.steps)
    assert sorted(log.finished) == sorted(plain.steps)
    if broken != "plan":
        with pytest.raises(OtherGraphError) as caught:
            resume(grown_workflow(log, [], more=("z",)), path)
        assert caught.value.differences == (
            "plan 'plan': step 'z' is not in the snapshot",
        )


def test_an_optional_failure_that_was_used_is_not_mended(tmp_path: Path) -> None:
    """Else what ran without its result would not fit to what is there later."""
    path = tmp_path / "state.json"
    log = Log()
    fails = ["used", "unused", "end"]
    work = workflow(
        [
            timed("used", 1, log=log, fails=fails, required=False),
            timed("unused", 1, log=log, fails=fails, required=False),
            timed("middle", 1, "used", log=log),
            timed("end", 1, "middle", "unused", log=log, fails=fails),
        ]
    )
    assert run(work, path).status == "failed"
    fails.clear()
    result = resume(work, path)
    assert log.calls == {"used": 1, "unused": 2, "middle": 1, "end": 2}
    used = result.steps["used"]
    assert (used.status, used.error, used.restored) == (
        "failed",
        "RuntimeError: used is broken",
        True,
    )
    assert result.steps["unused"].status == "completed"
    assert result.status == "completed"


class TestOtherGraphs:
    """A snapshot of another workflow is refused, with every difference."""

    def taken(self, path: Path) -> None:
        """Leave an unfinished snapshot."""
        steps = [timed("a", 1), timed("b", 1, "a", fails=["b"]), timed("c", 1, "b")]
        run(workflow(steps), path)

    @pytest.mark.parametrize(
        ("name", "steps", "differences"),
        [
            ("other", [("a",), ("b", "a"), ("c", "b")], ["it is of workflow 'test'"]),
            ("test", [("a",), ("b", "a")], ["step 'c' is only in the snapshot"]),
            (
                "test",
                [("a",), ("b", "a"), ("c", "b"), ("d",)],
                ["step 'd' is not in the snapshot"],
            ),
            (
                "test",
                [("a",), ("b",), ("c", "a", "b")],
                [
                    "step 'b': needs is ['a'] in the snapshot, [] here",
                    "step 'c': needs is ['b'] in the snapshot, ['a', 'b'] here",
                ],
            ),
        ],
    )
    def test_each_difference_is_named(
        self,
        name: str,
        steps: list[tuple[str, ...]],
        differences: list[str],
        tmp_path: Path,
    ) -> None:
        """Names, steps and needs."""
        path = tmp_path / "state.json"
        self.taken(path)
        before = path.read_bytes()
        work = Workflow(
            name=name, steps=[timed(step[0], 1, *step[1:]) for step in steps]
        )
        with pytest.raises(OtherGraphError) as caught:
            resume(work, path)
        assert len(caught.value.differences) == len(differences)
        for found, expected in zip(caught.value.differences, differences, strict=True):
            assert expected in found
        assert path.read_bytes() == before

    def test_phase_and_version_make_another_step(self, tmp_path: Path) -> None:
        """A version is how a user says that a step does something else now."""
        path = tmp_path / "state.json"
        self.taken(path)
        steps = [
            timed("a", 1, version="2"),
            timed("b", 1, "a", phase=Phase.SCOUT),
            timed("c", 1, "b"),
        ]
        with pytest.raises(OtherGraphError, match="version is '' in the snapshot, '2'"):
            resume(workflow(steps), path)

    def test_order_timeouts_limits_and_policy_may_change(self, tmp_path: Path) -> None:
        """They are what is changed before another try."""
        path = tmp_path / "state.json"
        self.taken(path)
        steps = [
            timed("c", 1, "b", required=False),
            timed("b", 1, "a", timeout_s=9),
            timed("a", 1, resources=()),
        ]
        work = workflow(steps, on_failure=OnFailure.CONTINUE)
        assert resume(work, path).status == "completed"


class Colour(enum.IntEnum):
    """A number with a name."""

    RED = 1


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("result", "because"),
    [
        ({1, 2}, "the result is a set"),
        ({"a": [0, (1,)]}, "the result['a'][1] is a tuple"),
        ({1: "a"}, "the result has the key 1, which is no text"),
        ([float("nan")], "the result[0] is nan"),
        (b"bytes", "the result is a bytes"),
        (CIRCLE, "contains itself"),
        ([10**5000], "JSON cannot hold it"),
    ],
)
def test_a_result_that_json_would_change_fails_its_step(
    result: object, because: str, tmp_path: Path
) -> None:
    """At once, so that nothing is built on what could not be resumed; no retry."""

    async def handler(context: StepContext) -> object:
        return result

    retry = Retry(attempts=3)
    step = Step(name="a", phase=Phase.SCOUT, handler=handler, retry=retry)
    outcome = run(workflow([step]), tmp_path / "state.json").steps["a"]
    assert isinstance(outcome.exception, ResultError)
    assert because in str(outcome.exception)
    assert outcome.attempts == 1
    # Without a snapshot anything may be returned.
    free = virtual_time.run(workflow([step]).run())
    assert free.results["a"] is result


@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_what_is_kept_is_read_as_it_was(value: object) -> None:
    """Any text, number, list and dictionary."""
    assert json.loads(snapshots.encoded("a", value)) == value
    assert json.loads(snapshots.encoded("a", Colour.RED)) == Colour.RED


def test_a_result_is_kept_as_it_was_returned(tmp_path: Path) -> None:
    """What a later step does to it changes nothing in the snapshot."""
    path = tmp_path / "state.json"

    async def spoil(context: StepContext) -> None:
        context.results["a"]["name"] = "spoilt"
        raise OSError("and fails")

    steps = [
        timed("a", 1),
        Step(name="b", phase=Phase.BUILD, handler=spoil, needs=("a",)),
    ]
    run(workflow(steps), path)
    assert snapshots.read(path).steps["a"].result["name"] == "a"


def test_the_document(tmp_path: Path) -> None:
    """Readable by itself: format, version, fingerprint, and every step."""
    path = tmp_path / "state.json"
    run(
        workflow([timed("b", 1, "a", fails=["b"]), timed("a", 1), timed("c", 1, "b")]),
        path,
    )
    document = json.loads(path.read_text())
    assert document.pop("saved_at").endswith("Z")
    assert len(document.pop("fingerprint")) == 64
    assert {key: document[key] for key in document if key != "steps"} == {
        "format": "fleetspan.workflow",
        "version": 1,
        "workflow": "test",
        "status": "failed",
    }
    assert document["steps"]["b"] == {
        "phase": "build",
        "needs": ["a"],
        "version": "",
        "grown_by": None,
        "status": "failed",
        "attempts": 1,
        "error": "RuntimeError: b is broken",
        "result": None,
    }
    assert [step["status"] for step in document["steps"].values()] == [
        "failed",
        "completed",
        "skipped",
    ]
    assert os.listdir(tmp_path) == ["state.json"]
    assert path.stat().st_mode & 0o777 == 0o600
