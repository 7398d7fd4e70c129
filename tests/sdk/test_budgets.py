"""Budgets of a program stop it before the next step, warn, or call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import fleetspan
from fleetspan import Budget, BudgetSpentError, Spent
from fleetspan.testing import Recorded


def call(tokens: int = 100, usd: float | None = None) -> None:
    """Call a model."""
    with fleetspan.llm("m", provider="p") as llm:
        llm.usage(input_tokens=tokens, output_tokens=0)
        if usd is not None:
            llm.cost(usd)


def test_the_next_call_is_stopped_and_nothing_is_begun(recorded: Recorded) -> None:
    """The one that spends it goes through; it is known only when it has ended."""
    with Budget("b", tokens=150) as budget:
        call()
        call()
        with pytest.raises(BudgetSpentError, match="200 of 150 tokens") as caught:
            call()
        with pytest.raises(BudgetSpentError), fleetspan.tool("t"):
            raise AssertionError("was begun")
    assert caught.value.spent == Spent(
        budget="b", measure="tokens", used=200, limit=150
    )
    assert budget.used["tokens"] == 200
    assert len(recorded.spans()) == 2
    call()


def test_money_by_what_is_said_or_by_a_price(recorded: Recorded) -> None:
    """What the call says goes before the price."""

    def price(model: str, said: Mapping[str, Any]) -> float:
        return float(said["gen_ai.usage.input_tokens"]) / 100

    with Budget("b", usd=10, price=price) as budget:
        call(tokens=300)
        call(tokens=300, usd=0.5)
    assert budget.used["usd"] == 3.5


def test_exactly_so_many_tool_calls(recorded: Recorded) -> None:
    """Refused ones do not count, and model calls are none."""
    with Budget("b", calls=2) as budget:
        for _ in range(2):
            with fleetspan.tool("t"):
                call()
        with pytest.raises(BudgetSpentError), fleetspan.tool("t"):
            pass
        call()
    assert budget.used["calls"] == 2


def test_sub_agents_and_how_deep(recorded: Recorded) -> None:
    """An agent that is not within another is none."""
    with Budget("b", subagents=2, depth=1), fleetspan.agent("lead"):
        with (
            fleetspan.agent("one"),
            pytest.raises(BudgetSpentError, match="levels"),
            fleetspan.agent("x"),
        ):
            pass
        with fleetspan.agent("two"):
            pass
        with pytest.raises(BudgetSpentError, match="sub-agents"), fleetspan.agent("y"):
            pass


def test_they_nest(recorded: Recorded) -> None:
    """An inner one stops its sub-tree; what it stopped is taken from no outer one."""
    with Budget("outer", calls=5) as outer:
        with Budget("inner", calls=1):
            with fleetspan.tool("t"):
                pass
            with pytest.raises(BudgetSpentError, match="inner"), fleetspan.tool("t"):
                pass
        assert outer.used["calls"] == 1
        with fleetspan.tool("t"):
            pass
    assert outer.used["calls"] == 2


def test_warn_and_call(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """A log line once; a function each time, which may stop it in its own way."""
    with Budget("soft", calls=1, on_spent="warn"):
        for _ in range(3):
            with fleetspan.tool("t"):
                pass
    assert caplog.text.count("budget 'soft'") == 1
    told: list[Spent] = []
    with Budget("mine", calls=1, on_spent=told.append):
        for _ in range(3):
            with fleetspan.tool("t"):
                pass
    assert [each.measure for each in told] == ["calls", "calls"]

    def stop(spent: Spent) -> None:
        raise KeyError(spent.budget)

    with Budget("own", calls=1, on_spent=stop):
        with fleetspan.tool("t"):
            pass
        with pytest.raises(KeyError, match="own"), fleetspan.tool("t"):
            pass


async def test_tasks_share_it(recorded: Recorded) -> None:
    """Of ten at once exactly four are let do."""

    async def work() -> bool:
        try:
            async with fleetspan.tool("t"):
                await asyncio.sleep(0)
        except BudgetSpentError:
            return False
        return True

    async with Budget("b", calls=4):
        done = await asyncio.gather(*(work() for _ in range(10)))
    assert sum(done) == 4


def test_decorated_functions_and_threads(recorded: Recorded) -> None:
    """Are within it, too."""

    @fleetspan.tool("t")
    def work() -> int:
        return 1

    with Budget("b", calls=2), fleetspan.ContextExecutor(ThreadPoolExecutor(2)) as pool:
        assert work() == 1
        assert pool.submit(work).result() == 1
        with pytest.raises(BudgetSpentError):
            pool.submit(work).result()


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({}, "limits nothing"),
        ({"usd": 0}, "not above 0"),
        ({"tokens": -1}, "not above 0"),
        ({"usd": float("nan")}, "not above 0"),
        ({"usd": 1, "on_spent": "stop"}, "raise, warn"),
    ],
)
def test_wrong_budgets(given: dict[str, Any], because: str) -> None:
    """Are refused where they are made."""
    with pytest.raises(ValueError, match=because):
        Budget("b", **given)
