"""The users of the ClickHouse server, as the engine itself understands their file.

No server is here, but the embedded engine reads the same files. It has one user, so that
gets what Grafana's has.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fleetspan_dashboards.alerts.rules import rules
from fleetspan_dashboards.boards import BOARDS
from fleetspan_dashboards.macros import expand

from tests.collector_processor.fleet import agent, call, traces
from tests.collector_processor.running import Collector, environment
from tests.collector_processor.server_store import embedded_only
from tests.deploy.files import DEPLOY

pytestmark = [pytest.mark.integration, embedded_only]

ASK = """
import json, sys, chdb
connection = chdb.connect(sys.argv[1])
answers = []
for query in json.load(sys.stdin):
    try:
        answers.append([True, str(connection.query(query, "TabSeparated"))])
    except Exception as error:
        answers.append([False, str(error)])
json.dump(answers, sys.stdout)
"""
EMPTY = "<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users>{}</users></clickhouse>"
CREATED = "CREATE USER fleetspan IDENTIFIED WITH plaintext_password SETTINGS PROFILE `default`"
OWNER = (
    "<default><password/><networks><ip>::/0</ip></networks><profile>default</profile>"
    "<quota>default</quota><access_management>1</access_management></default>"
)


def ask(
    folder: Path, store: Path, queries: list[str], users: str, ours: str
) -> list[tuple[bool, str]]:
    """Run statements as the engine's user; return whether each worked, and what it said.

    Args:
        folder: For its configuration.
        store: The directory of the store.
        queries: The statements.
        users: What stands in the main file of users.
        ours: What stands in our file.
    """
    drop = folder / "users.d"
    drop.mkdir(parents=True)
    (folder / "users.xml").write_text(EMPTY.format(users))
    (drop / "fleetspan.xml").write_text(ours)
    config = folder / "config.xml"
    config.write_text(
        f"<clickhouse><users_config>{folder}/users.xml</users_config></clickhouse>"
    )
    done = subprocess.run(
        [sys.executable, "-c", ASK, f"{store}?config-file={config}"],
        input=json.dumps(queries),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env=environment(STORE_PASSWORD="one", READER_PASSWORD="two"),  # noqa: S106
    )
    assert done.returncode == 0, done.stderr
    answers: list[tuple[bool, str]] = [
        (ok, text) for ok, text in json.loads(done.stdout)
    ]
    assert len(answers) == len(queries)
    return answers


@pytest.fixture(scope="module")
def file() -> str:
    """Our file of users."""
    return (DEPLOY / "clickhouse" / "users.d" / "fleetspan.xml").read_text()


@pytest.fixture(scope="module")
def reader(file: str) -> str:
    """The same, with Grafana's user in the place of the engine's."""
    text = file.replace("<grafana>", "<default>").replace("</grafana>", "</default>")
    text = text.replace('<password from_env="READER_PASSWORD"/>', "<password/>")
    assert text.count("default>") == file.count("default>") + 2
    return text


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run in it, which nobody has open."""
    data = tmp_path_factory.mktemp("store") / "data"
    with Collector(data, variables={"FLEETSPAN_OWN_METRICS_S": "1"}) as collector:
        body = traces([agent(1, 10), call(1, 11, 10)])
        collector.post("traces", body.SerializeToString())
        collector.settle()
        assert collector.count("runs") == 1
        assert collector.stop() == 0
    return data / "store"


def test_the_engine_knows_them(file: str, tmp_path: Path) -> None:
    """Their names, that they have passwords, what Grafana's may, and what limits it."""
    answers = ask(
        tmp_path / "configuration",
        tmp_path / "store",
        [
            "SELECT name, auth_type FROM system.users WHERE name != 'default' ORDER BY 1",
            "SHOW GRANTS FOR grafana",
            "SHOW CREATE USER fleetspan",
        ],
        OWNER,
        file,
    )
    assert [text.strip() for _, text in answers] == [
        "fleetspan\t['plaintext_password']\ngrafana\t['plaintext_password']",
        "GRANT SELECT ON otel.* TO grafana",
        CREATED,
    ]


def statements() -> list[str]:
    """Every query of every panel, choice and alert rule, as the plugin sends it."""
    every = [
        sql
        for board in BOARDS
        for sql in (
            *(text for panel in board.panels for text in (panel.sql, panel.edges)),
            *(choice.sql for choice in board.choices),
        )
        if sql
    ]
    every += [rule.sql for rule in rules()]
    now_s = int(time.time())
    variables = {"run": ["none"]}
    return [
        expand(sql, from_s=now_s - 86400, to_s=now_s, variables=variables)
        for sql in every
    ]


def test_grafana_s_user_may_ask_all_that_it_has_to(
    reader: str, store: Path, tmp_path: Path
) -> None:
    """Panels, choices, rules, and what the plugin looks up; with limits that it sets."""
    plugin = [
        "SELECT version()",
        "SELECT name FROM system.databases",
        "SELECT name FROM system.tables WHERE database = 'otel'",
        "SELECT name, type FROM system.columns WHERE table = 'otel_traces'",
        "SELECT count() FROM otel_traces SETTINGS max_execution_time = 5",
    ]
    queries = ["SELECT getSetting('readonly')", "USE otel", *plugin, *statements()]
    answers = ask(tmp_path / "configuration", store, queries, "", reader)
    assert answers[0][1].strip() == "2"
    assert answers[1 + len(plugin)][1].strip() == "2"
    refused = [
        (query, text)
        for query, (ok, text) in zip(queries, answers, strict=True)
        if not ok
    ]
    assert refused == []
    assert len(queries) > 80


REFUSED: list[Any] = [
    "INSERT INTO otel.otel_traces (TraceId) VALUES ('x')",
    "DROP TABLE otel.otel_traces",
    "CREATE TABLE otel.another (a Int8) ENGINE = Memory",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int8')",
    "SELECT * FROM system.users",
    "SYSTEM FLUSH LOGS",
]


def test_grafana_s_user_may_do_nothing_else(
    reader: str, store: Path, tmp_path: Path
) -> None:
    """It cannot write, read files and addresses, or learn of other users."""
    answers = ask(tmp_path / "configuration", store, REFUSED, "", reader)
    for query, (ok, text) in zip(REFUSED, answers, strict=True):
        assert not ok, query
        assert "ACCESS_DENIED" in text or "READONLY" in text, (query, text)
