"""Faults are found when they come as OTLP, through derivation, store and worker process.

The same runs are looked at in memory: the store has to say the same of each, of healthy
ones nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from fleetspan_collector.processors.critical_path import path_of
from fleetspan_collector.processors.row_layouts import SECONDS
from fleetspan_collector.processors.run import Run
from tests.collector_processor.claude_code import captures
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.processors.analysing import Analysing
from tests.faults import layout
from tests.faults.as_otlp import Style, Told
from tests.faults.captured import HEALTHY
from tests.faults.healthy import KINDS
from tests.faults.history import baselines_of
from tests.faults.inject import FAULTS
from tests.faults.plan import Plan
from tests.faults.store_cases import (
    HOUR_NS,
    ended_cases,
    healthy_plan,
    left_cases,
    open_cases,
)
from tests.faults.through_the_store import (
    Said,
    in_memory,
    in_store,
    looked_at,
    pairs,
    take,
)
from tests.faults.truth import Truth

pytestmark = [pytest.mark.integration, pytest.mark.slow]

_PAST_RUNS: Final = 40
_PAST_HOURS: Final = 6
_USUAL: Final = ("coder", "research")
_OF_EACH: Final = 2
_LONG_S: Final = 86_400.0
_MOST_IDS: Final = 200
"""Ids of a kind that the row of a finding names."""

_ENDED: Final = tuple(
    name
    for name in FAULTS
    if name not in ("stuck_agent", "slower_than_usual", "broken_trace")
)
_OPEN: Final = ("stuck_agent", "no_progress_loop", "runaway_fanout")
_APART: Final = ("cycle of parents", "parent that never came")
"""Of spans alone, without a stated run, such agents come as a run of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Went:
    """A run that went through the store.

    Attributes:
        tenant: Whose it is.
        style: Who told of it.
        run: The run.
        truth: What was planted; None in healthy ones.
        told: What was told of it.
        memory: What is found in it in memory.
        store: What is found in it in the store.
    """

    tenant: str
    style: Style
    run: Run
    truth: Truth | None
    told: Told
    memory: list[Said]
    store: list[Said]


Given = tuple[str, Style, Run, Truth | None]


def _took(made: Analysing, given: list[Given]) -> list[Went]:
    """Take runs into the store; return what it says of each, and what memory does."""
    told = take(made, [(tenant, style, run) for tenant, style, run, _ in given])
    found, looked_ns = in_store(made), looked_at(made)
    went: list[Went] = []
    for (tenant, style, run, truth), each in zip(given, told, strict=True):
        key = (tenant, each.run_id)
        # What goes on lasts until it is looked at.
        now = dataclasses.replace(run.context, now_ns=looked_ns[key])
        memory = dataclasses.replace(run, context=now, _found={})
        went.append(
            Went(
                tenant=tenant,
                style=style,
                run=memory,
                truth=truth,
                told=each,
                memory=in_memory(memory, each),
                store=found.get(key, []),
            )
        )
    return went


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Embedded, Path]]:
    """A store for the module, and its folder."""
    folder = tmp_path_factory.mktemp("through")
    with embedded(folder) as opened:
        yield opened, folder


@pytest.fixture(scope="module")
def made(store: tuple[Embedded, Path]) -> Generator[Analysing]:
    """The store, with runs analysed that are left only after a day of silence."""
    opened = Analysing(*store, idle_timeout_s=_LONG_S)
    yield opened
    opened.scheduler.stop()


@pytest.fixture(scope="module")
def ended(made: Analysing) -> list[Went]:
    """Runs with and without faults that are over, each told of in both styles."""
    given: list[Given] = []
    for style in Style:
        for detector in _ENDED:
            for found in itertools.islice(ended_cases(detector), _OF_EACH):
                given.append((style.name, style, found.faulty, found.truth))
        for kind in KINDS:
            run = layout.run_of(healthy_plan("healthy", kind))
            given.append((style.name, style, run, None))
    return _took(made, given)


@pytest.fixture(scope="module")
def damaged(made: Analysing) -> list[Went]:
    """Runs with every kind of damage that OTLP can tell of."""
    wanted = {
        (style, variant)
        for style in Style
        for variant in ("1970 or 2100", "never ended", "clock skew", *_APART)
    }
    given: list[Given] = []
    for found in ended_cases("broken_trace"):
        for style in Style:
            if (style, found.truth.variant) in wanted:
                wanted.remove((style, found.truth.variant))
                tenant = f"damaged {style.name}"
                given.append((tenant, style, found.faulty, found.truth))
        if not wanted:
            break
    return _took(made, given)


@pytest.fixture(scope="module")
def going_on(made: Analysing) -> list[Went]:
    """Runs that go on, told of by start events, each of a tenant of its own."""
    given: list[Given] = []
    for detector in _OPEN:
        for number, found in enumerate(
            itertools.islice(open_cases(detector), _OF_EACH)
        ):
            tenant = f"{detector} {number}"
            given.append((tenant, Style.SDK, found.faulty, found.truth))
    return _took(made, given)


@pytest.fixture(scope="module")
def with_history(store: tuple[Embedded, Path]) -> Generator[list[Went]]:
    """Runs of fleets that have been there for some hours, slower ones and usual ones."""
    past = {kind: [layout.run_of(each) for each in _past(kind)] for kind in _USUAL}
    before = Analysing(*store, idle_timeout_s=_LONG_S)
    runs = itertools.chain.from_iterable(past.values())
    take(before, [(run.facts.name, Style.CONTENT, run) for run in runs])
    before.scheduler.stop()
    usual = {kind: baselines_of(runs) for kind, runs in past.items()}
    given: list[Given] = []
    for found in itertools.islice(ended_cases("slower_than_usual", usual), 6):
        run = found.faulty
        given.append((run.facts.name, Style.CONTENT, run, found.truth))
    for kind, number in itertools.product(_USUAL, range(3)):
        run = layout.run_of(healthy_plan(("usual", number), kind), usual[kind])
        given.append((run.facts.name, Style.CONTENT, run, None))
    # What is left of an hour's history is made at a start, or some seconds later.
    after = Analysing(*store, idle_timeout_s=_LONG_S)
    yield _took(after, given)
    after.scheduler.stop()


def _past(kind: str) -> Iterator[Plan]:
    for number in range(_PAST_RUNS):
        plan = healthy_plan(("past", number), kind)
        plan.start_ns -= (1 + number % _PAST_HOURS) * HOUR_NS
        yield plan


def _assert_same(went: Went) -> None:
    """The store says what memory says: of the same things, with the same savings."""
    for memory, store in pairs(went.memory, went.store):
        assert store.detector == memory.detector
        assert store.agent == memory.agent
        for name in ("agents", "calls", "tools"):
            ids, wanted = getattr(store, name), getattr(memory, name)
            assert ids <= wanted
            assert len(ids) == min(len(wanted), _MOST_IDS)
        assert store.seconds == pytest.approx(memory.seconds, rel=0.05, abs=0.5)
        assert store.usd == pytest.approx(memory.usd, rel=0.05, abs=0.0005)


def _assert_found(went: Went) -> None:
    """The planted detector is named, at the planted place."""
    truth = went.truth
    assert truth is not None
    named = [said for said in went.store if said.detector == truth.detector]
    assert any(said.lies_at(truth, went.told) for said in named), truth.variant


def _of(all_runs: list[Went], detector: str) -> list[Went]:
    found = [went for went in all_runs if went.truth]
    return [went for went in found if went.truth and went.truth.detector == detector]


@pytest.mark.parametrize("detector", _ENDED)
def test_a_run_that_is_over(ended: list[Went], detector: str) -> None:
    """Each fault is found at its place, with the savings that memory predicts."""
    runs = _of(ended, detector)
    assert len(runs) == _OF_EACH * len(Style)
    for went in runs:
        _assert_same(went)
        _assert_found(went)


def test_a_run_that_was_left(store: tuple[Embedded, Path]) -> None:
    """After the idle time as it is set by default, the agent that was left is named."""
    given: list[Given] = []
    for number, found in enumerate(itertools.islice(left_cases(), _OF_EACH)):
        given.append((f"left {number}", Style.SDK, found.faulty, found.truth))
    later = Analysing(*store)
    try:
        runs = _took(later, given)
    finally:
        later.scheduler.stop()
    for went in runs:
        _assert_same(went)
        _assert_found(went)
        assert [said.detector for said in went.store] == ["stuck_agent"]


@pytest.mark.parametrize("detector", _OPEN)
def test_a_run_that_goes_on(going_on: list[Went], detector: str) -> None:
    """Live detectors find the same while all that is known are start events."""
    runs = _of(going_on, detector)
    assert len(runs) == _OF_EACH
    for went in runs:
        _assert_same(went)
        _assert_found(went)


def test_slower_than_usual(with_history: list[Went]) -> None:
    """Runs are held against what the store has kept of the hours before."""
    runs = _of(with_history, "slower_than_usual")
    assert len(runs) == 6
    for went in runs:
        _assert_same(went)
        _assert_found(went)


def test_healthy_runs(ended: list[Went], with_history: list[Went]) -> None:
    """Nothing is said of healthy runs, whoever tells of them, with a history or without."""
    runs = [went for went in (*ended, *with_history) if went.truth is None]
    assert len(runs) == len(KINDS) * len(Style) + 6
    assert [said for went in runs for said in went.store] == []


def test_ledgers(ended: list[Went], made: Analysing) -> None:
    """The store's critical path has the seconds of each kind that memory finds."""
    rows = {(row["Tenant"], row["RunId"]): row for row in made.rows("run_analyses")}
    for went in ended:
        row, path = rows[went.tenant, went.told.run_id], path_of(went.run)
        assert row["SetAside"] == []
        assert row["WallSeconds"] == pytest.approx(path.wall_s, abs=1e-3)
        for kind, name in SECONDS.items():
            assert row[name] == pytest.approx(path.seconds[kind], abs=1e-3)


def test_damage(damaged: list[Went]) -> None:
    """Every kind of damage that OTLP can tell of is found, whoever tells of it."""
    assert len(damaged) == 5 * len(Style)
    for went in damaged:
        assert went.truth is not None
        if went.style is Style.SDK or went.truth.variant not in _APART:
            _assert_same(went)
            _assert_found(went)


def test_a_circle_of_spans(damaged: list[Went], made: Analysing) -> None:
    """Agents whose spans hang under each other are a run, which says so."""
    (went,) = [each for each in damaged if _is(each, "cycle of parents")]
    assert went.truth is not None
    found = made.findings("broken_trace", f"Tenant = '{went.tenant}'")
    named = [row for row in found if row["Details"]["kind"] == "cyclic_parents"]
    agents = {went.told.agents[each] for each in went.truth.agents}
    assert [set(row["AgentIds"]) for row in named] == [agents]
    assert named[0]["TraceId"] == went.told.trace_id


def test_a_parent_that_may_be_anybody(damaged: list[Went], made: Analysing) -> None:
    """An agent under a span that did not come is a run: it may be of a web server."""
    (went,) = [each for each in damaged if _is(each, "parent that never came")]
    assert went.truth is not None
    (orphan,) = [went.told.agents[each] for each in went.truth.agents]
    (run,) = made.rows("runs", f"RunId = '{went.told.trace_id}-{orphan}'")
    assert run["OrphanSpans"] == 1


def _is(went: Went, variant: str) -> bool:
    truth = went.truth
    return (
        went.style is Style.CONTENT and truth is not None and truth.variant == variant
    )


@pytest.mark.parametrize("name", [*captures.NAMES, *captures.SMALLER])
def test_captures(made: Analysing, name: str) -> None:
    """Of what Claude Code sent of healthy sessions nothing is said, and ledgers add up."""
    captures.take(made.store, captures.deliveries(name), tenant=f"capture {name}")
    made.analyse()
    of_tenant = f"Tenant = 'capture {name}'"
    rows = made.rows("run_analyses", of_tenant)
    assert rows
    for row in rows:
        assert row["SetAside"] == []
        parts = [row[column] for column in SECONDS.values()]
        assert sum(parts) == pytest.approx(row["WallSeconds"], abs=1e-3)
    if name in HEALTHY:
        assert made.rows("findings", of_tenant) == []
