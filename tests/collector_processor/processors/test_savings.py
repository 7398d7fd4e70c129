"""What findings save together."""

from __future__ import annotations

import pytest

from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Run
from fleetspan_collector.processors.savings import saved_together
from tests.collector_processor.processors.building import Building


def finding(
    location: str,
    *,
    agents: tuple[int, ...] = (),
    calls: tuple[int, ...] = (),
    tools: tuple[int, ...] = (),
    seconds: float | None = 0.0,
    usd: float | None = 0.0,
) -> Finding:
    """Return a finding of which only place, evidence and saving matter."""
    return Finding(
        location=location,
        severity=Severity.LOW,
        what="w",
        advice="a",
        agents=agents,
        calls=calls,
        tools=tools,
        seconds=seconds,
        usd=usd,
    )


@pytest.fixture
def run() -> Run:
    """A lead of 20 s whose sub-agent holds it up for 15 s, 12 of them in one tool call."""
    made = Building()
    made.agent("lead", 0, 20)
    made.call("lead", 0, 2, CostUsd=0.5)
    spawn = made.tool("lead", 2, 15, tool="Task")
    made.agent("slow", 2, 17, parent="lead", spawned_by=spawn)
    made.call("slow", 2, 3, CostUsd=0.25)
    made.tool("slow", 5, 12, tool="Bash")
    made.call("lead", 17, 3, CostUsd=0.25)
    return made.run()


def test_apart(run: Run) -> None:
    """What is about different things adds up."""
    both = [
        finding("a", calls=(0,), seconds=1.0, usd=0.1),
        finding("b", calls=(2,), seconds=2.0, usd=0.2),
    ]
    assert saved_together(run, both) == pytest.approx((3.0, 0.3))


def test_a_step_and_the_agent_that_it_is_in(run: Run) -> None:
    """A straggler and the step that made it one save hardly more than one of them."""
    step = finding("step", tools=(1,), seconds=10.0)
    straggler = finding("straggler", agents=(1,), seconds=9.0)
    seconds, usd = saved_together(run, [straggler, step])
    # Of the agent's 15 s the step's 12 s are spoken for.
    assert seconds == pytest.approx(10.0 + 9.0 * 3 / 15)
    assert usd == 0.0


def test_the_same_twice(run: Run) -> None:
    """Two findings about the same calls count once, with the larger saving."""
    both = [finding("a", calls=(1,), usd=0.2), finding("b", calls=(1,), usd=0.15)]
    assert saved_together(run, both) == pytest.approx((0.0, 0.2))


def test_never_more_than_there_is(run: Run) -> None:
    """Nobody saves more than the run's time and cost, whatever is claimed."""
    wild = [finding("a", calls=(0,), seconds=1e9, usd=1e9)]
    assert saved_together(run, wild) == pytest.approx((20.0, 1.0))


def test_unknown(run: Run) -> None:
    """An unknown saving is not counted; nothing found saves nothing."""
    assert saved_together(run, [finding("a", seconds=None, usd=None)]) == (0.0, 0.0)
    assert saved_together(run, []) == (0.0, 0.0)
