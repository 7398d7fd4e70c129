"""Changes planted into phases of a seed, and what a comparison names."""

import numpy as np
import pytest

from fleetspan_collector.insights.change import Change
from fleetspan_collector.insights.changes import compare
from fleetspan_collector.insights.measures import Both
from tests.collector_processor.insights.phases import Made, Plant, phase


def changes(seed: int, plant: Plant, runs: int = 120) -> dict[str, Change]:
    """Compare a phase with one in which something was planted, by key of the change."""
    both = Both(
        phase(1000 + seed, runs=runs), phase(2000 + seed, plant=plant, runs=runs)
    )
    return {change.key: change for change in compare(both).changes}


def own(found: dict[str, Change]) -> set[str]:
    """Return the changes that stand for themselves."""
    return {key for key, change in found.items() if change.because_of is None}


def slow_tool(run: Made, rng: np.random.Generator) -> None:
    """One tool takes 40 % longer."""
    if run.tool == "web_search":
        run.tool_s = [each * 1.4 for each in run.tool_s]


def dear_runs(run: Made, rng: np.random.Generator) -> None:
    """Runs of one name cost 30 % more."""
    if run.kind == "ticket":
        run.usd *= 1.3


def new_failure(run: Made, rng: np.random.Generator) -> None:
    """A tool fails in two of five runs."""
    if run.tool == "git_diff":
        run.failures = int(rng.random() < 0.4)


def all_three(run: Made, rng: np.random.Generator) -> None:
    """All of these at once."""
    slow_tool(run, rng)
    dear_runs(run, rng)
    new_failure(run, rng)


class TestNothingPlanted:
    """Two phases that differ by chance alone."""

    def test_at_most_one_in_twenty(self):
        """Of 200 such reviews at most one in twenty names anything."""
        named = sum(
            bool(compare(Both(phase(2 * seed), phase(2 * seed + 1))).changes)
            for seed in range(200)
        )
        assert named <= 10

    def test_the_same_phase(self):
        """A phase does not differ from itself."""
        same = phase(5)
        assert compare(Both(same, same)).changes == []


class TestPlanted:
    """What is named, and how large."""

    @pytest.mark.parametrize(
        ("plant", "key"),
        [
            (slow_tool, "tool web_search seconds"),
            (dear_runs, "run ticket usd"),
            (new_failure, "tool git_diff failures"),
        ],
    )
    def test_exactly_that(self, plant, key):
        """One change is planted, and no other stands for itself."""
        assert own(changes(1, plant)) == {key}

    def test_all_at_once(self):
        """Three changes are planted, and exactly these are named."""
        assert own(changes(2, all_three)) == {
            "tool web_search seconds",
            "run ticket usd",
            "tool git_diff failures",
        }

    def test_often(self):
        """On 40 other seeds all three are named, and at most a tenth names more."""
        wanted = {
            "tool web_search seconds",
            "run ticket usd",
            "tool git_diff failures",
        }
        found = [own(changes(seed, all_three)) for seed in range(100, 140)]
        assert sum(each >= wanted for each in found) >= 38
        assert sum(each > wanted for each in found) <= 4

    def test_sizes(self):
        """Sizes are the planted ones, and lie within their intervals, on most seeds."""
        ratios, held = [], 0
        for seed in range(40):
            slower = changes(seed, slow_tool)["tool web_search seconds"]
            ratios.append(slower.ratio or 0.0)
            held += slower.low <= 0.4 * 2 <= slower.high
        assert np.median(ratios) == pytest.approx(1.4, abs=0.03)
        assert held >= 35

    def test_share_of_failures(self):
        """A failure that is new has no ratio, and its share is one of ten calls."""

        def never(run: Made, rng: np.random.Generator) -> None:
            run.failures = 0

        both = Both(phase(1, plant=never), phase(2, plant=new_failure))
        (change,) = (
            each
            for each in compare(both).changes
            if each.key == "tool git_diff failures"
        )
        assert change.ratio is None
        assert change.before == 0.0
        assert change.after == pytest.approx(0.1, abs=0.04)
        assert change.unit == "share"

    def test_consequences(self):
        """What a slow tool makes of its agent and its run is told as its consequence."""

        def much_slower(run: Made, rng: np.random.Generator) -> None:
            if run.tool == "web_search":
                run.tool_s = [each * 2 for each in run.tool_s]

        found = changes(3, much_slower)
        assert found["run research seconds"].because_of == "tool web_search seconds"
        assert (
            found["agent research-agent seconds"].because_of
            == "tool web_search seconds"
        )

    def test_parts(self):
        """The agent and the model of dearer runs are parts of that."""
        found = changes(4, dear_runs)
        for key in ("agent ticket-agent usd", "model model-of-ticket usd"):
            assert found[key].because_of == "run ticket usd"

    def test_two_causes(self):
        """A run that is slow for a reason of its own besides a tool stands for itself."""

        def both_slow(run: Made, rng: np.random.Generator) -> None:
            if run.kind == "research":
                run.tool_s = [each * 1.4 for each in run.tool_s]
                run.model_s += 30

        found = own(changes(5, both_slow))
        assert found == {"tool web_search seconds", "model model-of-research seconds"}

    def test_improvement(self):
        """What has become better is named as well, with a negative difference."""

        def cheaper(run: Made, rng: np.random.Generator) -> None:
            if run.kind == "review":
                run.usd *= 0.7

        change = changes(6, cheaper)["run review usd"]
        assert change.difference < 0
        assert change.ratio == pytest.approx(0.7, abs=0.04)

    def test_evidence(self):
        """The runs that are named are later ones that show it most."""
        change = changes(7, dear_runs)["run ticket usd"]
        assert len(change.run_ids) == 5
        assert all(each.startswith("run-2007-") for each in change.run_ids)


class TestComeAndGone:
    """What only one phase has."""

    def test_new(self):
        """A tool that only later runs have is new, in the share of runs that have it."""

        def another_tool(run: Made, rng: np.random.Generator) -> None:
            if run.tool == "git_diff":
                run.tool = "git_show"

        found = changes(8, another_tool)
        assert own(found) == {"tool git_show presence", "tool git_diff presence"}
        assert found["tool git_show presence"].before == 0.0
        assert found["tool git_show presence"].after == pytest.approx(1 / 3)
        assert found["tool git_diff presence"].after == 0.0

    def test_new_kind_of_run(self):
        """What belongs to a kind of run that is new is not told for itself."""

        def another_kind(run: Made, rng: np.random.Generator) -> None:
            if run.kind == "review":
                run.kind, run.tool = "audit", "npm_audit"

        named = own(changes(9, another_kind))
        assert "run audit presence" in named
        assert "tool npm_audit presence" not in named
        assert "agent audit-agent presence" not in named

    def test_new_kind_is_no_change_of_what_it_uses(self):
        """A new kind of run that searches at length does not make searching slower."""

        def long_searches(run: Made, rng: np.random.Generator) -> None:
            if run.kind == "review":
                run.kind, run.tool, run.tool_s = "audit", "web_search", [60.0] * 4

        found = changes(10, long_searches)
        assert "run audit presence" in found
        assert "tool web_search seconds" not in found

    def test_size_is_of_what_both_have(self):
        """Nor has it a part in how much slower searching has become elsewhere."""

        def slower_and_new(run: Made, rng: np.random.Generator) -> None:
            slow_tool(run, rng)
            if run.kind == "review":
                run.kind, run.tool, run.tool_s = "audit", "web_search", [60.0] * 4

        found = changes(11, slower_and_new)["tool web_search seconds"]
        assert found.ratio == pytest.approx(1.4, abs=0.1)
        assert (found.runs_before, found.runs_after) == (40, 40)


class TestFewRuns:
    """Phases too small to tell anything."""

    def test_too_few(self):
        """Fewer than five runs of a name are not compared, and that is said."""
        comparison = compare(Both(phase(1, runs=12), phase(2, runs=12)))
        assert comparison.changes == []
        assert comparison.compared == 0

    def test_one_name_is_enough_of_a_dimension(self):
        """With five of each name things are compared."""
        comparison = compare(Both(phase(1, runs=15), phase(2, runs=15)))
        assert comparison.compared > 0
