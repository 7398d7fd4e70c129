"""What detectors found, held against what was planted."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.processor import Processor
from fleetspan_collector.processors.run import Run
from tests.benchmarks._detection_runs import Healthy
from tests.faults.truth import Case, Measure, Truth

IMPLIED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    # The same call of a tool fails again and again: nothing is gained by it, either.
    ("retry_storm", "tool"): ("no_progress_loop",),
}
"""Faults that really are another one too: by fault and variant."""

_RIGHT: Final = 0.5
"""Share of a finding's evidence that has to lie at the planted place."""

WITHIN: Final = 0.2
_LEAST: Final[Mapping[Measure, float]] = {"seconds": 1.0, "usd": 0.002}
"""Differences that nobody minds."""

_REUSABLE_TOKENS: Final = 4_000
_SENTENCES: Final = 20


@dataclass(slots=True, kw_only=True)
class Score:
    """How a detector did.

    Attributes:
        planted: Runs in which its fault was planted.
        noticed: Those in which it found anything that was not there before.
        located: Those in which it found the fault at its place.
        wrong: Findings of what was not planted, by where: the fault that was, or the
            origin of a healthy run.
        judged: Located faults whose saving is held against the truth.
        within: Those whose predicted savings are all within 20 %.
        errors: Relative errors of all predictions, by measure.
        missed: What was not found: variant and origin.
        off: Predictions that are not within 20 %.
        sentences: What wrong findings say, with where; the first few.
        healthy: Healthy runs with a finding that is false, by origin.
    """

    planted: int = 0
    noticed: int = 0
    located: int = 0
    wrong: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    judged: int = 0
    within: int = 0
    errors: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    missed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    off: list[dict[str, object]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    healthy: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def count_wrong(self, where: str, findings: Sequence[Finding]) -> None:
        """Count findings of what is not there."""
        self.wrong[where] += len(findings)
        for each in findings[: _SENTENCES - len(self.sentences)]:
            self.sentences.append(f"{where}: {each.what}")

    @property
    def precision(self) -> float | None:
        """Of what it said, how much was so; None when it said nothing."""
        said = self.located + sum(self.wrong.values())
        return self.located / said if said else None

    @property
    def recall(self) -> float | None:
        """Of what was planted, how much it found at its place."""
        return self.located / self.planted if self.planted else None

    @property
    def location(self) -> float | None:
        """Of the runs in which it noticed something, how often the place was right."""
        return self.located / self.noticed if self.noticed else None

    @property
    def median_error(self) -> float | None:
        """Median of the relative errors of predicted savings."""
        errors = [error for each in self.errors.values() for error in each]
        return statistics.median(errors) if errors else None

    @property
    def share_within(self) -> float | None:
        """Share of located faults whose savings are within 20 % of the truth."""
        return self.within / self.judged if self.judged else None


Found = Mapping[str, Sequence[Finding]]


def findings_of(processors: Mapping[str, Processor], run: Run) -> Found:
    """Return what each processor finds in a run, the live ones alone in an open run."""
    return {
        name: list(processor.findings(run))
        for name, processor in processors.items()
        if processor.live or not run.facts.open
    }


def score_case(
    scores: Mapping[str, Score], case: Case, found: Found, before: Found
) -> None:
    """Count what was found in a run with a fault.

    Args:
        scores: By detector; counted up.
        case: The run.
        found: What was found in it.
        before: What was found in the same run without the fault: not of the fault's
            making, and counted where healthy runs are.
    """
    truth = case.truth
    for name, score in scores.items():
        known = {each.location: each for each in before.get(name, ())}
        if name == truth.detector:
            _score_planted(score, case, found.get(name, ()), known)
            continue
        new = [
            each
            for each in found.get(name, ())
            if each.location not in known and not _so(case, name, each)
        ]
        if new:
            score.count_wrong(f"{truth.detector}/{truth.variant}", new)


def score_healthy(
    scores: Mapping[str, Score], healthy: Healthy, found: Found
) -> list[str]:
    """Count what was found in a healthy run; return the detectors that were wrong."""
    wrong = []
    for name, findings in found.items():
        false = [
            each
            for each in findings
            if name != "broken_cache" or not really_missed(healthy.run, each)
        ]
        if false:
            scores[name].count_wrong(healthy.origin, false)
            scores[name].healthy[healthy.origin] += 1
            wrong.append(name)
    return wrong


def really_missed(run: Run, finding: Finding) -> bool:
    """Whether the calls of a finding did miss the cache, by their own token counts.

    Real runs are not free of cache misses, and say so themselves: a call that read less
    than half of what the call before it was given, if that was more than 4,000 tokens.
    """
    calls = run.llm_calls
    read = calls.floats("CacheReadTokens")
    given = calls.floats("InputTokens") + read + calls.floats("CacheWriteTokens")
    missed = 0
    for row in finding.calls:
        earlier = (run.tree.call_agent[:row] == run.tree.call_agent[row]).nonzero()[0]
        prefix = given[earlier[-1]] if len(earlier) else 0.0
        missed += bool(prefix > _REUSABLE_TOKENS and read[row] < prefix / 2)
    return bool(finding.calls) and missed / len(finding.calls) >= 0.9


def located(run: Run, finding: Finding, truth: Truth) -> bool:
    """Whether a finding's evidence lies at the planted place.

    Of the calls and tool calls that it names, half at least; where it names none, the
    agent that it names first, which is the one that it is about.
    """
    calls = _ids(run.llm_calls.strings("CallId"), finding.calls)
    tools = _ids(run.tool_calls.strings("ToolCallId"), finding.tools)
    leaves = [(calls, truth.calls), (tools, truth.tools)]
    evidence = sum(len(ids) for ids, place in leaves if place)
    if evidence:
        right = sum(len(ids & place) for ids, place in leaves)
        return right / evidence >= _RIGHT
    return _about(run, finding) in truth.agents


def _about(run: Run, finding: Finding) -> str:
    if not finding.agents:
        return ""
    return str(run.agents.strings("AgentId")[finding.agents[0]])


def _ids(ids: Iterable[str], rows: Iterable[int]) -> frozenset[str]:
    known = list(ids)
    return frozenset(known[row] for row in rows)


def _score_planted(
    score: Score, case: Case, found: Sequence[Finding], known: Mapping[str, Finding]
) -> None:
    truth = case.truth
    right = [each for each in found if located(case.faulty, each, truth)]
    elsewhere = [
        each for each in found if each not in right and each.location not in known
    ]
    score.planted += 1
    score.noticed += bool(right or elsewhere)
    if elsewhere:
        score.count_wrong("elsewhere", elsewhere)
    if not right:
        score.missed[f"{truth.variant} in {case.origin}"] += 1
        return
    score.located += 1
    if truth.judged:
        score.judged += 1
        # What was to be saved at the same place before is not of the fault's making.
        there = [known[each.location] for each in right if each.location in known]
        score.within += _savings_right(score, right, there, case)


def _savings_right(
    score: Score, right: Sequence[Finding], before: Sequence[Finding], case: Case
) -> bool:
    truth = case.truth
    all_right = True
    for measure in truth.judged:
        wanted = truth.seconds if measure == "seconds" else truth.usd
        said = _saving(right, measure)
        known = said is not None
        predicted = (said or 0.0) - (_saving(before, measure) or 0.0)
        difference = abs(predicted - wanted) if known else math.inf
        if wanted > _LEAST[measure]:
            score.errors[measure].append(difference / wanted)
        if difference > max(WITHIN * wanted, _LEAST[measure]):
            all_right = False
            score.off.append(
                {
                    "variant": truth.variant,
                    "run": f"{case.origin}, {case.faulty.facts.name}",
                    "measure": measure,
                    "truth": wanted,
                    "predicted": predicted if known else None,
                }
            )
    return all_right


def _saving(findings: Sequence[Finding], measure: Measure) -> float | None:
    """What findings save together: of those that share evidence the largest counts."""
    known = [
        (saving, each)
        for each in findings
        if (saving := each.seconds if measure == "seconds" else each.usd) is not None
    ]
    counted: set[tuple[str, int]] = set()
    total = 0.0
    for saving, each in sorted(known, key=lambda pair: -pair[0]):
        evidence = {("call", row) for row in each.calls}
        evidence |= {("tool", row) for row in each.tools}
        evidence = evidence or {("agent", row) for row in each.agents}
        if counted.isdisjoint(evidence):
            total += saving
        counted |= evidence
    return total if known else None


def _so(case: Case, detector: str, finding: Finding) -> bool:
    """Whether a finding of another detector than the fault's is right all the same."""
    truth = case.truth
    if detector in IMPLIED.get((truth.detector, truth.variant), ()):
        return True
    if detector == "broken_cache" and case.origin != "generated":
        return really_missed(case.faulty, finding)
    return False
