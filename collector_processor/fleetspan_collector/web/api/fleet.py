"""Agents at work now, and what needs attention."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from fleetspan_collector.web.api.lists import FindingFilter, worst_findings
from fleetspan_collector.web.api.rows import ReadsRows, rfc3339
from fleetspan_collector.web.api.runs import RunFilter, list_runs

_MINUTES: Final = 60
_QUIET_S: Final = 120.0
_DAY_NS: Final = 86_400 * 1_000_000_000
_MOST_CONCERNS: Final = 30
_MEDIUM: Final = 2
_NOTHING: Final[Mapping[str, Any]] = {
    "doing": "",
    "model": "",
    "llm_calls": 0,
    "tool_calls": 0,
    "tokens": None,
    "cost_usd": None,
}
_RANKS: Final = {"critical": 0, "high": 1, "medium": 2, "low": 3, "info": 4}


def fleet(rows: ReadsRows, sees: str | None, limit: int) -> dict[str, Any]:
    """Return the document of agents at work, and of the last hour."""
    now_s = time.time()
    found = _workers(rows, sees, limit)
    minutes = rows.of(sees, "page_minutes")
    hour = rows.of(sees, "page_hour")[0]
    return {
        "agents": [_worker(row, now_s) for row in found],
        "total": found[0]["total"] if found else 0,
        "running_runs": hour["running"],
        "hour": {
            "runs": hour["runs"],
            "failed_runs": hour["failed_runs"],
            "llm_calls": sum(row["llm_calls"] for row in minutes),
            "tool_calls": hour["tool_calls"],
            "errors": hour["errors"],
            "tokens": _sum(minutes, "tokens"),
            "cost_usd": _sum(minutes, "cost_usd"),
            "unpriced_calls": sum(row["unpriced"] for row in minutes),
        },
        "by_minute": _by_minute(minutes, int(now_s)),
    }


def _workers(rows: ReadsRows, sees: str | None, limit: int) -> list[dict[str, Any]]:
    """Return who is at work, with what they have done."""
    found = rows.of(sees, "page_workers", {"limit": limit})
    if not found:
        return []
    wanted = {
        "runs": sorted({row["run_id"] for row in found}),
        "since": min(row["bucket"] for row in found),
    }
    named = {
        row["run_id"]: row["run_name"]
        for row in rows.of(sees, "page_run_names", wanted)
    }
    done = {
        (row["run_id"], row["agent_id"]): row
        for row in rows.of(sees, "page_worker_calls", wanted)
    }
    return [
        {
            **row,
            "run_name": named.get(row["run_id"], ""),
            **_done(row, done.get((row["run_id"], row["agent_id"]), _NOTHING)),
        }
        for row in found
    ]


def _done(row: Mapping[str, Any], done: Mapping[str, Any]) -> dict[str, Any]:
    names = ("doing", "llm_calls", "tool_calls", "tokens", "cost_usd")
    return {
        **{name: done[name] for name in names},
        "model": row["model"] or done["model"],
    }


def attention(
    rows: ReadsRows, sees: str | None, coverage: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the document of what needs attention, worst first.

    Args:
        rows: The store.
        sees: Whose rows.
        coverage: What `coverage` returned for the last day.
    """
    since_ns = time.time_ns() - _DAY_NS
    worst = worst_findings(
        rows, sees, FindingFilter(since_ns=since_ns, min_severity=_MEDIUM), 15
    )
    concerns = [_of_finding(finding) for finding in worst]
    failed, _ = list_runs(
        rows, sees, RunFilter(since_ns=since_ns, status="error"), None, 5
    )
    concerns += [_of_failed_run(run) for run in failed]
    now_s = time.time()
    for row in rows.of(sees, "page_workers", {"limit": 200}):
        quiet_s = now_s - row["activity_ns"] / 1e9
        if quiet_s > _QUIET_S:
            concerns.append(_of_quiet_agent(row, quiet_s))
    concerns += _of_coverage(coverage)
    concerns.sort(key=lambda each: (_RANKS[each["severity"]], -(each["usd"] or 0)))
    return {"concerns": concerns[:_MOST_CONCERNS]}


def _worker(row: Mapping[str, Any], now_s: float) -> dict[str, Any]:
    names = ("run_name", "session_id", "name", "type", "model", "parent", "doing")
    return {
        "run_id": row["run_id"],
        "group_key": row["group_key"],
        "agent_id": row["agent_id"],
        **{name: row[name] or None for name in names},
        "started_at": rfc3339(row["start_ns"]),
        "last_activity_at": rfc3339(row["activity_ns"]),
        "quiet_s": max(now_s - row["activity_ns"] / 1e9, 0.0),
        "llm_calls": row["llm_calls"],
        "tool_calls": row["tool_calls"],
        "tokens": row["tokens"],
        "cost_usd": row["cost_usd"],
    }


def _by_minute(minutes: list[dict[str, Any]], now_s: int) -> list[dict[str, Any]]:
    """All minutes of the last hour, also those in which nothing happened."""
    known = {row["minute_s"]: row for row in minutes}
    first = now_s - now_s % 60 - 60 * (_MINUTES - 1)
    filled = []
    for minute_s in range(first, first + 60 * _MINUTES, 60):
        row = known.get(minute_s, {})
        filled.append(
            {
                "at": rfc3339(minute_s * 1_000_000_000),
                "agents": row.get("agents", 0),
                "llm_calls": row.get("llm_calls", 0),
                "errors": row.get("errors", 0),
                "cost_usd": row.get("cost_usd"),
            }
        )
    return filled


def _sum(minutes: list[dict[str, Any]], name: str) -> Any:
    known = [row[name] for row in minutes if row[name] is not None]
    return sum(known) if known else None


def _of_finding(finding: Mapping[str, Any]) -> dict[str, Any]:
    run_id = finding["run_id"]
    return _concern(
        kind="finding",
        severity=finding["severity"],
        what=finding["what"],
        todo=finding["advice"],
        at=finding["at"],
        usd=finding["usd"],
        seconds=finding["seconds"],
        run_id=run_id,
        link=f"/runs/{quote(run_id, safe='')}?finding={finding['finding_id']}",
    )


def _of_failed_run(run: Mapping[str, Any]) -> dict[str, Any]:
    return _concern(
        kind="failed_run",
        severity="high",
        what=f"Run {run['name'] or run['run_id']} failed.",
        todo="Look at what its last steps say.",
        at=run["ended_at"] or run["last_activity_at"],
        count=run["errors"],
        usd=run["cost_usd"],
        run_id=run["run_id"],
        link=f"/runs/{quote(run['run_id'], safe='')}",
    )


def _of_quiet_agent(row: Mapping[str, Any], quiet_s: float) -> dict[str, Any]:
    name = row["name"] or row["agent_id"]
    return _concern(
        kind="quiet_agent",
        severity="medium",
        what=f"Agent {name} has been silent for {quiet_s / 60:.0f} minutes.",
        todo="See what it waits for, or end it.",
        at=rfc3339(row["activity_ns"]),
        seconds=quiet_s,
        run_id=row["run_id"],
        link=f"/runs/{quote(row['run_id'], safe='')}",
    )


def _of_coverage(coverage: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    if coverage["unpriced_calls"]:
        models = ", ".join(coverage["unpriced_models"][:3])
        found.append(
            _concern(
                kind="unpriced",
                severity="low",
                what=f"{coverage['unpriced_calls']} calls have no price"
                + (f" ({models})." if models else "."),
                todo="Give their models a price in the price file, then "
                "`fleetspan reprice`.",
                count=coverage["unpriced_calls"],
            )
        )
    for kind, name, what, todo in (
        (
            "orphans",
            "orphan_spans",
            "spans whose parent has not arrived",
            "See that every process of a run sends to this collector.",
        ),
        (
            "quarantined",
            "quarantined_records",
            "records that the engine would not read",
            "`fleetspan doctor` says where they are.",
        ),
    ):
        if coverage[name]:
            severity = "low" if kind == "orphans" else "high"
            found.append(
                _concern(
                    kind=kind,
                    severity=severity,
                    what=f"There are {coverage[name]} {what}.",
                    todo=todo,
                    count=coverage[name],
                )
            )
    refused = sum(coverage["refused"].values())
    if refused:
        found.append(
            _concern(
                kind="refused",
                severity="medium",
                what=f"{refused} requests were refused since this collector started.",
                todo="The coverage page says why.",
                count=refused,
            )
        )
    for lag in coverage["forwarding"]:
        if lag["problem"]:
            found.append(
                _concern(
                    kind="forwarding",
                    severity="high",
                    what=f"Destination {lag['destination']} takes nothing: {lag['problem']}",
                    todo="What waits for it is kept, up to `forward_cap_bytes`.",
                    seconds=lag["lag_s"],
                )
            )
    return found


def _concern(
    *,
    kind: str,
    severity: str,
    what: str,
    todo: str,
    at: str | None = None,
    count: int = 1,
    usd: float | None = None,
    seconds: float | None = None,
    run_id: str | None = None,
    link: str | None = "/coverage",
) -> dict[str, Any]:
    return {
        "kind": kind,
        "severity": severity,
        "what": what,
        "todo": todo,
        "at": at,
        "count": count,
        "usd": usd,
        "seconds": seconds,
        "run_id": run_id,
        "link": link,
    }
