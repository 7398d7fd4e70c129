"""The benchmark of detectors counts as it says, and its aims hold on a small sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetspan_collector.processors.finding import Finding, Severity
from tests.benchmarks._detection_naive import ORIGINAL, Alarms
from tests.benchmarks._detection_runs import Healthy, bases
from tests.benchmarks._detection_scores import (
    Found,
    Score,
    located,
    really_missed,
    score_case,
    score_healthy,
)
from tests.benchmarks.detection import Detection, detect, main, missed_aims
from tests.collector_processor.processors.building import Building
from tests.faults.inject import FAULTS
from tests.faults.loading import OWN
from tests.faults.truth import Case, Truth


def _found(location: str = "here", **given: object) -> Finding:
    fields: dict[str, object] = {"severity": Severity.LOW, "what": "", "advice": ""}
    return Finding(location=location, **{**fields, **given})  # type: ignore[arg-type]


def _case(detector: str = "straggler", variant: str = "v", **truth: object) -> Case:
    building = Building()
    building.agent("main", 0, 10)
    building.agent("child", 1, 9, parent="main")
    for number in range(4):
        building.call("main", number, 1, call_id=f"c{number}")
        building.tool("child", number, 1, call_id=f"t{number}")
    run = building.run()
    fields: dict[str, object] = {"calls": frozenset(("c0", "c1")), "seconds": 10.0}
    planted = Truth(detector=detector, variant=variant, **{**fields, **truth})  # type: ignore[arg-type]
    return Case(origin="generated", healthy=run, faulty=run, truth=planted)


def _score(case: Case, found: Found, before: Found | None = None) -> dict[str, Score]:
    scores = {name: Score() for name in (*found, case.truth.detector)}
    score_case(scores, case, found, before or {})
    return scores


def test_half_of_the_evidence_has_to_lie_at_the_place() -> None:
    """Calls and tool calls decide; the first agent does where there are none."""
    case = _case(agents=frozenset(("child",)))
    assert located(case.faulty, _found(calls=(0, 1)), case.truth)
    assert located(case.faulty, _found(calls=(0, 3)), case.truth)
    assert not located(case.faulty, _found(calls=(0, 2, 3)), case.truth)
    assert located(case.faulty, _found(agents=(1, 0)), case.truth)
    assert not located(case.faulty, _found(agents=(0, 1)), case.truth)
    assert not located(case.faulty, _found(), case.truth)


def test_a_saving_is_held_against_the_truth() -> None:
    """Within 20 %; 12.1 s for 10 s is not; an unknown one is not either."""
    for seconds, within in ((12.0, 1), (8.0, 1), (12.1, 0), (None, 0)):
        finding = _found(calls=(0, 1), seconds=seconds, usd=0.0)
        score = _score(_case(), {"straggler": [finding]})["straggler"]
        assert (score.located, score.judged, score.within) == (1, 1, within), seconds
    assert score.errors["seconds"] == [float("inf")]


def test_findings_that_share_evidence_save_once() -> None:
    """The larger one counts; what has evidence of its own is added."""
    findings = [
        _found("a", calls=(0,), seconds=6.0, usd=0.0),
        _found("b", calls=(0, 1), seconds=3.0, usd=0.0),
        _found("c", calls=(1,), seconds=4.0, usd=0.0),
    ]
    score = _score(_case(), {"straggler": findings[:2]})["straggler"]
    assert score.errors["seconds"] == [pytest.approx(0.4)]
    apart = [findings[0], findings[2]]
    score = _score(_case(), {"straggler": apart})["straggler"]
    assert score.errors["seconds"] == [0.0]


def test_what_could_be_saved_before_is_no_part_of_the_fault() -> None:
    """A saving at the same place without the fault is taken off the prediction."""
    now = _found(calls=(0, 1), seconds=13.0, usd=0.0)
    before = _found(calls=(0,), seconds=3.0, usd=0.0)
    score = _score(_case(), {"straggler": [now]}, {"straggler": [before]})["straggler"]
    assert score.errors["seconds"] == [0.0]


def test_a_finding_of_what_was_not_planted_is_wrong() -> None:
    """Unless it was there before, or the fault implies it; elsewhere is wrong too."""
    case = _case("retry_storm", "tool")
    found = {
        "retry_storm": [_found(calls=(2, 3))],
        "no_progress_loop": [_found()],
        "context_growth": [_found("new"), _found("old")],
    }
    scores = _score(case, found, {"context_growth": [_found("old")]})
    assert dict(scores["retry_storm"].wrong) == {"elsewhere": 1}
    assert dict(scores["retry_storm"].missed) == {"tool in generated": 1}
    assert dict(scores["no_progress_loop"].wrong) == {}
    assert dict(scores["context_growth"].wrong) == {"retry_storm/tool": 1}
    assert scores["context_growth"].precision == 0.0
    assert scores["retry_storm"].recall == 0.0


def test_a_miss_that_the_tokens_tell_of_is_no_false_alarm() -> None:
    """Less than half of a prefix of over 4,000 tokens read: the cache did miss."""
    building = Building()
    building.agent("main", 0, 10)
    for at, fresh, read in ((0, 6_000, 0), (1, 500, 6_000), (2, 7_000, 0)):
        tokens = {"InputTokens": fresh, "CacheReadTokens": read, "CacheWriteTokens": 0}
        building.call("main", at, 1, **tokens)  # type: ignore[arg-type]
    healthy = Healthy(origin="mini_swe", run=building.run())
    assert really_missed(healthy.run, _found(calls=(2,)))
    assert not really_missed(healthy.run, _found(calls=(1,)))
    scores = {"broken_cache": Score(), "straggler": Score()}
    right = {"broken_cache": [_found(calls=(2,))], "straggler": []}
    assert score_healthy(scores, healthy, right) == []
    wrong = {"broken_cache": [_found(calls=(1,))], "straggler": [_found()]}
    assert score_healthy(scores, healthy, wrong) == ["broken_cache", "straggler"]
    assert dict(scores["broken_cache"].healthy) == {"mini_swe": 1}


def test_an_aim_that_is_missed_is_named() -> None:
    """Precision, recall, place, savings and false alarms, each with its aim."""
    score = Score(planted=10, noticed=10, located=8, judged=8, within=4)
    score.errors["seconds"] = [0.3, 0.4, 0.5]
    score.wrong["mini_swe"] = 2
    score.healthy["mini_swe"] = 2
    counted = Detection(scores={"straggler": score}, original={})
    counted.healthy["mini_swe"] = 10
    counted.any_wrong["mini_swe"] = 2
    assert missed_aims(counted)[:6] == [
        "straggler: precision 0.800, aim 0.9",
        "straggler: recall 0.800, aim 0.9",
        "straggler: place right 0.800, aim 0.9",
        "straggler: median error 0.400, aim 0.2",
        "straggler: savings within 20 % 0.500, aim 0.8",
        "straggler: false alarms 0.200, aim 0.05",
    ]
    assert "any false alarm: 0.200 of real runs, aim 0.1" in missed_aims(counted)


def test_rules_of_the_original_system() -> None:
    """Each alarms where its threshold is passed, and not below it."""
    quiet = Building()
    quiet.agent("main", 0, 100)
    for name, end in (("a", 20), ("b", 21), ("c", 22)):
        quiet.agent(name, 0, end, parent="main")
        quiet.tool(name, 1, 2, ArgumentsHash=name)
    loud = Building()
    loud.agent("main", 0, 100)
    for name, start in (("a", 0), ("b", 35), ("c", 70)):
        loud.agent(name, start, start + 30, parent="main")
        loud.tool(name, start, 12, ArgumentsHash="same", Success=0)
    quiet_run, loud_run = quiet.run(), loud.run()
    assert {name: rule(quiet_run) for name, rule in ORIGINAL.items()} == {
        "dominating_step": False,
        "serialised_subagents": False,
        "slower_than_usual": False,
        "no_progress_loop": False,
        "failing_tool": False,
    }
    assert all(rule(loud_run) for rule in ORIGINAL.values())
    alarms = Alarms(planted=4, right=3, others=12, wrong=9)
    assert (alarms.precision, alarms.recall, alarms.always) == (0.25, 0.75, 0.25)


@pytest.mark.slow
def test_the_aims_hold_on_a_small_sample() -> None:
    """Of six faults of each kind five are found, and of twenty findings one is wrong."""
    counted = detect(bases(20_261_126, OWN, with_captures=False), faults=6)
    assert list(counted.scores) == list(FAULTS)
    for name, score in counted.scores.items():
        assert score.planted == 6, name
        assert score.located >= 5, (name, dict(score.missed))
        assert sum(score.wrong.values()) <= 1, (name, score.sentences)
        if score.judged:
            assert score.median_error is not None
            assert score.median_error <= 0.2, (name, score.off)
    assert sum(counted.any_wrong[origin] for origin in ("mini_swe", "capture")) <= 1


@pytest.mark.slow
def test_the_table_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for every detector, and a file with every number behind it."""
    arguments = ["--runs", str(OWN), "--faults", "1", "--no-captures"]
    assert main([*arguments, "--json", str(tmp_path)]) in (0, 1)
    printed = capsys.readouterr().out
    assert all(f"\n  {name} " in printed for name in FAULTS)
    assert (tmp_path / "detection-full.json").exists()
