"""When a dear model was given a simple task, and which cheaper one would have done."""

from __future__ import annotations

from typing import Any

import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors.overpowered_model import OverpoweredModel
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.outcomes import Outcomes, PastOutcomes
from fleetspan_collector.processors.run import Context
from tests.collector_processor.processors.building import Building

SIMPLE = "Summarise this build log in three lines."
HARD = (
    "Fix the race between cancellation and retry in the job runner: reproduce it with a "
    "test first and find out which of three modules is at fault."
)


def agent(
    made: Building,
    agent_id: str = "main",
    *,
    task: str = SIMPLE,
    model: str = "claude-opus-4-5",
    calls: int = 4,
    fresh: int = 2_000,
    name: str = "helper",
    provider: str = "anthropic",
    call: dict[str, Any] | None = None,
    **given: Any,
) -> None:
    """Add an agent with some calls, at opus' prices."""
    made.agent(agent_id, 0, 100, Task=task, Name=name, Type=name, **given)
    for at in range(calls):
        made.call(
            agent_id,
            at * 10,
            5,
            Model=model,
            Provider=provider,
            InputTokens=fresh,
            CacheReadTokens=0,
            CacheWriteTokens=0,
            OutputTokens=100,
            CostUsd=(fresh * 5 + 100 * 25) / 1e6,
            **(call or {}),
        )


def found(made: Building) -> list[Finding]:
    """Return what is found in the run."""
    return list(OverpoweredModel(ProcessorSettings()).findings(made.run()))


def test_a_simple_task_of_a_dear_model_is_told_with_what_the_small_one_costs() -> None:
    """Opus at 5 and 25 US dollars a million, haiku at 1 and 5."""
    made = Building()
    agent(made)
    (finding,) = found(made)
    assert finding.location == "helper/claude-opus-4-5"
    assert finding.agents == (0,)
    assert finding.calls == (0, 1, 2, 3)
    assert finding.details["cheaper_model"] == "claude-haiku-4-5"
    assert finding.details["task_kind"] == "log_summary"
    assert finding.usd == pytest.approx(4 * (2_000 * 4 + 100 * 20) / 1e6)
    assert finding.seconds == 0.0


@pytest.mark.parametrize(
    "given",
    [
        {"task": HARD},
        {"task": ""},
        {"model": "claude-haiku-4-5"},
        {"Status": "error"},
        {"calls": 1, "fresh": 500},
        {"calls": 60, "fresh": 30_000},
        {"call": {"Error": "overloaded"}},
    ],
    ids=[
        "hard",
        "unknown",
        "small model",
        "failed",
        "cheap",
        "much effort",
        "failed call",
    ],
)
def test_nothing_is_said_unless_everything_speaks_for_it(
    given: dict[str, Any],
) -> None:
    """The task, the effort, the outcome, the model and the money."""
    made = Building()
    agent(made, **given)
    assert found(made) == []


def test_agents_that_do_the_like_are_one_finding() -> None:
    """Each saves too little to speak of; together they do not."""
    made = Building()
    for number in range(8):
        agent(made, f"helper-{number}", calls=1, fresh=1_000)
    (finding,) = found(made)
    assert len(finding.agents) == 8
    assert finding.usd == pytest.approx(8 * (1_000 * 4 + 100 * 20) / 1e6)
    assert finding.what.startswith("8 agents helper did simple work (log summary, ")


def test_where_weaker_models_are_known_to_fail_nothing_is_said() -> None:
    """Haiku has failed nine of ten such tasks."""
    outcomes = PastOutcomes(
        known={("log_summary", "claude-haiku-4-5"): Outcomes(agents=100, failures=90)}
    )
    made = Building(context=Context(outcomes=outcomes))
    agent(made)
    assert found(made) == []


def test_what_the_task_says_goes_before_what_the_agent_is_called() -> None:
    """A reviewer that is asked to list files."""
    made = Building()
    agent(made, task="List the files in src/ that use the old logger.", name="reviewer")
    (finding,) = found(made)
    assert finding.details["task_kind"] == "file_scan"


def test_of_an_unknown_family_the_other_models_of_the_run_are_tried() -> None:
    """Mistral's large one beside gpt-5-mini, which does other things in this run."""
    made = Building()
    agent(made, model="mistral-large-2411", provider="mistral", calls=8)
    agent(made, "other", task=HARD, model="gpt-5-mini", provider="openai", name="other")
    (finding,) = found(made)
    assert finding.details["cheaper_model"] == "gpt-5-mini"
