"""What anybody said of how well agents did, read from what is stored of their runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_collector.processors.run import Run
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.conditions import condition_on

_RANKS: Final = {"outcome": 3, "validation": 2, "tests": 1}
"""Whose word counts most, where several spoke."""

_TESTS: Final = (
    # Where a command begins, with what commands are begun by.
    r"(?:^|[;&|(]\\s*|\\s-m\\s+|(?:run|npx|bunx|exec|env|time|sudo)\\s+)(?:\\w+=\\S*\\s+)*(?:\\S*/)?"
    r"(?:pytest|py\\.test|tox|nox|unittest|jest|vitest|mocha|rspec|phpunit|ctest|gradlew test"
    r"|(?:npm|yarn|pnpm|bun)(?: run)? test|cargo nextest"
    r"|(?:go|cargo|make|mvn|gradle|dotnet|mix|swift|bazel) test)(?:\\s|$|:|;)"
)
"""A command line that runs tests, in the engine's regular expressions."""

_MARGIN_S: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The word that counts.

    Attributes:
        quality: 0 to 1.
        verifier: Whose word it is.
    """

    quality: float
    verifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """A choice of a model, as it was recorded.

    Attributes:
        asked: What was asked for; ``""`` for the client's own choice.
        chosen: What was chosen.
        propensity: With which probability.
        chances: The probability of each model that there was to choose from.
        tools: What the agent was known to have for tools; ``""`` when it was not.
        applied: Whether it was put in place.
    """

    asked: str
    chosen: str
    propensity: float
    chances: Mapping[str, float]
    tools: str
    applied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """All that was said of some runs.

    Attributes:
        verdicts: By tenant, trace or session, and agent (``""``: of the whole).
        routed: By tenant, session, and the tool call that began the agent.
        tools: Names of tools, by tenant, trace, and the span that names them.
    """

    verdicts: dict[tuple[str, str, str], Verdict]
    routed: dict[tuple[str, str, str], Routed]
    tools: dict[tuple[str, str, str], str]


def read_verdicts(engine: Engine, runs: Sequence[Run]) -> Said:
    """Read what was said of runs.

    Raises:
        ClickHouseError: When the store fails.
    """
    traces = {(r.facts.tenant, r.facts.trace_id) for r in runs if r.facts.trace_id}
    sessions = {
        (r.facts.tenant, r.facts.session_id) for r in runs if r.facts.session_id
    }
    first = min(run.facts.start_ns for run in runs) // 10**9 - _MARGIN_S
    last = max(run.facts.last_activity_ns for run in runs) // 10**9 + _MARGIN_S
    rows: list[dict[str, Any]] = engine.arrow(
        _sql.render(
            "outcome_verdicts",
            database=engine.address.database,
            traces=condition_on(sorted(traces), "TraceId"),
            sessions=condition_on(sorted(sessions), "SessionId"),
            routed=condition_on(sorted(sessions), "LogAttributes['session.id']"),
            tests=_TESTS,
            first=str(max(first, 0)),
            last=str(max(last, 0)),
        )
    ).to_pylist()
    verdicts: dict[tuple[str, str, str], tuple[int, Verdict]] = {}
    routed: dict[tuple[str, str, str], Routed] = {}
    tools: dict[tuple[str, str, str], str] = {}
    # The latest last: of equal rank it is the one that counts.
    for row in sorted(rows, key=lambda each: each["At"]):
        if row["Kind"] == "routing":
            routed[row["Tenant"], row["GroupKey"], row["CallId"]] = Routed(
                asked=row["Asked"],
                chosen=row["Chosen"],
                propensity=row["Quality"] or 0.0,
                chances=_chances(row["Details"]),
                tools=row["Tools"],
                applied=bool(row["Applied"]),
            )
            continue
        if row["Kind"] == "tools":
            tools[row["Tenant"], row["GroupKey"], row["CallId"]] = row["Tools"]
            continue
        quality, rank = row["Quality"], _RANKS[row["Kind"]]
        key = (row["Tenant"], row["GroupKey"], row["AgentId"])
        if quality is None or not 0 <= quality <= 1:
            continue
        if key not in verdicts or verdicts[key][0] <= rank:
            said = Verdict(quality=quality, verifier=row["Verifier"] or row["Kind"])
            verdicts[key] = (rank, said)
    return Said(
        verdicts={key: said for key, (_, said) in verdicts.items()},
        routed=routed,
        tools=tools,
    )


def _chances(details: str) -> dict[str, float]:
    """Chances of models, of the details of a choice; none where they do not tell."""
    try:
        said = json.loads(details)
        return {str(m["model"]): float(m["propensity"]) for m in said["alternatives"]}
    except (KeyError, TypeError, ValueError):
        return {}
