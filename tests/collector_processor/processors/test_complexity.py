"""How complex a run's task looked, and what effort it took."""

from __future__ import annotations

import pytest

from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors.complexity import FilesFrom, complexity_of
from fleetspan_collector.processors.model_tiers import Tier, mixed_usd, tier_of
from fleetspan_collector.processors.outcomes import Outcomes, PastOutcomes
from fleetspan_collector.processors.run import Context, Run
from fleetspan_routing.complexity import Complexity, TaskKind

from .building import START_NS, Building


def fixing(context: Context | None = None, *, end: float | None = 60) -> Building:
    """A run in which a bug is fixed, by one sub-agent among others."""
    building = Building(context=context)
    building.agent("main", 0, end, Task="Fix the crash in src/app.py and web/ui.ts")
    building.call(
        *("main", 1, 2),
        InputTokens=8_000,
        CacheReadTokens=1_000,
        CacheWriteTokens=1_000,
        OutputTokens=500,
        CostUsd=0.02,
        Attempts=3,
    )
    building.call("main", 5, 2, InputTokens=40_000, OutputTokens=500, CostUsd=0.1)
    building.tool("main", 4, 1)
    building.agent("scout", 10, 20, parent="main", Name="", Type="Explore")
    building.call("scout", 11, 2, InputTokens=50_000, OutputTokens=10)
    return building


def test_the_run_is_its_main_agents_task() -> None:
    """Context of the first call, kind and files of the text; nothing known of failures."""
    found = complexity_of(fixing().run())
    assert found.before == Complexity(
        total=3.9, task_kind=TaskKind.BUG_FIX, context=1.0, kind=2.4, files=0.5
    )
    assert (found.files, found.files_from) == (2, FilesFrom.TASK)
    assert found.columns() == {
        "TaskKind": "bug_fix",
        "Complexity": 3.9,
        "ComplexityContext": 1.0,
        "ComplexityKind": 2.4,
        "ComplexityFiles": 0.5,
        "ComplexityFailures": None,
        "Effort": found.effort,
    }


def test_each_agent_has_its_own_score() -> None:
    """By its own task, type and first call; no files are made up for it."""
    found = complexity_of(fixing().run())
    assert found.agents[0] == found.before
    assert found.agents[1] == Complexity(
        total=2.8, task_kind=TaskKind.FILE_SCAN, context=2.0, kind=0.8
    )
    assert found.agent_kinds() == ["bug_fix", "file_scan"]


def test_without_content_only_what_is_known_is_scored() -> None:
    """No text, no name that says anything, no tokens, no files: no score at all."""
    building = Building()
    building.agent("a", 0, 10)
    building.call("a", 1, 1)
    found = complexity_of(building.run())
    assert found.before == Complexity()
    assert found.files_from is FilesFrom.NOWHERE
    assert found.agents == [Complexity()]


def test_files_that_were_touched_stand_in_for_files_that_are_named() -> None:
    """Only known afterwards, and so said; of the run those of all agents, each once."""
    building = Building()
    building.agent("main", 0, 10, Task="Fix the crash. See e.g. example.com, v1.2")
    building.agent("sub", 1, 9, parent="main")
    for agent, path, operation in (
        ("main", "a.py", "read"),
        ("main", "b.py", "modify"),
        ("sub", "b.py", "modify"),
        ("sub", "c.py", "modify"),
        ("nobody", "d.py", "create"),
    ):
        building.file(agent, path, operation)
    found = complexity_of(building.run())
    assert (found.files, found.files_from) == (4, FilesFrom.TOUCHED)
    assert found.before.files == 1.0
    assert [each.files for each in found.agents] == [0.5, 0.5]


def with_outcomes(*rows: tuple[str, str, int, int]) -> Context:
    """A past: kind of task, model, agents, failures."""
    return Context(
        now_ns=START_NS,
        outcomes=PastOutcomes(
            {
                (kind, model): Outcomes(agents=agents, failures=failures)
                for kind, model, agents, failures in rows
            }
        ),
    )


def test_weak_models_that_failed_at_such_tasks_make_it_harder() -> None:
    """Only weak models with a price count, and only this kind of task."""
    context = with_outcomes(
        ("bug_fix", "claude-haiku-4-5", 60, 45),
        ("bug_fix", "gpt-5-mini", 40, 35),
        ("bug_fix", "claude-opus-4-5", 100, 0),
        ("bug_fix", "nobody-knows-me", 100, 0),
        ("file_scan", "claude-haiku-4-5", 10, 0),
    )
    found = complexity_of(fixing(context).run())
    assert found.before.failures == 2.0
    assert found.before.total == 5.9
    assert found.agents[1].failures == 0.0


def test_strong_models_alone_say_nothing_of_weak_ones() -> None:
    """Without an outcome of a weak model the factor is not known."""
    context = with_outcomes(("bug_fix", "claude-opus-4-5", 100, 90))
    assert complexity_of(fixing(context).run()).before.failures is None


def test_effort_is_of_what_was_used() -> None:
    """Three calls, 101,010 tokens, 0.12 dollars, one tool call, two retries."""
    found = complexity_of(fixing().run())
    assert found.effort == pytest.approx(2.487, abs=0.001)
    own, scout = found.agent_efforts
    assert own == pytest.approx(2.093, abs=0.001)
    assert scout == pytest.approx(1.036, abs=0.001)


def test_what_goes_on_has_no_effort_yet() -> None:
    """Neither the run nor its agent; a sub-agent that has ended has one."""
    found = complexity_of(fixing(end=None).run())
    assert found.effort is None
    assert found.agent_efforts[0] is None
    assert found.agent_efforts[1] is not None


def test_calls_that_nobody_owns_count_for_the_run() -> None:
    """A run without any agent is scored by its name and its calls."""
    building = Building(name="nightly security audit")
    building.call("", 0, 1, InputTokens=10_000)
    building.call("", 2, 1, InputTokens=90_000)
    found = complexity_of(building.run())
    assert found.before.task_kind is TaskKind.SECURITY_REVIEW
    assert found.before.context == 1.0
    assert found.agents == []
    assert found.effort is not None


def test_a_run_with_nothing_in_it_has_an_answer() -> None:
    """No agents, no calls."""
    found = complexity_of(Building().run())
    assert found.before == Complexity()
    assert found.agent_kinds() == []


def test_a_run_is_scored_once() -> None:
    """Processors share the result."""
    run = fixing().run()
    assert complexity_of(run) is complexity_of(run)


def large() -> Run:
    """1,000 agents in a circle of parents, with a call and a tool call each."""
    building = Building()
    for number in range(1_000):
        name = f"agent-{number}"
        building.agent(name, number, None, parent=f"agent-{(number + 1) % 1_000}")
        building.call(name, number, -5, InputTokens=number)
        building.tool(name, number, None)
    return building.run()


def test_a_circle_of_a_thousand_agents_has_an_answer() -> None:
    """Every agent is scored, whoever is whose."""
    found = complexity_of(large())
    assert len(found.agents) == 1_000
    assert found.agents[-1].context == 0.0


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("claude-haiku-4-5", Tier.WEAK),
        ("gemini-2.5-flash", Tier.WEAK),
        ("claude-sonnet-4-5", Tier.BASE),
        ("gemini-2.5-pro", Tier.BASE),
        ("claude-opus-4-5", Tier.STRONG),
        ("gpt-5-pro", Tier.STRONG),
        ("nobody-knows-me", None),
        ("", None),
    ],
)
def test_a_model_is_as_strong_as_it_is_dear(model: str, tier: Tier | None) -> None:
    """The original's table of tiers, told by price; unknown without a price."""
    assert tier_of(PriceBook(), model, START_NS) is tier


@pytest.mark.parametrize("at_ns", [-(2**63), 0, 2**63 - 1])
def test_any_clock_has_a_price(at_ns: int) -> None:
    """Three quarters input at 3 dollars, one quarter output at 15."""
    assert mixed_usd(PriceBook(), "claude-sonnet-4-5", at_ns) == pytest.approx(6.0)


def test_the_users_own_prices_decide() -> None:
    """An override makes a weak model of a dear one."""
    own = PriceBook({"claude-opus-4-5": {"input": 0.1, "output": 0.2}})
    assert tier_of(own, "claude-opus-4-5", START_NS) is Tier.WEAK
    assert tier_of(PriceBook(), "claude-opus-4-5", START_NS) is Tier.STRONG
