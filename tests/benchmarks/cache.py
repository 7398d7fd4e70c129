"""Broken caches: what the detector finds in real runs, held against their own counts.

::

    python -m tests.benchmarks.cache [--runs DIR] [--json DIR]

DIR holds runs of mini-SWE-agent (``runs.jsonl.xz``); without it the folder that
``FLEETSPAN_MINI_SWE_RUNS`` names, else a dozen that come with the repository. Nothing is
planted: providers were switched and prefixes lost while these runs were made.

The truth is worked out here, from the raw messages and nothing else: every message repeats
all messages before it, so what the last call was given could have been read from the cache
whole. A call with more than 4,000 such tokens of which fewer than half were cached has
missed. What that cost more is priced as the provider billed it (2 US dollars a million
tokens of input, 0.2 when cached; the stated costs of all calls agree with it). The detector
is only given a `Run`; as it draws the same line, what this shows is that nothing is lost on
the way to it, and how much its thresholds leave out. Beside it: to call every such call a miss, and every one whose
provider is not that of the call before.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors.broken_cache import (
    BrokenCache,
    misses_of,
)
from fleetspan_collector.processors.run import Run
from tests.benchmarks import _report
from tests.benchmarks._report import Result
from tests.benchmarks._scale import FULL, Scale
from tests.faults import layout, loading

_REUSABLE_TOKENS: Final = 4_000
_FRESH_USD: Final = 2.0e-6
_CACHED_USD: Final = 0.2e-6
_MEASURED_BEFORE: Final = 0.116
"""Share of the cost of all 500 runs that was avoidable, by an earlier count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A model call with a reusable prefix.

    Attributes:
        call: Id of the call.
        reusable: Tokens that the call before had been given.
        cached: Tokens that were read from the cache.
        switched: Whether the provider is not that of the call before.
    """

    call: str
    reusable: int
    cached: int
    switched: bool

    @property
    def missed(self) -> bool:
        """Whether fewer than half of the reusable tokens were cached."""
        return self.cached < self.reusable / 2

    @property
    def avoidable_usd(self) -> float:
        """What it would have cost less had all of them been cached."""
        lost = max(self.reusable - self.cached, 0)
        return lost * (_FRESH_USD - _CACHED_USD)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What somebody holds to be misses.

    Attributes:
        told: Calls.
        right: Those that did miss.
        usd: What their misses cost, by whoever tells of them.
    """

    told: int = 0
    right: int = 0
    usd: float = 0.0

    def add(self, turns: list[Turn], told: Callable[[Turn], bool]) -> None:
        """Count the calls of a run."""
        chosen = [turn for turn in turns if told(turn)]
        self.told += len(chosen)
        self.right += sum(turn.missed for turn in chosen)
        self.usd += sum(turn.avoidable_usd for turn in chosen)


@dataclass(slots=True, kw_only=True)
class Counted:
    """Everything that was counted.

    Attributes:
        runs: Runs.
        calls: Their calls.
        reusable: Those with a reusable prefix.
        missed: Those that missed.
        switched: Those that missed when the provider was switched.
        partly_usd: What all calls with a reusable prefix lost, also those that were
            cached for the most part.
        spent_usd: What the runs cost, as billed.
        alarmed: Runs that the detector speaks of.
        with_miss: Runs in which a call missed.
        wrong_runs: Runs that it speaks of in which none did.
        causes: Causes that it gives, by how many calls.
        tallies: By who tells.
    """

    runs: int = 0
    calls: int = 0
    reusable: int = 0
    missed: int = 0
    switched: int = 0
    partly_usd: float = 0.0
    spent_usd: float = 0.0
    alarmed: int = 0
    with_miss: int = 0
    wrong_runs: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    tallies: dict[str, Tally] = field(default_factory=dict)

    def tally(self, name: str) -> Tally:
        """Return what somebody holds to be misses."""
        return self.tallies.setdefault(name, Tally())


def turns_of(raw: Mapping[str, Any]) -> list[Turn]:
    """Return the calls of a run that had a reusable prefix, by its raw messages."""
    found: list[Turn] = []
    before: Mapping[str, Any] | None = None
    asked = (each for each in raw["messages"] if each["role"] == "assistant")
    for number, message in enumerate(asked):
        usage = message["usage"]
        if before is not None and before["usage"]["prompt"] > _REUSABLE_TOKENS:
            turn = Turn(
                call=f"{raw['instance_id']}/{number}/call",
                reusable=before["usage"]["prompt"],
                cached=usage["cached"],
                switched=message.get("provider") != before.get("provider"),
            )
            found.append(turn)
        before = message
    return found


def count(folder: Path) -> Counted:
    """Look at all runs of a folder.

    Args:
        folder: Holds ``runs.jsonl.xz``.
    """
    counted = Counted()
    detector = BrokenCache(ProcessorSettings())
    for raw in _raw_runs(folder):
        turns, run = turns_of(raw), layout.run_of(loading.plan_of(raw))
        missed = [turn for turn in turns if turn.missed]
        counted.runs += 1
        counted.calls += run.llm_calls.count
        counted.reusable += len(turns)
        counted.missed += len(missed)
        counted.switched += sum(turn.switched for turn in missed)
        counted.partly_usd += sum(turn.avoidable_usd for turn in turns)
        counted.spent_usd += float(raw["cost"])
        counted.with_miss += bool(missed)
        counted.tally("every call").add(turns, lambda _: True)
        counted.tally("provider switched").add(turns, lambda turn: turn.switched)
        counted.tally("truth").add(turns, lambda turn: turn.missed)
        _detect(counted, detector, run, turns)
    return counted


def measure(scale: Scale, folder: Path) -> Result:
    """Look at the runs that the environment names; the dozen of the repository if tiny."""
    return _result(count(loading.OWN if scale.name == "tiny" else loading.folder()))


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cache")
    parser.add_argument("--runs", type=Path, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="DIR")
    chosen = parser.parse_args(arguments)
    result = _result(count(chosen.runs or loading.folder()))
    print(_report.table(result))
    if chosen.json:
        print(f"  {_report.write(result, FULL, chosen.json)}")
    return 0


def _raw_runs(folder: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(folder / "runs.jsonl.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _detect(
    counted: Counted, detector: BrokenCache, run: Run, turns: list[Turn]
) -> None:
    """Count what the rule holds to be misses, and what the detector says of them."""
    ids = run.llm_calls.strings("CallId")
    rule = misses_of(run, prefix_tokens=_REUSABLE_TOKENS)
    counted.causes.update(rule.causes)
    by_turn = {turn.call: turn for turn in turns}
    findings = list(detector.findings(run))
    told = [row for finding in findings for row in finding.calls]
    for name, rows in (("rule, any cost", rule.calls.tolist()), ("findings", told)):
        tally = counted.tally(name)
        known = [by_turn.get(ids[row]) for row in rows]
        tally.told += len(rows)
        tally.right += sum(turn is not None and turn.missed for turn in known)
        if name == "findings":
            tally.usd += sum(finding.usd or 0.0 for finding in findings)
        else:
            tally.usd += sum(turn.avoidable_usd for turn in known if turn)
    counted.alarmed += bool(findings)
    counted.wrong_runs += bool(findings) and not any(turn.missed for turn in turns)


def _result(counted: Counted) -> Result:
    order = ("findings", "rule, any cost", "provider switched", "every call", "truth")
    rows = [_row(counted, name) for name in order]
    return Result(
        part="cache",
        title="calls of real runs that missed the provider's cache",
        columns=(
            "who tells",
            "calls",
            "precision",
            "recall",
            "avoidable USD",
            "of the spend, %",
        ),
        rows=rows,
        settings={"runs": counted.runs},
        raw={
            name: getattr(counted, name)
            for name in Counted.__dataclass_fields__
            if name not in {"causes", "tallies"}
        }
        | {"causes": dict(counted.causes)},
        notes=_notes(counted),
    )


def _notes(counted: Counted) -> list[str]:
    switched = counted.switched / max(counted.missed, 1)
    partly = counted.partly_usd / max(counted.spent_usd, 1e-9)
    causes = ", ".join(f"{name} {n}" for name, n in counted.causes.most_common())
    runs = (
        f"{counted.runs} runs, {counted.calls:,} calls, {counted.spent_usd:.2f} USD; "
        f"{counted.reusable:,} calls had more than {_REUSABLE_TOKENS:,} reusable tokens, "
        f"{counted.missed:,} of them missed ({switched:.0%} with another provider)."
    )
    before = (
        f"Avoidable before: {_MEASURED_BEFORE:.1%} of 500 runs, of which the public ones "
        f"are half. With what calls lost that were cached for the most part: {partly:.1%}."
    )
    findings = (
        f"Findings in {counted.alarmed} of {counted.with_miss} runs in which a call "
        f"missed, and in {counted.wrong_runs} others. Causes by the rule: {causes}."
    )
    return [runs, before, findings]


def _row(counted: Counted, name: str) -> list[object]:
    tally = counted.tally(name)
    return [
        name,
        tally.told,
        tally.right / tally.told if tally.told else None,
        tally.right / counted.missed if counted.missed else None,
        tally.usd,
        100 * tally.usd / counted.spent_usd if counted.spent_usd else None,
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
