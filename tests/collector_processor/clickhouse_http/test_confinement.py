"""What nobody may do through the interface, and what a tenant cannot see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.collector_processor.clickhouse_http.conftest import RUNS
from tests.collector_processor.clickhouse_http.endpoint import Endpoint

pytestmark = pytest.mark.integration

READS_OUTSIDE = [
    "SELECT file('/etc/passwd')",
    "SELECT FILE ('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT \"file\"('/etc/passwd')",
    "SELECT file/**/('/etc/passwd')",
    "SELECT file-- x\n('/etc/passwd')",
    "SELECT file\u200b('/etc/passwd')",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "WITH (SELECT file('/etc/passwd')) AS x SELECT x",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM file('/etc/passwd', LineAsString, 's String')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 's String')",
    "SELECT * FROM s3('http://127.0.0.1:1/x', 'CSV', 's String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1:1', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'x String')",
    "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String, v String')",
    "SELECT * FROM sqlite('/tmp/x.db', 't')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'CSV', 's String')",
    "SELECT * FROM executable('id', 'TSV', 's String')",
    "SELECT * FROM input('s String') FORMAT TSV",
    "SELECT * FROM jdbc('x', 'y', 'z')",
    "SELECT * FROM odbc('x', 'y', 'z')",
    "SELECT * FROM python('x')",
    "SELECT * FROM Python(x)",
    "SELECT * FROM `/etc/passwd`",
    "SELECT * FROM '/etc/passwd'",
    "DESCRIBE url('http://127.0.0.1:1/')",
    "DESCRIBE TABLE file('/etc/passwd', 'CSV')",
    "DESC/**/file('/etc/passwd')",
    "EXPLAIN SELECT file('/etc/passwd')",
    "SELECT 1 INTO OUTFILE '/tmp/fleetspan-out'",
    "SELECT 1 INTO/**/OUTFILE '/tmp/fleetspan-out' TRUNCATE",
    "KILL QUERY WHERE 1",
    "KILL QUERY WHERE 1 SYNC",
    "SYSTEM SHUTDOWN",
    "SYSTEM STOP MERGES",
    "SYSTEM FLUSH LOGS",
    "BACKUP DATABASE otel TO Disk('default', 'x')",
    "RESTORE DATABASE otel FROM Disk('default', 'x')",
    "GRANT ALL ON *.* TO default",
    "CREATE USER x",
    "SET PROFILE 'default'",
    "SELECT 1; DROP TABLE otel.runs",
    "SELECT 1 SETTINGS readonly = 0; DROP TABLE otel.runs",
    "EXPLAIN SELECT 1; DROP TABLE otel.runs",
    "DROP TABLE otel.runs",
    "TRUNCATE TABLE otel.otel_traces",
    "ALTER TABLE otel.otel_traces DELETE WHERE 1",
    "OPTIMIZE TABLE otel.otel_traces FINAL",
    "CREATE TABLE otel.mine (n UInt8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE mine (n UInt8)",
    "CREATE FUNCTION f AS x -> x",
    "CREATE DICTIONARY otel.d (k UInt8) PRIMARY KEY k SOURCE(FILE(path '/etc/passwd' format 'CSV')) LAYOUT(FLAT())",
    "INSERT INTO otel.runs SELECT * FROM otel.runs",
    "INSERT INTO FUNCTION file('/tmp/fleetspan-out', 'CSV', 'n UInt8') SELECT 1",
    "INSERT INTO TABLE FUNCTION url('http://127.0.0.1:1/', 'CSV', 'n UInt8') SELECT 1",
    "ATTACH TABLE otel.x FROM '/tmp' (n UInt8) ENGINE = File(CSV)",
    "DETACH DATABASE otel",
    "RENAME TABLE otel.runs TO otel.x",
    "EXCHANGE TABLES otel.runs AND otel.agents",
    "UNDROP TABLE otel.runs",
    "USE otel; DROP TABLE runs",
    "SELECT sleep(3600)",
    "",
    ";",
    "()",
    "\x00",
    "SELECT 'unfinished",
    "SELECT /* unfinished",
]


@pytest.mark.parametrize("key", ["reads all", "a"])
@pytest.mark.parametrize("query", READS_OUTSIDE)
def test_a_reader_only_reads_tables(endpoint: Endpoint, query: str, key: str) -> None:
    """Files, addresses, statements of others and definitions are refused."""
    said = endpoint.refusal(query, key=key)
    assert "root:" not in said
    assert not Path("/tmp/fleetspan-out").exists()  # noqa: S108 - nothing is written there


BEYOND_A_DEFINITION = [
    "CREATE TABLE otel.f (s String) ENGINE = File(LineAsString, '/etc/passwd')",
    "CREATE TABLE otel.f (s String) ENGINE = URL('http://127.0.0.1:1/', CSV)",
    "CREATE TABLE otel.f (s String) ENGINE = S3('http://127.0.0.1:1/', CSV)",
    "CREATE TABLE otel.f (s String) ENGINE = MySQL('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "CREATE TABLE otel.f AS file('/etc/passwd', 'LineAsString')",
    "CREATE TABLE otel.f ENGINE = Memory AS SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "CREATE VIEW otel.f AS SELECT file('/etc/passwd')",
    "CREATE VIEW otel.f AS SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 's String')",
    "CREATE MATERIALIZED VIEW otel.f ENGINE = File(CSV) AS SELECT 1 AS n",
    "CREATE DATABASE f ENGINE = MySQL('127.0.0.1:1', 'a', 'b', 'c')",
    "CREATE TABLE otel.f (n UInt8) ENGINE = Executable('id', TSV)",
    "CREATE TABLE otel.f (n UInt8) ENGINE = MergeTree ORDER BY n SETTINGS disk = disk(type = local, path = '/tmp/')",
    "ALTER TABLE otel.runs FREEZE",
    "ALTER TABLE otel.runs FETCH PARTITION 1 FROM '/x'",
    "CREATE USER x",
    "CREATE FUNCTION f AS x -> file(x)",
    "CREATE TABLE otel.f (s String DEFAULT file('/etc/passwd')) ENGINE = Memory",
    "DROP DATABASE otel",
    "DROP DATABASE IF EXISTS `otel`",
    "DROP TABLE otel.runs",
    "DROP TABLE runs",
    "DROP TABLE IF EXISTS otel . `runs` SYNC",
    "RENAME TABLE otel.x TO otel.y, otel.runs TO otel.z",
    "EXCHANGE TABLES otel.x AND otel.runs",
    "INSERT INTO system.one VALUES (1)",
    "INSERT INTO FUNCTION file('/tmp/fleetspan-out', 'CSV', 'n UInt8') SELECT 1",
    "INSERT INTO otel.claude_hooks SELECT * FROM file('/etc/passwd', 'LineAsString')",
]


@pytest.mark.parametrize("query", BEYOND_A_DEFINITION)
def test_an_admin_stays_in_the_store(endpoint: Endpoint, query: str) -> None:
    """The key that may make tables makes none that reach outside."""
    said = endpoint.refusal(query)
    assert "root:" not in said
    assert not Path("/tmp/fleetspan-out").exists()  # noqa: S108


def test_a_tenant_sees_its_own_rows(endpoint: Endpoint) -> None:
    """In every table and view that has tenants, by whatever way it is asked."""
    tables = endpoint.text(
        "SELECT DISTINCT table FROM system.columns WHERE database = 'otel' AND name = 'Tenant'"
    ).split()
    assert {"runs", "agents", "otel_traces"} <= set(tables)
    for table in tables:
        for key in ("a", "b"):
            query = f"SELECT DISTINCT Tenant FROM otel.{table}"
            assert endpoint.text(query, key=key).split() in ([], [key])
    for tenant, runs in RUNS.items():
        for query in (
            "SELECT count() FROM otel.runs",
            "SELECT count() FROM (SELECT * FROM otel.runs)",
            "WITH r AS (SELECT * FROM otel.runs) SELECT count() FROM r",
            "SELECT count() FROM otel.runs AS x JOIN otel.runs AS y ON x.RunId = y.RunId",
            "SELECT uniqExact(x.RunId) FROM otel.runs AS x CROSS JOIN numbers(2) AS n",
            "SELECT count() FROM otel.runs WHERE Tenant IN (SELECT Tenant FROM otel.runs)",
            "SELECT (SELECT count() FROM otel.runs)",
            "SELECT sum(n) FROM (SELECT count() AS n FROM otel.runs UNION ALL SELECT 0)",
            "SELECT count() FROM `otel`.`runs` FINAL",
            "SELECT uniqExact(TraceId) FROM otel.otel_traces PREWHERE 1",
            "SELECT count() FROM merge('otel', '^runs$')",
        ):
            status, _, body = endpoint.ask(query, key=tenant)
            assert (status == 403) or body.split() == [b"%d" % runs], query
    assert endpoint.text("SELECT count() FROM otel.runs", key="reads all") != "0\n"


SEES_OTHERS = [
    "SELECT count() FROM merge('otel', 'runs')",
    "SELECT * FROM system.processes",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.parts",
    "SELECT total_rows FROM system.tables WHERE name = 'runs'",
    "SELECT * FROM system.tables",
    "SELECT * FROM system.columns",
    "SELECT COLUMNS('total') FROM system.tables",
    "SELECT * FROM system.settings_changes",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM cluster('default', 'otel', 'runs')",
    "SELECT * FROM clusterAllReplicas('default', 'otel', 'runs')",
    "SELECT * FROM mergeTreeIndex('otel', 'runs')",
    "SELECT * FROM mergeTreeProjection('otel', 'runs', 'p')",
    "SELECT * FROM dictionary('x')",
    "SELECT dictGet('x', 'y', 1)",
    "SELECT joinGet('otel.runs', 'RunId', 1)",
    "SELECT hostName()",
    "SELECT * FROM loop('otel', 'runs')",
    "SHOW PROCESSLIST",
    "EXPLAIN ESTIMATE SELECT * FROM otel.runs",
    "EXPLAIN indexes = 1 SELECT * FROM otel.runs",
    "EXPLAIN PIPELINE SELECT * FROM otel.runs",
    "SELECT count() FROM otel.runs SETTINGS additional_table_filters = {}",
    "SELECT count() FROM otel.runs SETTINGS additional_table_filters = {'otel.runs': '1'}",
    "SELECT * FROM (SELECT * FROM otel.runs SETTINGS additional_table_filters = {'otel.runs': '1'})",
    "SELECT count() FROM (SELECT 1 FROM otel.runs SETTINGS readonly = 0)",
    "SELECT count() FROM (SELECT 1 FROM otel.runs SETTINGS additional_table_filters = {'otel.runs': '1'})",
    "SELECT (SELECT count() FROM otel.runs SETTINGS additional_table_filters = {})",
    "SELECT count() FROM otel.runs SETTINGS optimize_trivial_count_query = 1, additional_table_filters = {}",
    "SELECT * FROM otel.fleetspan_migrations",
]


@pytest.mark.parametrize("query", SEES_OTHERS)
def test_a_tenant_sees_nothing_of_others(endpoint: Endpoint, query: str) -> None:
    """What tells of all tenants is refused, or tells of nobody else."""
    status, _, body = endpoint.ask(query, key="b")
    assert b"agent of a" not in body
    own = all(line.startswith(b"b\t") for line in body.splitlines())
    assert status >= 400 or own or body.strip() == b"2", body


def test_a_tenant_cannot_raise_its_rights(endpoint: Endpoint) -> None:
    """Neither a setting in the address nor one of a session widens what is seen."""
    asked = "SELECT count() FROM otel.runs"
    for name, value in [
        ("additional_table_filters", "{}"),
        ("readonly", "0"),
        ("allow_introspection_functions", "1"),
        ("additional_result_filter", "1"),
    ]:
        status, _, body = endpoint.ask(
            asked, None, key="b", headers=None, **{name: value}
        )
        assert status == 403 or body == b"2\n", (name, body)
        endpoint.ask(f"SET {name} = '{value}'", key="b", session_id="raised")
        assert endpoint.text(asked, key="b", session_id="raised") == "2\n"


def test_rows_become_the_writer_s(endpoint: Endpoint) -> None:
    """A key of one tenant writes as that tenant, whatever the rows say."""
    row = {
        "Tenant": "b",
        "Timestamp": "2026-11-01 00:00:00.000000000",
        "TraceId": "f" * 32,
        "SpanId": "e" * 16,
        "SpanName": "smuggled",
    }
    insert = "INSERT INTO otel.otel_traces FORMAT JSONEachRow"
    status, _, body = endpoint.ask(insert, json.dumps(row).encode(), key="c writes")
    assert status == 200, body
    found = endpoint.text(
        "SELECT DISTINCT Tenant FROM otel.otel_traces WHERE SpanName = 'smuggled'"
    )
    assert found == "c\n"


@pytest.mark.parametrize("key", ["a", "reads all", "a ingests"])
def test_who_may_not_write_does_not(endpoint: Endpoint, key: str) -> None:
    """Reading and sending telemetry are not writing."""
    insert = "INSERT INTO otel.otel_traces (SpanName) FORMAT TSV"
    assert "ACCESS_DENIED" in endpoint.refusal(insert, body=b"x\n", key=key)


def test_who_may_not_read_does_not(endpoint: Endpoint) -> None:
    """A key that sends telemetry reads nothing."""
    assert "ACCESS_DENIED" in endpoint.refusal("SELECT 1", key="a ingests")
