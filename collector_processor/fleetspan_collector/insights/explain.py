"""A run in five lines: where its time went, its cost, what failed, the best saving, what next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from fleetspan_collector.cli._text import duration, usd
from fleetspan_collector.insights._run_rows import Row, RunRows, read_run
from fleetspan_collector.insights.asking import Asks
from fleetspan_collector.insights.documents import rfc3339
from fleetspan_collector.insights.findings import FindingRow, read_findings
from fleetspan_collector.insights.ledger import CATEGORIES, Ledger
from fleetspan_collector.insights.savings import Whole
from fleetspan_collector.insights.sentences import (
    ledger_text,
    percent,
    saved_text,
    several,
)
from fleetspan_collector.processors.finding import Severity

_EVIDENCE: Final = 10
_LEAST_GRAVE: Final = Severity.MEDIUM


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Ids that prove a line."""

    finding_ids: list[str] = field(default_factory=list)
    agent_ids: list[str] = field(default_factory=list)
    call_ids: list[str] = field(default_factory=list)
    tool_call_ids: list[str] = field(default_factory=list)
    span_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing to know about a run.

    Attributes:
        topic: ``now`` or ``time``, ``cost``, ``failures``, ``saving``, ``next``.
        text: What there is to know, in a sentence or two.
        seconds: Its seconds; None when not known, or not about time.
        usd: Its US dollars, likewise.
        evidence: What proves it.
    """

    topic: str
    text: str
    seconds: float | None = None
    usd: float | None = None
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A run explained.

    Attributes:
        run_id: The run.
        session_id: The conversation.
        name: What it is called.
        status: How it stands.
        started_at: RFC 3339 in UTC.
        wall_s: How long it took, or has taken, in seconds.
        cost_usd: What it cost; None when not known.
        analysed: Whether processors have looked at it.
        lines: Five lines.
    """

    run_id: str
    session_id: str | None
    name: str | None
    status: str
    started_at: str
    wall_s: float | None
    cost_usd: float | None
    analysed: bool
    lines: list[Line]

    @property
    def document(self) -> dict[str, Any]:
        """The same for a JSON document."""
        return asdict(self)


def explain(source: Asks, run_id: str, now_ns: int) -> Explanation | None:
    """Explain a run.

    Args:
        source: Where to read.
        run_id: Its whole id.
        now_ns: The present, Unix nanoseconds.

    Returns:
        None when there is no such run.
    """
    rows = read_run(source, run_id)
    if rows is None:
        return None
    run = rows.run
    findings = read_findings(source, run_id=run_id)
    wall = run["wall_s"]
    # An end before the start is no length.
    if wall is None or wall < 0:
        end_ns = now_ns if run["status"] == "running" else run["last_ns"]
        wall = max(0.0, (end_ns - run["start_ns"]) / 1e9)
    whole = Whole(seconds=wall, usd=run["cost_usd"])
    return Explanation(
        run_id=run["run_id"],
        session_id=run["session_id"] or None,
        name=run["name"] or None,
        status=run["status"],
        started_at=rfc3339(run["start_ns"]),
        wall_s=wall,
        cost_usd=run["cost_usd"],
        analysed=bool(run["analysed"]),
        lines=[
            _now(rows, now_ns) if run["status"] == "running" else _time(rows, wall),
            _cost(rows),
            _failures(rows, findings),
            *_to_do(rows, findings, whole),
        ],
    )


def _now(rows: RunRows, now_ns: int) -> Line:
    """Say what a run that goes on is doing."""
    working = {each["agent"] for each in rows.at_work if each["kind"] == "tool"}
    open_steps = [
        each
        for each in rows.at_work
        if each["kind"] == "tool" or each["name"] not in working
    ]
    said = [
        f"{each['name']} of {each['agent'] or '?'} since {_ago(each, now_ns)}"
        if each["kind"] == "tool"
        else f"agent {each['name']}, begun {_ago(each, now_ns)} ago"
        for each in open_steps[:3]
    ]
    more = f", and {len(open_steps) - 3} more" if len(open_steps) > 3 else ""
    silent = duration(max(0, now_ns - rows.run["last_ns"]) / 1e9)
    doing = "; ".join(said) or "nothing that is known to be at work"
    return Line(
        topic="now",
        text=f"{doing}{more}. Last sign of it {silent} ago.",
        seconds=max(0, now_ns - rows.run["last_ns"]) / 1e9,
        evidence=_steps_evidence(open_steps),
    )


def _ago(row: Row, now_ns: int) -> str:
    return duration(max(0, now_ns - row["start_ns"]) / 1e9)


def _steps_evidence(rows: Sequence[Row]) -> Evidence:
    return Evidence(
        agent_ids=[each["id"] for each in rows if each["kind"] == "agent"],
        tool_call_ids=[each["id"] for each in rows if each["kind"] == "tool"],
        span_ids=[each["span_id"] for each in rows if each["span_id"]],
    )


def _time(rows: RunRows, wall_s: float) -> Line:
    run = rows.run
    if run["path_s"] is None:
        text = f"{duration(wall_s)}; where they went is not known yet."
        return Line(topic="time", text=text, seconds=wall_s)
    ledger = Ledger(
        runs=1,
        wall_s=run["path_s"],
        seconds={name: run[f"{name}_s"] or 0.0 for name in CATEGORIES},
        busy_s=0.0,
    )
    text = f"{duration(run['path_s'])}: {ledger_text(ledger)}."
    agents = [each for each in rows.agents if each["path_s"]][:1]
    steps = rows.steps[:1]
    if agents and len(rows.agents) > 1:
        held = f"{duration(agents[0]['path_s'])}"
        text += f" Agent {agents[0]['name']} held it up longest, {held}."
    if steps:
        step = steps[0]
        text += (
            f" The longest step: {step['name']} of {step['agent'] or '?'}, "
            f"{duration(step['path_s'])}."
        )
    return Line(
        topic="time",
        text=text,
        seconds=run["path_s"],
        evidence=Evidence(
            agent_ids=[each["agent_id"] for each in agents],
            call_ids=[each["step_id"] for each in steps if each["kind"] == "model"],
            tool_call_ids=[each["step_id"] for each in steps if each["kind"] == "tool"],
            span_ids=[each["span_id"] for each in (*agents, *steps) if each["span_id"]],
        ),
    )


def _cost(rows: RunRows) -> Line:
    run, dearest = rows.run, rows.costs[0] if rows.costs else None
    unpriced = run["unpriced_calls"]
    aside = (
        f" {unpriced} of {run['llm_calls']} calls have no price." if unpriced else ""
    )
    if dearest is None:
        return Line(topic="cost", text="No model was called.", usd=run["cost_usd"])
    if run["cost_usd"] is None or dearest["usd"] is None:
        return Line(topic="cost", text=f"Not known.{aside}")
    share = dearest["usd"] / run["cost_usd"] if run["cost_usd"] else None
    text = (
        f"{usd(run['cost_usd'])}: {percent(share)} of it {dearest['name']} with "
        f"{dearest['model']} in {several(dearest['calls'], 'call')}, the dearest "
        f"{usd(dearest['dearest_usd'])}.{aside}"
    )
    return Line(
        topic="cost",
        text=text,
        usd=run["cost_usd"],
        evidence=Evidence(
            agent_ids=[dearest["agent_id"]],
            call_ids=[dearest["call_id"]],
            span_ids=[dearest["span_id"]] if dearest["span_id"] else [],
        ),
    )


def _failures(rows: RunRows, findings: Sequence[FindingRow]) -> Line:
    """Say what failed, or what is grave without having failed."""
    failed = rows.failures
    grave = [
        each
        for each in findings
        if Severity(each["severity"]).rank >= _LEAST_GRAVE.rank
    ]
    said = [
        f"{each['kind']} {each['name']}: {each['error']}"
        + (f" ×{each['times']}" if each["times"] > 1 else "")
        for each in failed[:3]
    ]
    text = "; ".join(said) + "." if said else "Nothing failed."
    if rows.run["status"] == "abandoned":
        text += " Nobody saw the run end."
    if grave:
        text += f" {_capital(grave[0]['what'])}"
    ids = {
        kind: [
            one for each in failed[:3] if each["kind"] == kind for one in each["ids"]
        ]
        for kind in ("tool", "model", "agent")
    }
    return Line(
        topic="failures",
        text=text,
        evidence=Evidence(
            finding_ids=[each["finding_id"] for each in grave[:1]],
            agent_ids=ids["agent"],
            call_ids=ids["model"],
            tool_call_ids=ids["tool"],
            span_ids=[span for each in failed[:3] for span in each["span_ids"]],
        ),
    )


def _to_do(
    rows: RunRows, findings: Sequence[FindingRow], whole: Whole
) -> Iterator[Line]:
    """Say what saves most, and what to do."""
    saving = [
        each for each in findings if whole.score(each["seconds"], each["usd"]) > 0
    ]
    if not saving:
        known = bool(rows.run["analysed"])
        text = "None was found." if known else "Not known: it is not analysed yet."
        yield Line(topic="saving", text=text)
        yield _next(rows, findings)
        return
    best = max(saving, key=lambda each: whole.score(each["seconds"], each["usd"]))
    evidence = Evidence(
        finding_ids=[best["finding_id"]],
        agent_ids=best["agent_ids"][:_EVIDENCE],
        call_ids=best["call_ids"][:_EVIDENCE],
        tool_call_ids=best["tool_call_ids"][:_EVIDENCE],
        span_ids=best["span_ids"][:_EVIDENCE],
    )
    saved = saved_text(best["seconds"], best["usd"])
    others = ""
    if len(saving) > 1 and rows.run["saved_s"] is not None:
        together = saved_text(rows.run["saved_s"], rows.run["saved_usd"])
        others = f" All {len(saving)} findings together: {together}."
    detector = best["detector"].replace("_", " ")
    text = f"{saved} ({detector}): {best['what']}{others}"
    yield Line(
        topic="saving",
        text=text,
        seconds=best["seconds"],
        usd=best["usd"],
        evidence=evidence,
    )
    proof = Evidence(finding_ids=[best["finding_id"]])
    yield Line(topic="next", text=best["advice"], evidence=proof)


def _next(rows: RunRows, findings: Sequence[FindingRow]) -> Line:
    if findings:
        first = findings[0]
        return Line(
            topic="next",
            text=first["advice"],
            evidence=Evidence(
                finding_ids=[first["finding_id"]],
                span_ids=first["span_ids"][:_EVIDENCE],
            ),
        )
    if rows.failures:
        worst = rows.failures[0]
        return Line(
            topic="next",
            text=f"See why {worst['kind']} {worst['name']} failed with {worst['error']}.",
            evidence=Evidence(span_ids=worst["span_ids"][:_EVIDENCE]),
        )
    if rows.run["status"] == "running":
        return Line(topic="next", text="Nothing; look again when it has ended.")
    return Line(topic="next", text="Nothing stands out.")


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
