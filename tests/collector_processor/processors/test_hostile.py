"""Runs as nobody would make them: always an answer, or a clear finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fleetspan_collector.processors import schema
from fleetspan_collector.processors.analysis import Analysis, Clock, analyse
from fleetspan_collector.processors.critical_path import path_of
from fleetspan_collector.processors.registry import make_processors
from fleetspan_collector.processors.row_layouts import ANALYSES, FINDINGS, ROLLUPS
from fleetspan_collector.processors.rows import rows_of
from fleetspan_collector.processors.run import Context, Run, RunFacts, make_run
from tests.collector_processor.processors.building import START_NS, Building, ns

DAY_S = 86_400.0
IN_1970 = -START_NS / 1e9 + 1.0
IN_2100 = 4_102_444_800.0 - START_NS / 1e9


def looked_at(run: Run) -> Analysis:
    """Analyse a run with every processor, and see that none failed and rows can be made."""
    clock = Clock()
    found = analyse(run, make_processors(run.settings).processors, clock)
    assert clock.failures == []
    assert found.set_aside == []
    rows = rows_of([found], START_NS)
    assert rows.analyses.schema.names == ANALYSES.names
    assert rows.findings.schema.names == FINDINGS.names
    assert rows.rollups.schema.names == ROLLUPS.names
    assert rows.rollups.num_rows == run.agents.count
    return found


def broken(found: Analysis) -> str:
    """Return what the findings say of the telemetry itself."""
    said = [each.what for name, each in found.findings if name == "broken_trace"]
    return " ".join(said)


def tiles(run: Run) -> None:
    """See that the path of a run assigns every nanosecond once."""
    path = path_of(run)
    assert np.array_equal(path.end_ns[:-1], path.start_ns[1:])
    assert np.all(path.end_ns >= path.start_ns)
    assert sum(path.seconds.values()) == pytest.approx(path.wall_s, abs=1e-6)


def many(agents: int, turns: int, *, at_once: bool) -> Run:
    """Return a run of many agents below one, each with as many calls as tool calls."""
    number = np.arange(agents)
    begin = np.where(number == 0, 0, 1 if at_once else number) * 10**9
    ids = np.char.mod("agent-%d", number)
    owner = np.repeat(number, turns)
    step = np.tile(np.arange(turns), agents)
    call = begin[owner] + step * 5 * 10**8
    length = turns * 5 * 10**8

    def table(layout: pa.Schema, count: int, **columns: Any) -> pa.Table:
        made = {}
        for name, kind in zip(layout.names, layout.types, strict=True):
            if name in columns:
                made[name] = pa.array(columns[name]).cast(kind)
            elif pa.types.is_string(kind):
                made[name] = pa.array([""] * count)
            else:
                made[name] = pa.nulls(count, kind)
        whole = pa.table(made)
        return whole.take(
            np.lexsort((np.arange(count), whole["StartTime"].cast(pa.int64())))
        )

    return make_run(
        RunFacts(
            run_id="many",
            start_ns=START_NS,
            end_ns=START_NS + int(begin.max()) + length,
            last_activity_ns=START_NS + int(begin.max()) + length,
        ),
        agents=table(
            schema.AGENTS,
            agents,
            AgentId=ids,
            ParentAgentId=np.where(number == 0, "", "agent-0"),
            Name=ids,
            StartTime=START_NS + begin,
            EndTime=START_NS + begin + length,
            LastActivity=START_NS + begin + length,
            Status=["ok"] * agents,
        ),
        llm_calls=table(
            schema.LLM_CALLS,
            agents * turns,
            CallId=np.char.mod("call-%d", np.arange(agents * turns)),
            AgentId=ids[owner],
            Model=["claude-sonnet-4-5"] * (agents * turns),
            InputTokens=100 + step,
            CacheReadTokens=1000 + step,
            OutputTokens=step + 1,
            CostUsd=np.full(agents * turns, 0.001),
            StartTime=START_NS + call,
            DurationMs=np.full(agents * turns, 300.0),
        ),
        tool_calls=table(
            schema.TOOL_CALLS,
            agents * turns,
            ToolCallId=np.char.mod("tool-%d", np.arange(agents * turns)),
            AgentId=ids[owner],
            Tool=["Bash"] * (agents * turns),
            ArgumentsHash=np.char.mod("%d", step % 7),
            ResultHash=np.char.mod("%d", step % 5),
            ResultBytes=step * 10,
            StartTime=START_NS + call + 3 * 10**8,
            DurationMs=np.full(agents * turns, 200.0),
            Success=np.ones(agents * turns, np.int64),
        ),
        files=schema.FILES.empty_table(),
        context=Context(now_ns=START_NS + int(begin.max()) + length),
    )


class TestTimes:
    """Times that cannot be."""

    def test_1970_and_2100(self) -> None:
        """Spans of other centuries do not stretch the run, and are named."""
        made = Building()
        made.agent("main", 0, 60)
        for number in range(10):
            made.call("main", number * 6, 3)
            made.tool("main", number * 6 + 3, 3)
        made.call("main", IN_1970, 1)
        made.tool("main", IN_2100, 1)
        run = made.run()
        tiles(run)
        assert path_of(run).wall_s == 60.0
        assert broken(looked_at(run)) != ""

    def test_everything_in_1970(self) -> None:
        """A run whose clock stood still in 1970 is a run of 1970."""
        made = Building(start_ns=0)
        made.agent("main", 1, 5)
        made.call("main", 1, 4)
        run = made.run()
        tiles(run)
        assert path_of(run).wall_s == 4.0
        looked_at(run)

    def test_ends_before_starts(self) -> None:
        """What ends before it starts took no time, and is named."""
        made = Building()
        made.agent("main", 0, 10)
        made.call("main", 2, -5)
        made.tool("main", 3, -1e9)
        made.agent("sub", 5, 1, parent="main")
        run = made.run()
        tiles(run)
        assert "end" in broken(looked_at(run))

    def test_everything_at_one_moment(self) -> None:
        """A run without duration has a ledger without seconds."""
        made = Building()
        made.agent("main", 0, 0)
        for _ in range(50):
            made.call("main", 0, 0)
        run = made.run()
        tiles(run)
        assert path_of(run).wall_s == 0.0
        looked_at(run)

    def test_never_ending(self) -> None:
        """Calls, tool calls and agents that nobody saw end."""
        made = Building(context=Context(now_ns=ns(7200)))
        made.agent("main", 0, None)
        made.agent("sub", 1, None, parent="main")
        made.call("sub", 2, None)
        made.tool("sub", 3, None)
        run = made.run()
        tiles(run)
        looked_at(run)


class TestTrees:
    """Trees that are none."""

    def test_a_circle(self) -> None:
        """Parents that go round in a circle are named, and everything else is said."""
        made = Building()
        for number, parent in enumerate("cab"):
            made.agent("abc"[number], number, 20, parent=parent)
            made.call("abc"[number], number, 5)
        run = made.run()
        tiles(run)
        assert "circle" in broken(looked_at(run))

    def test_a_parent_that_never_comes(self) -> None:
        """An agent whose parent never came is named once the run is over."""
        made = Building()
        made.agent("main", 0, 20)
        made.agent("lost", 1, 15, parent="never")
        made.call("lost", 2, 5)
        run = made.run()
        tiles(run)
        assert "parent" in broken(looked_at(run))

    def test_nothing_at_all(self) -> None:
        """A run without agents, calls and tools is said nothing of."""
        run = Building(status="ok").run()
        assert looked_at(run).findings == []

    def test_calls_of_nobody(self) -> None:
        """Calls and tool calls that no agent owns still take their time."""
        made = Building()
        made.call("nobody", 0, 5)
        made.tool("", 5, 5)
        run = made.run()
        tiles(run)
        looked_at(run)

    def test_the_same_id_twice(self) -> None:
        """Rows with one id are rows all the same."""
        made = Building()
        for _ in range(3):
            made.agent("main", 0, 10)
            made.call("main", 1, 2, call_id="one")
            made.tool("main", 3, 2, call_id="one")
        run = made.run()
        tiles(run)
        looked_at(run)

    def test_texts(self) -> None:
        """Names of quotes, braces, nothing, and a megabyte."""
        made = Building(name="'\"{}\0\n" + "x" * 10**6)
        for number, name in enumerate(("", "{x!r}", "%s", "\ud7ff\u202e", "n" * 10**6)):
            made.agent(f"a{number}", number, 20, Name=name, Type=name, Task=name)
            for repeat in range(6):
                made.tool(
                    f"a{number}",
                    number + repeat,
                    0.5,
                    tool=name,
                    ArgumentsHash="a",
                    ResultHash="b",
                    Success=0,
                    Error=name,
                )
        found = looked_at(made.run())
        rows = rows_of([found], START_NS)
        longest = [len(each) for each in rows.findings["What"].to_pylist()]
        assert max(longest) <= 4000

    def test_numbers(self) -> None:
        """Tokens and costs that nobody can have used."""
        made = Building()
        made.agent("main", 0, 100)
        for number, value in enumerate((0, -5, 2**62, 2**40)):
            made.call(
                "main",
                number * 10,
                5,
                InputTokens=value,
                CacheReadTokens=value,
                CacheWriteTokens=value,
                OutputTokens=value,
                CostUsd=float(value) * 1e200,
                Attempts=2**32 - 1,
            )
            made.tool("main", number * 10 + 5, 5, ResultBytes=value)
        looked_at(made.run())


class TestSizes:
    """More of everything than anybody has."""

    @pytest.mark.slow
    def test_100_000_spans(self) -> None:
        """A run of 100,000 spans has an analysis like any other."""
        run = many(100, 500, at_once=False)
        tiles(run)
        looked_at(run)

    def test_1_000_agents_at_once(self) -> None:
        """A thousand agents at once are an answer, and a runaway fan-out."""
        run = many(1001, 2, at_once=True)
        tiles(run)
        found = looked_at(run)
        assert "runaway_fanout" in {name for name, _ in found.findings}

    def test_a_chain(self) -> None:
        """Each agent started by the one before, 3,000 deep."""
        made = Building()
        for number in range(3000):
            parent = f"a{number - 1}" if number else None
            made.agent(f"a{number}", number, 7000 - number, parent=parent)
        run = made.run()
        tiles(run)
        found = looked_at(run)
        assert "runaway_fanout" in {name for name, _ in found.findings}
