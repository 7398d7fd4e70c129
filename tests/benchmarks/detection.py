"""Detectors: what they find of faults that were planted, and what in healthy runs.

::

    python -m tests.benchmarks.detection [--runs DIR] [--seed N] [--faults K] [--json DIR]

Faults of known place and cost are planted (``tests/faults``) into generated runs, runs of
mini-SWE-agent (``--runs``, or ``FLEETSPAN_MINI_SWE_RUNS``, else a dozen that come with
the repository) and Claude Code's captures. For each detector: precision over all its
findings in all runs (those with other faults and the healthy ones too), recall (found,
and at its place), the share of places that are right, the median relative error of
predicted savings and the share within 20 % (truth: the run laid out again without the
fault), and the share of healthy runs with a false alarm. Beside them: always saying yes,
saying so by chance as often as the detector does, and the original system's rule.

Exit code 1 when an aim is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.processor import Processor
from fleetspan_collector.processors.registry import PROCESSORS
from tests.benchmarks import _report
from tests.benchmarks._detection_naive import ORIGINAL, Alarms
from tests.benchmarks._detection_runs import Bases, bases, cases, healthy_runs
from tests.benchmarks._detection_scores import (
    IMPLIED,
    Found,
    Score,
    findings_of,
    score_case,
    score_healthy,
)
from tests.benchmarks._report import Result
from tests.benchmarks._scale import FULL, Scale
from tests.faults.inject import FAULTS

LEAST: Final = 0.9
"""Precision, recall and places right."""

MEDIAN_ERROR: Final = 0.2
LEAST_WITHIN: Final = 0.8
"""Share of predicted savings that are within 20 % of the truth."""

MOST_FALSE: Final = 0.05
MOST_ANY: Final = 0.10

_FAULTS: Final[Mapping[str, int]] = {"full": 40, "quick": 20, "tiny": 2}
_REAL: Final = ("mini_swe", "capture")
_MADE: Final = ("generated", "open")
_COLUMNS: Final = (
    "detector",
    "planted",
    "precision",
    "recall",
    "place right",
    "median error",
    "within 20 %",
    "false, made",
    "false, real",
    "always P",
    "chance R",
    "original P",
    "original R",
    "original false, real",
)


@dataclass(slots=True, kw_only=True)
class Detection:
    """Everything that was counted.

    Attributes:
        scores: By detector.
        original: Alarms of the original system's rules, by detector.
        healthy: Healthy runs by origin.
        any_wrong: Healthy runs with any false alarm, by origin.
        alarmed: Runs in which a detector said anything, by detector.
        runs: How many runs there were.
    """

    scores: dict[str, Score]
    original: dict[str, Alarms]
    healthy: Counter[str] = field(default_factory=Counter)
    any_wrong: Counter[str] = field(default_factory=Counter)
    alarmed: Counter[str] = field(default_factory=Counter)
    runs: int = 0

    def false_share(self, detector: str, origins: Sequence[str]) -> float | None:
        """Return the share of healthy runs in which a detector is wrong."""
        runs = sum(self.healthy[origin] for origin in origins)
        wrong = sum(self.scores[detector].healthy[origin] for origin in origins)
        return wrong / runs if runs else None

    def any_share(self, origins: Sequence[str]) -> float | None:
        """Return the share of healthy runs in which any detector is wrong."""
        runs = sum(self.healthy[origin] for origin in origins)
        return sum(self.any_wrong[each] for each in origins) / runs if runs else None


def detectors() -> dict[str, Processor]:
    """Return the detectors whose faults can be planted, with the settings' defaults."""
    settings = ProcessorSettings()
    return {name: PROCESSORS[name](settings) for name in FAULTS if name in PROCESSORS}


def detect(given: Bases, faults: int) -> Detection:
    """Plant faults, look at all runs with all detectors, and count.

    Args:
        given: Healthy runs to plant into.
        faults: Runs with each fault; twice as many healthy generated ones, half of them
            seen while they go on, and all real ones are the controls.
    """
    processors = detectors()
    counted = Detection(
        scores={name: Score() for name in processors},
        original={name: Alarms() for name in ORIGINAL},
    )
    for fault in FAULTS:
        for case in cases(given, fault, faults):
            found = findings_of(processors, case.faulty)
            before = findings_of(processors, case.healthy)
            score_case(counted.scores, case, found, before)
            _count(counted, found)
            for name, rule in ORIGINAL.items():
                implied = IMPLIED.get((fault, case.truth.variant), ())
                _alarm(counted.original[name], fault, rule(case.faulty), name, implied)
    for healthy in healthy_runs(given, max(faults, 10)):
        found = findings_of(processors, healthy.run)
        wrong = score_healthy(counted.scores, healthy, found)
        counted.healthy[healthy.origin] += 1
        counted.any_wrong[healthy.origin] += bool(wrong)
        _count(counted, found)
        for name, rule in ORIGINAL.items():
            alarms, alarmed = counted.original[name], rule(healthy.run)
            _alarm(alarms, "", alarmed, name, ())
            if healthy.origin in _REAL:
                alarms.real += 1
                alarms.real_wrong += alarmed
    return counted


def missed_aims(counted: Detection) -> list[str]:
    """Return a sentence for every aim that is missed."""
    missed = []
    for name, score in counted.scores.items():
        at_least = {
            "precision": score.precision,
            "recall": score.recall,
            "place right": score.location,
        }
        for what, value in at_least.items():
            if value is None or value < LEAST:
                missed.append(f"{name}: {what} {_shown(value)}, aim {LEAST}")
        error = score.median_error
        if score.judged and (error is None or error > MEDIAN_ERROR):
            aim = f"aim {MEDIAN_ERROR}"
            missed.append(f"{name}: median error {_shown(error)}, {aim}")
        within = score.share_within
        if within is not None and within < LEAST_WITHIN:
            aim = f"aim {LEAST_WITHIN}"
            missed.append(f"{name}: savings within 20 % {within:.3f}, {aim}")
        false = counted.false_share(name, _REAL)
        if false is not None and false > MOST_FALSE:
            missed.append(f"{name}: false alarms {false:.3f}, aim {MOST_FALSE}")
    anything = counted.any_share(_REAL)
    if anything is not None and anything > MOST_ANY:
        missed.append(f"any false alarm: {anything:.3f} of real runs, aim {MOST_ANY}")
    return missed + [f"{name}: absent" for name in FAULTS if name not in PROCESSORS]


def measure(scale: Scale, folder: Path) -> Result:
    """Plant faults and count, with the runs that the environment names."""
    given = bases(1, None, with_captures=scale.name != "tiny")
    return _result(detect(given, _FAULTS[scale.name]), given, _FAULTS[scale.name])


def main(arguments: list[str]) -> int:
    """Print the table; 1 when an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.detection")
    parser.add_argument("--runs", type=Path, metavar="DIR")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--faults", type=int, default=40, metavar="K")
    parser.add_argument("--json", type=Path, metavar="DIR")
    parser.add_argument("--no-captures", action="store_true")
    chosen = parser.parse_args(arguments)
    given = bases(chosen.seed, chosen.runs, with_captures=not chosen.no_captures)
    counted = detect(given, chosen.faults)
    result = _result(counted, given, chosen.faults)
    print(_report.table(result))
    if chosen.json:
        print(f"  {_report.write(result, FULL, chosen.json)}")
    return 1 if missed_aims(counted) else 0


def _count(counted: Detection, found: Found) -> None:
    counted.runs += 1
    counted.alarmed.update(name for name, findings in found.items() if findings)


def _alarm(
    alarms: Alarms, fault: str, alarmed: bool, name: str, implied: Sequence[str]
) -> None:
    if fault == name:
        alarms.planted += 1
        alarms.right += alarmed
    elif name not in implied:
        alarms.others += 1
        alarms.wrong += alarmed


def _result(counted: Detection, given: Bases, faults: int) -> Result:
    rows = [
        _row(counted, name) if name in counted.scores else [name, *[None] * 13]
        for name in FAULTS
    ]
    real = sum(counted.healthy[origin] for origin in _REAL)
    notes = [
        "P: precision, R: recall. Median error, within 20 %: of predicted savings.",
        "False: share of healthy runs with a false alarm, made (generated) and real.",
        (
            "Always: saying yes to every run; by chance as often as the detector has the "
            "same precision. Original: the rule of the system that this one follows."
        ),
        f"{counted.runs} runs, of which healthy: "
        + ", ".join(f"{count} {origin}" for origin, count in counted.healthy.items()),
        (
            f"Any false alarm: {_shown(counted.any_share(_MADE))} of the generated, "
            f"{_shown(counted.any_share(_REAL))} of the {real} real healthy runs."
        ),
        *(missed_aims(counted) or ["All aims are met."]),
    ]
    return Result(
        part="detection",
        title="planted faults found, and false alarms",
        columns=_COLUMNS,
        rows=rows,
        settings={"seed": given.seed, "faults": faults, "real_runs": len(given.real)},
        raw={name: _raw(score) for name, score in counted.scores.items()},
        notes=notes,
    )


def _row(counted: Detection, name: str) -> list[object]:
    score = counted.scores[name]
    original = counted.original.get(name)
    return [
        name,
        score.planted,
        score.precision,
        score.recall,
        score.location,
        score.median_error,
        score.share_within,
        counted.false_share(name, _MADE),
        counted.false_share(name, _REAL),
        score.planted / counted.runs,
        counted.alarmed[name] / counted.runs,
        original.precision if original else None,
        original.recall if original else None,
        original.real_wrong / original.real if original and original.real else None,
    ]


def _raw(score: Score) -> dict[str, Any]:
    return {
        "planted": score.planted,
        "noticed": score.noticed,
        "located": score.located,
        "judged": score.judged,
        "within": score.within,
        "wrong": dict(score.wrong),
        "missed": dict(score.missed),
        "healthy": dict(score.healthy),
        "errors": dict(score.errors),
        "off": score.off,
        "sentences": score.sentences,
    }


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
