"""Runs as processors see them: who belongs to whom, and what is computed once."""

from __future__ import annotations

import numpy as np
import pytest

from fleetspan_collector.processors.run import (
    NotComputedError,
    Run,
    give_up,
    per_run,
)
from tests.collector_processor.processors.building import Building


class TestTree:
    """Who belongs to whom."""

    def test_agents_calls_and_tools(self) -> None:
        """Everything is under the agent that its row names."""
        made = Building()
        made.agent("main", 0, 10)
        made.call("main", 0, 1)
        spawn = made.tool("main", 1, 8, tool="Task")
        made.agent("sub", 2, 8, parent="main", spawned_by=spawn)
        made.call("sub", 3, 1)
        made.call("nobody", 4, 1)
        tree = made.run().tree
        assert tree.parent.tolist() == [-1, 0]
        assert tree.depth.tolist() == [0, 1]
        assert tree.call_agent.tolist() == [0, 1, -1]
        assert tree.tool_agent.tolist() == [0]
        assert tree.spawn.tolist() == [-1, 0]
        assert tree.spawned.tolist() == [1]
        assert tree.children(0).tolist() == [1]

    def test_a_circle_is_cut_at_its_first(self) -> None:
        """Of agents in a circle the first to start has no parent; who is below stays."""
        made = Building()
        made.agent("a", 1, 9, parent="c")
        made.agent("b", 2, 9, parent="a")
        made.agent("c", 3, 9, parent="b")
        made.agent("below", 0, 9, parent="b")
        tree = made.run().tree
        # By start: below, a, b, c.
        assert tree.parent.tolist() == [2, -1, 1, 2]
        assert tree.cyclic.tolist() == [1, 2, 3]
        assert tree.depth.tolist() == [2, 0, 1, 2]

    def test_its_own_parent(self) -> None:
        """An agent that names itself has no parent, and lacks none."""
        made = Building()
        made.agent("a", 0, 9, parent="a")
        tree = made.run().tree
        assert (tree.parent.tolist(), tree.orphans.tolist()) == ([-1], [])

    def test_a_parent_that_never_came(self) -> None:
        """An agent of an unknown parent is an orphan."""
        made = Building()
        made.agent("a", 0, 9, parent="lost")
        assert made.run().tree.orphans.tolist() == [0]

    def test_an_empty_run(self) -> None:
        """A run of which only its own row is left has a tree all the same."""
        tree = Building(status="ok").run().tree
        assert tree.parent.tolist() == tree.orphans.tolist() == []

    def test_a_long_circle(self) -> None:
        """A circle of 5,000 agents is one circle."""
        made = Building()
        for number in range(5_000):
            made.agent(f"{number:04}", number, None, parent=f"{(number + 1) % 5000:04}")
        tree = made.run().tree
        assert len(tree.cyclic) == 5_000
        assert np.count_nonzero(tree.parent == -1) == 1


class TestPerRun:
    """What is computed once for each run."""

    def test_once(self) -> None:
        """A function of a run is computed once, however many ask."""
        asked = []

        @per_run
        def count(run: Run) -> int:
            asked.append(run)
            return 7

        run = Building(status="ok").run()
        assert [count(run), count(run)] == [7, 7]
        assert asked == [run]

    def test_a_failure_is_not_repeated(self) -> None:
        """What has raised once is not tried again for that run, and says so."""
        asked = []

        @per_run
        def count(run: Run) -> int:
            asked.append(run)
            raise ValueError("no")

        run = Building(status="ok").run()
        with pytest.raises(ValueError, match="no"):
            count(run)
        with pytest.raises(NotComputedError, match="count failed before: no"):
            count(run)
        assert len(asked) == 1

    def test_given_up(self) -> None:
        """What never came back for a run is not begun again."""

        @per_run
        def count(run: Run) -> int:
            raise AssertionError("begun")

        run = Building(status="ok").run()
        give_up(run, count, "it did not end in time")
        with pytest.raises(NotComputedError, match="it did not end in time"):
            count(run)
