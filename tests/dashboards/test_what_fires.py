"""What makes each rule fire, and what does not: rows put into an empty store."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import Any, Final

import pytest
from fleetspan_dashboards.alerts import Rule, rules
from fleetspan_dashboards.alerts.trial import Verdict, judge

from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.address import StoreAddress
from fleetspan_collector.store.migrate import Retention, migrate

RULES: Final = {rule.name: rule for rule in rules()}
_OWN: Final = {
    "ServiceName": "'fleetspan-collector'",
    "ResourceAttributes": "map('service.instance.id', 'host-1/7/abc')",
}
_MAP: Final = "'Map(LowCardinality(String), String)'"


def insert(table: str, number: int = 1, /, **columns: str) -> str:
    """Rows whose columns are expressions over ``number``."""
    names, values = ", ".join(columns), ", ".join(columns.values())
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM numbers({number})"


def started(ago_s: int) -> dict[str, str]:
    """When something began, and the hour it is kept under."""
    at = f"now64(9) - toIntervalSecond({ago_s})"
    return {"StartTime": at, "Bucket": f"toStartOfHour({at})", "Project": "'p'"}


def runs(number: int, status: str, **columns: str) -> str:
    """Runs that ended five minutes ago."""
    at = started(300)
    return insert(
        "canonical_runs",
        number,
        RunId=f"'{status}' || toString(number)",
        Status=f"'{status}'",
        LastActivity=at["StartTime"],
        **at,
        **columns,
    )


def calls(number: int, ago_s: int, tag: str, **columns: str) -> str:
    """Model calls that began so long ago."""
    known = {"InputTokens": "1"} | columns
    return insert(
        "canonical_llm_calls",
        number,
        TraceId=f"'{tag}'",
        CallId="toString(number)",
        Model="'m'",
        **started(ago_s),
        **known,
    )


def tools(failed: int, fine: int) -> str:
    """Tool calls, some of which failed."""
    return insert(
        "canonical_tool_calls",
        failed + fine,
        SpanId="toString(number)",
        Tool="'t'",
        Error=f"if(number < {failed}, 'no', '')",
        **started(300),
    )


def agent(silent_s: int, status: str = "running") -> str:
    """An agent that has been silent for so long."""
    at = started(silent_s)
    return insert(
        "canonical_agents",
        AgentId=f"'{status}'",
        Name="'a'",
        Status=f"'{status}'",
        LastActivity=at["StartTime"],
        **at,
    )


def finding(detector: str, ago_s: int) -> str:
    """A finding of so long ago."""
    return insert(
        "stored_findings",
        Detector=f"'{detector}'",
        FindingId=f"'{detector}'",
        FoundAt=f"now64(3) - toIntervalSecond({ago_s})",
        Bucket="toStartOfHour(now())",
    )


def gauge(name: str, value: float, ago_s: int = 5, labels: str = "map()") -> str:
    """A value that a collector wrote of itself."""
    return insert(
        "otel_metrics_gauge",
        MetricName=f"'fleetspan_{name}'",
        Value=str(value),
        TimeUnix=f"now() - {ago_s}",
        Attributes=f"CAST({labels}, {_MAP})",
        **_OWN,
    )


def counter(name: str, *values: float) -> str:
    """Samples of a counter that is an hour old, twenty seconds apart, the last now."""
    return insert(
        "otel_metrics_sum",
        len(values),
        MetricName=f"'fleetspan_{name}'",
        Value=f"{list(values)}[number + 1]",
        TimeUnix=f"now() - 20 * ({len(values)} - 1 - number)",
        StartTimeUnix="now() - 3600",
        Attributes=f"CAST(map('reason', 'disk'), {_MAP})",
        **_OWN,
    )


_LAG: Final = "ingest_lag_seconds"
_REFUSED: Final = "receiver_refused_requests_total"
_TO: Final = "map('destination', 'd')"
FIRES: Final[dict[str, Sequence[str]]] = {
    "runs-failing": (runs(2, "error"), runs(1, "abandoned"), runs(7, "ok")),
    "agents-stuck": (agent(700),),
    "agents-loop": (finding("no_progress_loop", 60),),
    "model-slower": (
        calls(100, 7200, "before", DurationMs="1000"),
        calls(20, 600, "now", DurationMs="2100"),
    ),
    "tool-failing": (tools(6, 4),),
    "spend-rate": (
        calls(10, 7200, "before", CostUsd="0.1"),
        calls(10, 600, "now", CostUsd="0.31"),
    ),
    "budget-burn": (calls(10, 600, "now", CostUsd="0.42"),),
    "unpriced": (calls(1, 600, "none"), calls(9, 600, "known", CostUsd="0.1")),
    "unattributed": (runs(1, "ok", CostUsd="8.9", UnattributedUsd="1.1"),),
    "collector-refusing": (counter(_REFUSED, 4, 5),),
    "collector-lagging": (gauge(_LAG, 0, 60), gauge(_LAG, 61)),
    "collector-gone": (gauge(_LAG, 0, 300),),
    "collectors-silent": (gauge(_LAG, 0, 400),),
    "destination-behind": (gauge("forward_lag_seconds", 301, labels=_TO),),
}
QUIET: Final[dict[str, Sequence[str]]] = {
    # One in five is not more than one in five; four runs are too few to say.
    "runs-failing": (runs(2, "error"), runs(8, "ok"), runs(9, "running")),
    "agents-stuck": (agent(500), agent(700, "ok")),
    "agents-loop": (finding("no_progress_loop", 1000), finding("straggler", 60)),
    "model-slower": (
        calls(100, 7200, "before", DurationMs="1000"),
        calls(20, 600, "now", DurationMs="1900"),
    ),
    "tool-failing": (tools(5, 5),),
    "spend-rate": (
        calls(10, 7200, "before", CostUsd="0.1"),
        calls(10, 600, "now", CostUsd="0.29"),
    ),
    "budget-burn": (calls(10, 600, "now", CostUsd="0.41"),),
    # What failed before it was answered cost nothing.
    "unpriced": (
        calls(5, 600, "failed", Error="'timeout'", InputTokens="NULL"),
        calls(9, 600, "known", CostUsd="0.1"),
    ),
    "unattributed": (runs(1, "ok", CostUsd="9.1", UnattributedUsd="0.9"),),
    # Refused before these ten minutes, and nothing since.
    "collector-refusing": (counter(_REFUSED, 4, 4),),
    "collector-lagging": (gauge(_LAG, 500, 60), gauge(_LAG, 59)),
    # Started again: another process of the same machine.
    "collector-gone": (
        gauge(_LAG, 0, 300),
        gauge(_LAG, 0, 10).replace("host-1/7/abc", "host-1/8/def"),
    ),
    "collectors-silent": (gauge(_LAG, 0, 10),),
    "destination-behind": (
        gauge("forward_lag_seconds", 400, 60, labels=_TO),
        gauge("forward_lag_seconds", 2, labels=_TO),
    ),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Generator[Engine]:
    """An empty store, in whose database statements run."""
    path = tmp_path_factory.mktemp("rules") / "store"
    engine = Engine(StoreAddress(path=path))
    migrate(engine, retention=Retention(), idle_timeout_s=3600)
    engine.command("USE otel")
    yield engine
    engine.close()


@pytest.fixture
def store(engine: Engine) -> Engine:
    """The store without a row."""
    for table in (
        *("runs", "agents", "llm_calls", "tool_calls"),
        *("findings", "gauge", "sum"),
    ):
        name = {
            "findings": "stored_findings",
            "gauge": "otel_metrics_gauge",
            "sum": "otel_metrics_sum",
        }.get(table, f"canonical_{table}")
        engine.command(f"TRUNCATE TABLE {name}")
    return engine


def verdict(store: Engine, rule: Rule) -> Verdict:
    """Try a rule now."""

    def ask(sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = store.arrow(sql).to_pylist()
        return rows

    # What was inserted a moment ago ends before what the rule looks at would.
    (said,) = judge([rule], ask, int(time.time()) + rule.until_s + 1)
    return said


def test_every_rule_is_tried() -> None:
    """Both ways."""
    assert set(FIRES) == set(QUIET) == set(RULES)


@pytest.mark.integration
@pytest.mark.parametrize("name", RULES)
def test_it_fires(store: Engine, name: str) -> None:
    """Past its threshold, and for what it is about."""
    for statement in FIRES[name]:
        store.command(statement)
    said = verdict(store, RULES[name])
    assert said.firing == 1, said


@pytest.mark.integration
@pytest.mark.parametrize("name", RULES)
def test_it_keeps_quiet(store: Engine, name: str) -> None:
    """Before its threshold, and for what looks like it."""
    for statement in QUIET[name]:
        store.command(statement)
    said = verdict(store, RULES[name])
    assert said.firing == 0, said


@pytest.mark.integration
@pytest.mark.parametrize("name", RULES)
def test_an_empty_store(store: Engine, name: str) -> None:
    """Nothing happened: only the rule that waits for a sign of life fires."""
    said = verdict(store, RULES[name])
    assert (said.firing > 0) == (name == "collectors-silent"), said
