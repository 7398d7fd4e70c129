"""The coordinator's benchmark: its graphs and ideals, and that it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks._scale import TINY
from tests.benchmarks.coordinator import Random, measure, random_graph


def test_the_ideal_is_what_nothing_can_beat() -> None:
    """The longest chain; with slots, no less than all work over all slots."""
    graph = Random(
        needs={"a": [], "b": ["a"], "c": [], "d": []},
        seconds={"a": 1.0, "b": 2.0, "c": 2.5, "d": 2.5},
    )
    assert graph.ideal_s(None) == 3.0
    assert graph.ideal_s(4) == 3.0
    assert graph.ideal_s(2) == 4.0


@pytest.mark.parametrize("count", [20, 200])
def test_graphs_are_the_same_every_time_and_have_the_path_that_is_asked_for(
    count: int,
) -> None:
    """Neither a chain nor a fan."""
    graph = random_graph(1, count, 2.0)
    assert graph == random_graph(1, count, 2.0)
    assert graph.ideal_s(None) == pytest.approx(2.0)
    assert 2 * 1.2 < sum(graph.seconds.values()) < 2 * count / 2


def test_it_measures_what_it_names(tmp_path: Path) -> None:
    """A row for each size, waves beside it; nothing here looks at a time."""
    result = measure(TINY, tmp_path)
    assert [row[0] for row in result.rows] == [
        *("20 steps", "50 steps", "100 steps", "200 steps"),
        "200 steps, 8 slots",
    ]
    assert all(len(row) == len(result.columns) for row in result.rows)
    assert result.raw["cost_us_per_step"] > 0
