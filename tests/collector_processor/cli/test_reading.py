"""``ls``, ``show`` and ``sql`` over runs in memory."""

import json
from typing import Any

import pytest

from fleetspan_collector.cli.show_command import tree, waterfall
from fleetspan_collector.store.rows import RunDetail
from tests.collector_processor.conftest import make_agent, make_run

USAGE_FIELDS = [
    "llm_calls",
    "tool_calls",
    "errors",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "reported_cost_usd",
    "unpriced_calls",
]
RUN_FIELDS = [
    *USAGE_FIELDS,
    "run_id",
    "session_id",
    "name",
    "status",
    "started_at",
    "duration_s",
    "agents",
]


def test_ls_json_is_the_documented_document(fleet_command: Any) -> None:
    """One document with its version, and per run every documented field."""
    done = fleet_command("ls", "--json")
    document = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert document["schema_version"] == 1
    assert [run["run_id"] for run in document["runs"]] == ["aaa222", "aaa111", "bbb333"]
    assert sorted(document["runs"][1]) == sorted(RUN_FIELDS)
    assert document["runs"][1]["agents"] == 3
    assert document["runs"][1]["cache_write_1h_tokens"] == 5


def test_ls_limit_and_since(fleet_command: Any) -> None:
    """The list is cut only when asked for."""
    done = fleet_command("ls", "--json", "--limit", "2", "--since", "2026-01-01T00:00Z")
    runs = json.loads(done.out)["runs"]
    assert [run["run_id"] for run in runs] == ["aaa222", "aaa111"]


def test_ls_is_a_table(fleet_command: Any) -> None:
    """People see a line per run."""
    lines = fleet_command("ls").out.splitlines()
    assert lines[0].split() == [
        "run",
        "name",
        "status",
        "started",
        "took",
        "agents",
        "calls",
        "tools",
        "errors",
        "tokens",
        "cost",
    ]
    assert lines[2].split() == [
        "aaa111",
        "research",
        "ok",
        "2026-01-02",
        "03:04:05",
        "10.0s",
        "3",
        "2",
        "1",
        "2",
        "1.5k",
        "$0.50+?",
    ]


def test_ls_cuts_nothing_at_80_columns(fleet_command: Any, monkeypatch: Any) -> None:
    """On a plain terminal the figures are whole; less wanted columns are left out."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = fleet_command("ls").out.splitlines()
    cells = ["aaa111", "research", "ok", "01-02", "03:04", "10.0s", "2", "$0.50+?"]
    assert lines[2].split() == cells


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("arguments", [("ls",), ("show", "aaa111")])
def test_tables_fit_the_terminal(
    fleet_command: Any,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    arguments: tuple[str, ...],
) -> None:
    """No line is longer than the terminal is wide."""
    monkeypatch.setenv("COLUMNS", str(columns))
    done = fleet_command(*arguments)
    assert done.code == 0
    assert max(len(line) for line in done.out.splitlines()) <= columns


def test_show_json_is_the_run_and_its_agents(fleet_command: Any) -> None:
    """The run's own fields, and a flat list of agents with the same and their place."""
    document = json.loads(fleet_command("show", "aaa1", "--json").out)
    agents = document.pop("agents")
    assert document.pop("schema_version") == 1
    difference = document.pop("cost_difference_usd")
    assert difference is None
    assert sorted(document) == sorted(set(RUN_FIELDS) - {"agents"})
    assert [(agent["agent_id"], agent["parent"]) for agent in agents] == [
        ("lead", None),
        ("scout", "lead"),
        ("writer", "lead"),
    ]
    assert agents[1]["spawn_tool_call_id"] == "call-1"
    assert agents[2]["cost_usd"] is None
    assert set(RUN_FIELDS) | {"agent_id", "type", "parent"} <= set(agents[0])


def test_show_draws_tree_and_waterfall(fleet_command: Any) -> None:
    """Sub-agents hang below their parent, each with its bar over the run's time."""
    lines = fleet_command("show", "aaa111").out.splitlines()
    rows = [line for line in lines if "━" in line]
    assert [row.split("━")[0].rstrip() for row in rows] == [
        "lead",
        "├─scout (Explore)",
        "└─writer ✗",
    ]
    bars = [row.count("━") for row in rows]
    assert bars[0] > bars[2] > bars[1]
    starts = [row.index("━") for row in rows]
    assert starts[0] < starts[1] < starts[2]
    assert rows[2].split()[-3:] == ["?", "2", "Bash"]


def test_bars_stand_where_the_agent_was_at_work() -> None:
    """A bar is the agent's share of the run's wall time, and at least one column."""
    agents = [
        make_agent("a"),
        make_agent("b", started_at="2026-01-02T03:04:10Z", duration_s=2.5),
        make_agent("c", started_at="2026-01-02T03:04:15Z", duration_s=0.0),
        make_agent("d", started_at=None),
    ]
    run = make_run("r", agents)
    assert [bar.plain for bar in waterfall(run, agents, 20)] == [
        "━" * 20,
        " " * 10 + "━" * 5,
        " " * 19 + "━",
        "",
    ]


def test_tree_survives_circles_strangers_and_depth() -> None:
    """Every agent is shown once, whatever the parents say."""
    circle = [make_agent("a", parent="b"), make_agent("b", parent="a")]
    assert [node.agent["agent_id"] for node in tree(circle)] == ["a", "b"]
    assert [node.lead for node in tree([make_agent("a", parent="gone")])] == [""]
    deep = [make_agent("0")]
    deep += [make_agent(str(i), parent=str(i - 1)) for i in range(1, 3000)]
    nodes = list(tree(deep))
    assert len(nodes) == 3000
    assert max(len(node.lead) for node in nodes) <= 30


def test_ambiguous_run_is_a_usage_error(fleet_command: Any) -> None:
    """Of two runs none is chosen."""
    done = fleet_command("show", "aaa")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "error: run 'aaa' is ambiguous",
        "because: 2 runs begin so: aaa222, aaa111",
        "try: fleetspan show aaa222",
    ]


def test_unknown_run_gets_a_guess(fleet_command: Any) -> None:
    """A mistyped id is answered with the closest one."""
    done = fleet_command("show", "aab111")
    assert done.code == 2
    assert done.err.splitlines()[2] == "try: did you mean fleetspan show aaa111?"


def test_sql_writes_what_the_engine_wrote(fleet_command: Any) -> None:
    """Into a pipe, the result comes byte for byte."""
    assert fleet_command("sql", "SELECT 1").out == "1\n"


def test_sql_refusal_is_an_error(fleet_command: Any) -> None:
    """What the engine refuses is said in three lines."""
    done = fleet_command("sql", "DROP TABLE x")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: the statement was refused\nbecause: ")


HOSTILE = "[red]x[/red]\x1b]0;pwned\x07\x9b31m\u202eevil\nrun"


@pytest.mark.parametrize("arguments", [("ls",), ("show", "aaa111")])
def test_names_cannot_drive_the_terminal(
    fleet_command: Any, fleet: list[RunDetail], arguments: tuple[str, ...]
) -> None:
    """Markup stays text, and control characters do not reach the terminal."""
    for run in fleet:
        run["name"] = HOSTILE
        for agent in run["agents"]:
            agent["name"] = agent["type"] = HOSTILE
            agent["failed_tools"] = [HOSTILE]
    done = fleet_command(*arguments)
    assert done.code == 0
    assert "[red]x[/red]" in done.out
    assert not set(done.out) & set("\x1b\x07\x9b\u202e")


def test_json_cannot_drive_the_terminal_and_keeps_the_text(
    fleet_command: Any, fleet: list[RunDetail]
) -> None:
    """A document has every control character escaped, and reads back as it was."""
    fleet[0]["name"] = HOSTILE
    done = fleet_command("show", "aaa111", "--json")
    assert json.loads(done.out)["name"] == HOSTILE
    assert not set(done.out) & set("\x1b\x07\x9b")


def test_no_store_is_unreachable_and_makes_nothing(command: Any, tmp_path: Any) -> None:
    """Reading where nothing was recorded is exit 3 and leaves no directory behind."""
    done = command("ls")
    assert done.code == 3
    assert done.err.startswith("error: there is no store yet\n")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("reported", "difference", "said"),
    [
        (None, None, "cost: $0.50+? (2 of 2 calls unpriced)"),
        (0.45, None, "reported $0.45"),
        (0.45, 0.05, "reported $0.45 (ours: +$0.0500)"),
        (0.65, -0.15, "reported $0.65 (ours: -$0.15)"),
        (0.5, 1e-9, "reported $0.50 (ours: the same)"),
    ],
)
def test_show_puts_the_reported_cost_beside_ours(
    fleet_command: Any,
    fleet: list[RunDetail],
    reported: float | None,
    difference: float | None,
    said: str,
) -> None:
    """The difference is over the calls that have both costs, and else not told."""
    fleet[0]["reported_cost_usd"] = reported
    fleet[0]["cost_difference_usd"] = difference
    text = " ".join(fleet_command("show", "aaa111").out.split())
    assert said in text
    assert ("reported" in text) == (reported is not None)


def test_ls_shows_reported_costs_where_there_is_room(
    fleet_command: Any, fleet: list[RunDetail], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column of them comes with the first one that is known, on a wide terminal."""
    assert "reported" not in fleet_command("ls").out
    fleet[0]["reported_cost_usd"] = 0.45
    assert "reported" not in fleet_command("ls").out
    monkeypatch.setenv("COLUMNS", "140")
    lines = fleet_command("ls").out.splitlines()
    assert lines[0].endswith("reported")
    assert [line.split()[-1] for line in lines[1:]] == ["?", "$0.45", "?"]
