"""Which runs are planned."""

from collections import Counter
from typing import Any

import pytest

from fleetspan_collector.demo._plan import FEWEST_RUNS, SPECIALS, RunPlan, plan_fleet

NOW_NS = 1_800_000_000_000_000_000


def plan(runs: int, *, seed: int = 1, demo_id: str = "d1") -> list[RunPlan]:
    """Return the planned runs of all processes."""
    by_process = plan_fleet(runs, seed=seed, demo_id=demo_id, now_ns=NOW_NS)
    return [each for of_process in by_process.values() for each in of_process]


def shape(plans: list[RunPlan]) -> list[Any]:
    """Return what does not depend on the demo's own id."""
    return [(each.kind, each.seed, each.start_ns, each.user) for each in plans]


@pytest.mark.parametrize("runs", [FEWEST_RUNS, 17, 200])
def test_number(runs):
    """As many runs as asked for, exactly one of each oddity among them."""
    plans = plan(runs)
    assert len(plans) == runs
    odd = Counter(each.special for each in plans if each.special)
    assert odd == dict.fromkeys(SPECIALS, 1)
    assert len(SPECIALS) == 10


def test_every_kind():
    """The smallest demo has each kind of ordinary run, one with a process of its own."""
    plans = plan(FEWEST_RUNS)
    assert {each.kind for each in plans if not each.special} == {
        "review-pull-request",
        "fix-issue",
        "research-question",
        "summarise-inbox",
        "answer-ticket",
        "migrate-module",
    }
    assert [each.kind for each in plans if each.in_process] == ["migrate-module"]


def test_seed():
    """The same seed plans the same runs, another seed others."""
    assert shape(plan(50)) == shape(plan(50, demo_id="d2"))
    assert shape(plan(50)) != shape(plan(50, seed=2))


def test_sessions():
    """Some conversations have several runs, and no two demos share one."""
    sessions = Counter(each.session for each in plan(200))
    assert max(sessions.values()) >= 3
    assert sessions.keys().isdisjoint(
        {each.session for each in plan(200, demo_id="d2")}
    )


def test_times():
    """Runs are spread over the last hours, and none begins in the future."""
    starts = [each.start_ns for each in plan(200)]
    assert max(starts) < NOW_NS
    assert NOW_NS - min(starts) > 4 * 3600 * 10**9


@pytest.mark.parametrize("runs", [FEWEST_RUNS, 40, 200])
def test_release(runs):
    """Half of the ordinary runs are of the new version, and so are all odd ones, later."""
    plans = plan(runs)
    ordinary = [each for each in plans if not each.special]
    assert sum(each.released for each in ordinary) == (len(ordinary) + 1) // 2
    first = min(each.start_ns for each in plans if each.released)
    assert all(each.released for each in plans if each.special)
    assert all(each.start_ns < first for each in plans if not each.released)
