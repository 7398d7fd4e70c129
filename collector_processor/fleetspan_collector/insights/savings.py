"""What could be saved: findings of the same kind about the same thing, taken together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleetspan_collector.insights.figures import known, total
from fleetspan_collector.insights.findings import FindingRow
from fleetspan_collector.insights.phase import Phase, family
from fleetspan_collector.processors.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """One opportunity.

    Attributes:
        detector: What found it.
        subject_kind: ``tool``, ``model``, ``agent`` or ``run``.
        subject: The tool, model, agent or run that it is about, by name.
        agent: The agent whose tool or model that is; None when no one's.
        severity: The worst of its findings.
        findings: How many findings there are.
        runs: In how many runs.
        seconds: Wall time that it saves; None when none of it is known.
        usd: US dollars that it saves; None when none of it is known.
        score: Its seconds as a share of the phase's wall time, and its US dollars as a
            share of the phase's cost, added up: what it is ranked by.
        what: What is the case, in its largest example.
        advice: What to change.
        finding_ids: The evidence, the most saving first, as are the other ids.
        run_ids: The runs.
        span_ids: The spans.
    """

    detector: str
    subject_kind: str
    subject: str
    agent: str | None
    severity: str
    findings: int
    runs: int
    seconds: float | None
    usd: float | None
    score: float
    what: str
    advice: str
    finding_ids: list[str]
    run_ids: list[str]
    span_ids: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Seconds and US dollars of something as a whole; None when not known."""

    seconds: float | None
    usd: float | None

    def score(self, seconds: float | None, usd: float | None) -> float:
        """Return what some of both is of the whole, added up."""
        share = 0.0
        if seconds and self.seconds:
            share += seconds / self.seconds
        if usd and self.usd:
            share += usd / self.usd
        return share


_Key = tuple[str, str, str, str | None]
"""Detector, kind of subject, subject, and the agent whose that is."""

_SUBJECTS: Final = ("tool", "model")
"""Names in the details of a finding that say what it is about more closely."""


def subject_of(finding: FindingRow) -> tuple[str, str]:
    """Return what a finding is about: a kind, and a name."""
    for kind in _SUBJECTS:
        name = finding["details"].get(kind)
        if isinstance(name, str) and name:
            return kind, name
    if finding["agent_name"]:
        return "agent", family(finding["agent_name"])
    return "run", finding["run_name"] or "?"


def savings_of(phase: Phase) -> list[Saving]:
    """Return what could be saved in a phase, the most first."""
    runs = phase.runs
    whole = Whole(
        seconds=total(known(runs.floats("wall_s"))),
        usd=total(known(runs.floats("cost_usd"))),
    )
    groups: dict[_Key, list[FindingRow]] = {}
    for finding in phase.findings:
        kind, subject = subject_of(finding)
        agent = family(finding["agent_name"] or "") if kind in _SUBJECTS else ""
        key = (finding["detector"], kind, subject, agent or None)
        groups.setdefault(key, []).append(finding)
    found = [_saving(phase, key, group, whole) for key, group in groups.items()]
    saving = [each for each in found if each.score > 0]
    return sorted(saving, key=lambda each: (-each.score, each.detector, each.subject))


def all_together(phase: Phase) -> Whole:
    """Return what all findings would save together, nothing of it twice."""
    return Whole(
        seconds=total(known(phase.runs.floats("saved_s"))),
        usd=total(known(phase.runs.floats("saved_usd"))),
    )


def _saving(
    phase: Phase,
    key: _Key,
    group: Sequence[FindingRow],
    whole: Whole,
) -> Saving:
    detector, kind, subject, agent = key
    ordered = sorted(
        group,
        key=lambda each: (
            -whole.score(each["seconds"], each["usd"]),
            each["finding_id"],
        ),
    )
    seconds = _sum(phase, ordered, "seconds", "saved_s")
    usd = _sum(phase, ordered, "usd", "saved_usd")
    run_ids = list(dict.fromkeys(each["run_id"] for each in ordered))
    return Saving(
        detector=detector,
        subject_kind=kind,
        subject=subject,
        agent=agent,
        severity=max((each["severity"] for each in group), key=_rank),
        findings=len(group),
        runs=len(run_ids),
        seconds=seconds,
        usd=usd,
        score=whole.score(seconds, usd),
        what=ordered[0]["what"],
        advice=ordered[0]["advice"],
        finding_ids=[each["finding_id"] for each in ordered],
        run_ids=run_ids,
        span_ids=list(
            dict.fromkeys(span for each in ordered for span in each["span_ids"])
        ),
    )


def _rank(severity: str) -> int:
    return Severity(severity).rank


def _sum(
    phase: Phase, group: Iterable[FindingRow], name: str, together: str
) -> float | None:
    """Add the savings of findings up, run by run.

    Two findings of one run may save the same second, so that no run saves more than
    what all its findings save together, where that is known.
    """
    by_run: dict[int, float] = {}
    for finding in group:
        saved = finding["seconds"] if name == "seconds" else finding["usd"]
        if saved is not None:
            row = phase.row_of[finding["run_id"]]
            by_run[row] = by_run.get(row, 0.0) + saved
    if not by_run:
        return None
    rows = np.fromiter(by_run.keys(), np.int64, len(by_run))
    sums = np.fromiter(by_run.values(), np.float64, len(by_run))
    most = phase.runs.floats(together)[rows]
    return float(np.where(np.isfinite(most), np.minimum(sums, most), sums).sum())
