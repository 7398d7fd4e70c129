"""The small parts of the frame: what waits, whose a run is, and when silence says something."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from fleetspan_collector.config import Settings
from fleetspan_collector.processors.batch import RunBatch, offsets_of
from fleetspan_collector.processors.dirty import DirtyRuns
from fleetspan_collector.processors.run import Context, RunFacts
from fleetspan_collector.processors.sharing import owner_of
from fleetspan_collector.processors.silence import OpenRuns

S = 1_000_000_000


class TestDirtyRuns:
    """Runs that wait to be analysed."""

    def test_taken_once(self) -> None:
        """A run that was marked three times waits once, with its latest hour."""
        dirty = DirtyRuns()
        dirty.mark([("", "a", 1), ("", "b", 1), ("", "a", 2)])
        assert dirty.take(9) == {("", "a"): 2, ("", "b"): 1}
        assert len(dirty) == 0

    def test_a_reader_waits_for_what_was_marked_before(self) -> None:
        """A mark is done once a round that took it is; later marks do not matter."""
        dirty = DirtyRuns()
        dirty.mark([("", "a", 1)])
        mark = dirty.marked
        dirty.take(9)
        dirty.mark([("", "b", 1)])
        assert not dirty.is_done(mark)
        dirty.done()
        assert dirty.is_done(mark)
        assert not dirty.is_done(dirty.marked)

    def test_given_back(self) -> None:
        """What could not be analysed waits again; what changed meanwhile knows better."""
        dirty = DirtyRuns()
        dirty.mark([("", "a", 1), ("", "b", 1)])
        hours = dirty.take(9)
        dirty.mark([("", "a", 5)])
        dirty.give_back(hours)
        assert dirty.take(9) == {("", "a"): 5, ("", "b"): 1}
        assert not dirty.is_done(1)

    def test_a_few_at_a_time(self) -> None:
        """Those that have waited longest go first; a mark is done when all are."""
        dirty = DirtyRuns()
        dirty.mark([("", name, 1) for name in "abc"])
        assert list(dirty.take(2)) == [("", "a"), ("", "b")]
        dirty.done()
        assert not dirty.is_done(3)
        assert list(dirty.take(2)) == [("", "c")]
        dirty.done()
        assert dirty.is_done(3)


class TestSharing:
    """Whose a run is."""

    def test_everyone_agrees(self) -> None:
        """Whatever the order in which collectors are known, a run has one owner."""
        runs = [("", f"run-{number}") for number in range(300)]
        owners = [owner_of(run, ["a", "b", "c"]) for run in runs]
        assert owners == [owner_of(run, ["c", "a", "b"]) for run in runs]
        assert {each: owners.count(each) > 60 for each in "abc"} == dict.fromkeys(
            "abc", True
        )

    def test_only_its_own_runs_change_hands(self) -> None:
        """When one collector goes, the others keep what they had."""
        runs = [("", f"run-{number}") for number in range(300)]
        before = {run: owner_of(run, ["a", "b", "c"]) for run in runs}
        after = {run: owner_of(run, ["a", "b"]) for run in runs}
        assert all(after[run] == before[run] for run in runs if before[run] != "c")


class TestSilence:
    """Open runs that go silent."""

    def _facts(self, last_s: int, status: str = "running") -> RunFacts:
        return RunFacts(
            run_id="a", status=status, start_ns=0, last_activity_ns=last_s * S
        )

    def test_each_threshold_once(self) -> None:
        """An open run is looked at again when its silence passes a threshold, or grows."""
        settings = replace(
            Settings(),
            detect_stuck_agent_after_s=100.0,
            detect_stuck_agent_tool_s=150.0,
            idle_timeout_s=160.0,
        )
        runs = OpenRuns(settings)
        facts = self._facts(1000)
        looked_at = []
        for second in range(1000, 1400):
            if runs.take_silent(second * S) or second == 1000:
                looked_at.append(second - 1000)
                runs.note([facts], second * S)
        # The thresholds, and a quarter more of the first; one millisecond past each.
        assert looked_at == [0, 101, 126, 151, 157, 161]

    def test_activity_puts_it_off(self) -> None:
        """What was due by an older silence is not due any more."""
        settings = replace(Settings(), idle_timeout_s=10.0)
        runs = OpenRuns(settings)
        runs.note([self._facts(1000)], 1000 * S)
        runs.note([self._facts(1008)], 1008 * S)
        assert runs.take_silent(1011 * S) == []
        assert len(runs.take_silent(1019 * S)) == 1

    def test_ended(self) -> None:
        """A run that has ended is not waited for."""
        runs = OpenRuns(Settings())
        runs.note([self._facts(1000)], 1000 * S)
        runs.note([self._facts(1000, "ok")], 1000 * S)
        assert len(runs) == 0
        assert runs.take_silent(10**9 * S) == []


class TestBatch:
    """Runs that are read together."""

    def test_rows_of_each_run(self) -> None:
        """Each run has its rows, whatever the order of tables and runs; strangers go."""
        table = pa.table(
            {
                "Tenant": ["", "", "t", "", "x"],
                "RunId": ["b", "a", "a", "b", "b"],
                "AgentId": ["b1", "a1", "ta1", "b2", "x1"],
            }
        )
        keys = [("t", "a"), ("", "nothing"), ("", "b"), ("", "a")]
        rows, offsets = offsets_of(table, keys)
        assert rows.column_names == ["AgentId"]
        assert rows["AgentId"].to_pylist() == ["ta1", "b1", "b2", "a1"]
        assert offsets.tolist() == [0, 1, 1, 3, 4]

    def test_a_part(self) -> None:
        """Half of a batch has the same runs as the whole."""
        rows, offsets = offsets_of(
            pa.table(
                {
                    "Tenant": [""] * 3,
                    "RunId": ["a", "b", "b"],
                    "AgentId": ["a1", "b1", "b2"],
                }
            ),
            [("", "a"), ("", "b")],
        )
        batch = RunBatch(
            facts=[
                RunFacts(run_id=name, start_ns=0, last_activity_ns=0) for name in "ab"
            ],
            tables=dict.fromkeys(("agents", "llm_calls", "tool_calls", "files"), rows),
            offsets=dict.fromkeys(
                ("agents", "llm_calls", "tool_calls", "files"), offsets
            ),
            contexts=[Context()],
            context_of=[0, 0],
        )
        part = batch.part(1, 2)
        assert part.facts[0].run_id == "b"
        assert part.run(0).agents.strings("AgentId").tolist() == ["b1", "b2"]
        assert batch.run(1).agents.strings("AgentId").tolist() == ["b1", "b2"]
        assert batch.run(0).agents.table["AgentId"].to_pylist() == ["a1"]
