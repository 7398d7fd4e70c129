"""The schema: made, made again, brought up to date, refused when newer, and standard."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from importlib import resources
from pathlib import Path

import pytest

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.address import StoreAddress
from fleetspan_collector.store.migrate import (
    Retention,
    latest_generation,
    migrate,
    stored_generation,
)

from ..embedded import Embedded, embedded
from ..fleet import agent, call, traces

pytestmark = pytest.mark.integration

FOLDER = resources.files("fleetspan_collector.store")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store whose directory every database of this module is in."""
    with embedded(tmp_path_factory.mktemp("migrate")) as store:
        yield store


@pytest.fixture
def engine(store: Embedded, request: pytest.FixtureRequest) -> Generator[Engine]:
    """A connection to a database of the test's own, which is not there yet."""
    database = "of_" + request.node.name.split("[")[0]
    address = StoreAddress(path=store.engine.address.path, database=database)
    with contextlib.closing(Engine(address)) as engine:
        yield engine
        engine.command(f"DROP DATABASE IF EXISTS {database} SYNC")


def bring_up_to_date(engine: Engine, *, days: int = 30) -> int:
    """Migrate with a retention."""
    retention = Retention(traces_days=days, logs_days=days, metrics_days=days)
    return migrate(engine, retention=retention, idle_timeout_s=900)


def tables(engine: Engine) -> dict[str, str]:
    """Return how each table of the database is made."""
    found = engine.arrow(
        "SELECT name, create_table_query AS made FROM system.tables"
        f" WHERE database = '{engine.address.database}' ORDER BY name"
    ).to_pylist()
    return {row["name"]: row["made"] for row in found}


def test_fresh(engine: Engine) -> None:
    """An empty place gets every table and remembers its generation."""
    assert stored_generation(engine) == 0
    assert bring_up_to_date(engine) == latest_generation()
    assert stored_generation(engine) == latest_generation()
    made = tables(engine)
    assert {
        *("otel_traces", "otel_traces_trace_id_ts", "otel_logs", "evidence"),
        *("otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_summary"),
        *("otel_metrics_histogram", "otel_metrics_exponential_histogram"),
        *("runs", "agents", "llm_calls", "tool_calls"),
    } <= made.keys()


def test_repeated(engine: Engine) -> None:
    """A second time changes nothing, and keeps the rows."""
    bring_up_to_date(engine)
    before = tables(engine)
    database = engine.address.database
    engine.command(f"INSERT INTO {database}.otel_traces (TraceId, Timestamp) VALUES ('a', now64(9))")  # fmt: skip
    assert bring_up_to_date(engine) == latest_generation()
    assert tables(engine) == before
    assert int(str(engine.command(f"SELECT count() FROM {database}.otel_traces"))) == 1
    rows = engine.command(f"SELECT count() FROM {database}.fleetspan_schema")
    assert int(str(rows)) == latest_generation()


@pytest.mark.skipif(latest_generation() < 2, reason="there is one generation only")
def test_older_store_is_brought_up_to_date(engine: Engine) -> None:
    """A store that ended after an older generation gets the rest and keeps its rows."""
    bring_up_to_date(engine)
    whole = tables(engine)
    database = engine.address.database
    engine.command(f"INSERT INTO {database}.otel_traces (TraceId, Timestamp) VALUES ('a', now64(9))")  # fmt: skip
    latest = (FOLDER / "migrations").iterdir()
    (newest,) = [f for f in latest if f.name.startswith(f"{latest_generation():04}")]
    for statement in _sql.statements(newest.read_text()):
        name = statement.split(".", 1)[1].split()[0]
        if statement.startswith("CREATE TABLE"):
            engine.command(f"DROP TABLE {database}.{name} SYNC")
    engine.command(
        f"DELETE FROM {database}.fleetspan_schema WHERE Generation = {latest_generation()}"
        " SETTINGS mutations_sync = 1"
    )
    assert stored_generation(engine) == latest_generation() - 1
    assert bring_up_to_date(engine) == latest_generation()
    assert tables(engine) == whole
    assert int(str(engine.command(f"SELECT count() FROM {database}.otel_traces"))) == 1


def test_newer_store_is_refused(engine: Engine) -> None:
    """A store of a generation that is not known is refused, untouched."""
    bring_up_to_date(engine)
    database = engine.address.database
    engine.command(f"INSERT INTO {database}.fleetspan_schema (Generation) VALUES (99)")
    before = tables(engine)
    with pytest.raises(UnreachableError) as caught:
        bring_up_to_date(engine)
    assert "99" in caught.value.because
    assert str(latest_generation()) in caught.value.because
    assert tables(engine) == before


@pytest.mark.parametrize("days", [0, 1, 30, 36_500])
def test_retention(engine: Engine, days: int) -> None:
    """Rows within their retention stay, and 0 days keeps them for ever."""
    bring_up_to_date(engine, days=days)
    database = engine.address.database
    times = {
        "now": "now64(9)",
        "in 2100": "toDateTime64('2100-01-01', 9)",
        "a year ago": "now64(9) - INTERVAL 1 YEAR",
    }
    for trace, time in times.items():
        engine.command(
            f"INSERT INTO {database}.otel_traces (TraceId, Timestamp) SELECT '{trace}', {time}"
        )
    engine.command(f"OPTIMIZE TABLE {database}.otel_traces FINAL")
    kept = engine.arrow(f"SELECT TraceId AS t FROM {database}.otel_traces")["t"]
    wanted = set(times) - ({"a year ago"} if days in (1, 30) else set())
    assert set(kept.to_pylist()) - {"a year ago"} == wanted - {"a year ago"}
    assert days in (1, 30) or "a year ago" in kept.to_pylist()


MAP = "Map(LowCardinality(String), String)"
LOW = "LowCardinality(String)"
STANDARD = {
    "otel_traces": {
        "Timestamp": "DateTime64(9)",
        "TraceId": "String",
        "SpanId": "String",
        "ParentSpanId": "String",
        "TraceState": "String",
        "SpanName": LOW,
        "SpanKind": LOW,
        "ServiceName": LOW,
        "ResourceAttributes": MAP,
        "ScopeName": "String",
        "ScopeVersion": "String",
        "SpanAttributes": MAP,
        "Duration": "UInt64",
        "StatusCode": LOW,
        "StatusMessage": "String",
        "Events.Timestamp": "Array(DateTime64(9))",
        "Events.Name": f"Array({LOW})",
        "Events.Attributes": f"Array({MAP})",
        **{f"Links.{n}": "Array(String)" for n in ("TraceId", "SpanId", "TraceState")},
        "Links.Attributes": f"Array({MAP})",
    },
    "otel_traces_trace_id_ts": {
        "TraceId": "String",
        "Start": "SimpleAggregateFunction(min, DateTime)",
        "End": "SimpleAggregateFunction(max, DateTime)",
    },
    "otel_logs": {
        "Timestamp": "DateTime64(9)",
        "TraceId": "String",
        "SpanId": "String",
        "TraceFlags": "UInt8",
        "SeverityText": LOW,
        "SeverityNumber": "UInt8",
        "ServiceName": LOW,
        "Body": "String",
        "ResourceSchemaUrl": LOW,
        "ResourceAttributes": MAP,
        "ScopeSchemaUrl": LOW,
        "ScopeName": "String",
        "ScopeVersion": LOW,
        "ScopeAttributes": MAP,
        "LogAttributes": MAP,
        "EventName": "String",
        "TimestampTime": "DateTime",
    },
}
_POINT = {
    "ResourceAttributes": MAP,
    "ResourceSchemaUrl": "String",
    "ScopeName": "String",
    "ScopeVersion": "String",
    "ScopeAttributes": MAP,
    "ScopeDroppedAttrCount": "UInt32",
    "ScopeSchemaUrl": "String",
    "ServiceName": LOW,
    "MetricName": LOW,
    "MetricDescription": "String",
    "MetricUnit": "String",
    "Attributes": MAP,
    "StartTimeUnix": "DateTime",
    "TimeUnix": "DateTime",
    "Flags": "UInt32",
}
_EXEMPLARS = {
    "Exemplars.FilteredAttributes": f"Array({MAP})",
    "Exemplars.TimeUnix": "Array(DateTime)",
    "Exemplars.Value": "Array(Float64)",
    "Exemplars.SpanId": "Array(String)",
    "Exemplars.TraceId": "Array(String)",
}
_SPREAD = {"Count": "UInt64", "Sum": "Float64"}
_EXTREMES = {"Min": "Float64", "Max": "Float64", "AggregationTemporality": "Int32"}
STANDARD |= {
    "otel_metrics_gauge": _POINT | _EXEMPLARS | {"Value": "Float64"},
    "otel_metrics_sum": _POINT
    | _EXEMPLARS
    | {"Value": "Float64", "AggregationTemporality": "Int32", "IsMonotonic": "Bool"},
    "otel_metrics_histogram": _POINT
    | _EXEMPLARS
    | _SPREAD
    | _EXTREMES
    | {"BucketCounts": "Array(UInt64)", "ExplicitBounds": "Array(Float64)"},
    "otel_metrics_exponential_histogram": _POINT
    | _EXEMPLARS
    | _SPREAD
    | _EXTREMES
    | {"Scale": "Int32", "ZeroCount": "UInt64"}
    | {"PositiveOffset": "Int32", "PositiveBucketCounts": "Array(UInt64)"}
    | {"NegativeOffset": "Int32", "NegativeBucketCounts": "Array(UInt64)"},
    "otel_metrics_summary": _POINT
    | _SPREAD
    | {
        "ValueAtQuantiles.Quantile": "Array(Float64)",
        "ValueAtQuantiles.Value": "Array(Float64)",
    },
}
OURS = {"Tenant", "BatchId", "BatchOrdinal", "ReceivedAt"}


@pytest.mark.parametrize("table", STANDARD)
def test_columns_are_the_standard_ones(store: Embedded, table: str) -> None:
    """A raw table has the columns of the collector's exporter, then ours with defaults."""
    found = store.engine.arrow(
        "SELECT name, type, default_expression != '' AS optional FROM system.columns"
        f" WHERE database = 'otel' AND table = '{table}'"
    ).to_pylist()
    theirs = {row["name"]: row["type"] for row in found if row["name"] not in OURS}
    assert theirs == STANDARD[table]
    ours = {row["name"]: row["optional"] for row in found if row["name"] in OURS}
    assert ours in ({}, dict.fromkeys(OURS, 1))
    assert bool(ours) == (table != "otel_traces_trace_id_ts")


@pytest.mark.parametrize("folder", ["sql", "migrations"])
def test_every_file_says_what_it_is_for(folder: str) -> None:
    """Each SQL file begins with its purpose, and one that returns rows says which."""
    files = [f for f in (FOLDER / folder).iterdir() if f.name.endswith(".sql")]
    assert files
    for file in files:
        lines = file.read_text().splitlines()
        assert lines[0].strip().startswith("-- "), file.name
        assert len(lines[0].strip()) > 20, file.name
        text = "\n".join(lines)
        if folder == "sql" and "{" in text and ":" in text and file.name[0] != "_":
            assert "-- params:" in text or "-- tokens:" in text, file.name


# The trace view of Grafana's ClickHouse plugin, by the aliases that it reads.
TRACE_QUERY = """
WITH {trace:String} AS trace_id,
    (SELECT min(Start) FROM otel.otel_traces_trace_id_ts WHERE TraceId = trace_id) AS trace_start,
    (SELECT max(End) + 1 FROM otel.otel_traces_trace_id_ts WHERE TraceId = trace_id) AS trace_end
SELECT
    TraceId AS traceID,
    SpanId AS spanID,
    ParentSpanId AS parentSpanID,
    ServiceName AS serviceName,
    SpanName AS operationName,
    multiply(toUnixTimestamp64Nano(Timestamp), 0.000001) AS startTime,
    multiply(Duration, 0.000001) AS duration,
    arrayMap(key -> map('key', key, 'value', SpanAttributes[key]), mapKeys(SpanAttributes)) AS tags,
    arrayMap(key -> map('key', key, 'value', ResourceAttributes[key]), mapKeys(ResourceAttributes)) AS serviceTags,
    if(StatusCode IN ('Error', 'STATUS_CODE_ERROR'), 2, 0) AS statusCode,
    SpanKind AS kind,
    StatusMessage AS statusMessage,
    TraceState AS traceState,
    ScopeName AS instrumentationLibraryName,
    ScopeVersion AS instrumentationLibraryVersion,
    arrayMap((name, timestamp, fields) -> CAST(tuple(name, toString(toUnixTimestamp64Milli(timestamp)),
        arrayMap(key -> map('key', key, 'value', fields[key]), mapKeys(fields))),
        'Tuple(name String, timestamp String, fields Array(Map(String, String)))'),
        `Events.Name`, `Events.Timestamp`, `Events.Attributes`) AS logs,
    arrayMap((trace, span, tags) -> CAST(tuple(trace, span,
        arrayMap(key -> map('key', key, 'value', tags[key]), mapKeys(tags))),
        'Tuple(traceID String, spanID String, tags Array(Map(String, String)))'),
        `Links.TraceId`, `Links.SpanId`, `Links.Attributes`) AS references
FROM otel.otel_traces
WHERE traceID = trace_id AND Timestamp >= trace_start AND Timestamp <= trace_end
LIMIT 1000
"""


def test_trace_view_of_grafana(store: Embedded) -> None:
    """The plugin's query for one trace finds it through the table of bounds."""
    main = agent(77, 1, failed=True)
    main.events.add(time_unix_nano=main.start_time_unix_nano, name="decision")
    main.links.add(trace_id=bytes(15) + b"\x05", span_id=bytes(7) + b"\x06")
    store.take(traces([main, call(77, 2, 1, at_ms=1500)]), traces([agent(78, 1)]))
    rows = store.engine.arrow(TRACE_QUERY, {"trace": f"{77:032x}"}).to_pylist()
    by_name = {row["operationName"]: row for row in rows}
    assert set(by_name) == {"invoke_agent agent-1", "chat claude-sonnet-4-5"}
    shown = by_name["invoke_agent agent-1"]
    assert (shown["statusCode"], shown["duration"], shown["kind"]) == (
        2,
        1000,
        "Internal",
    )
    assert shown["logs"][0]["name"] == "decision"
    assert shown["references"][0]["spanID"] == "0000000000000006"
    assert shown["startTime"] == main.start_time_unix_nano / 1e6


def test_inserts_of_a_foreign_writer(store: Embedded, tmp_path: Path) -> None:
    """An insert that names the standard columns only is taken, as from an exporter."""
    store.engine.command(
        "INSERT INTO otel.otel_traces (Timestamp, TraceId, SpanId, ParentSpanId,"
        " TraceState, SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName,"
        " ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage,"
        " `Events.Timestamp`, `Events.Name`, `Events.Attributes`, `Links.TraceId`,"
        " `Links.SpanId`, `Links.TraceState`, `Links.Attributes`)"
        " SELECT now64(9), 'foreign', 's', '', '', 'n', 'Internal', 'svc', map(), '', '',"
        " map('a', 'b'), 5, 'Unset', '', [], [], [], [], [], [], []"
    )
    (row,) = store.rows("otel_traces", "TraceId = 'foreign'", "BatchId, BatchOrdinal, ReceivedAt > now() - 60 AS fresh")  # fmt: skip
    assert row == {"BatchId": "", "BatchOrdinal": 0, "fresh": 1}
