"""What counts as a missed cache, why it was missed, and what a hit would have saved."""

from __future__ import annotations

import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors.detectors.broken_cache import BrokenCache
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Context
from tests.collector_processor.processors.building import Building

PRICES = PriceBook(
    {
        "house": {
            "input": 10,
            "cache_read": 1,
            "cache_write_5m": 12.5,
            "cache_write_1h": 20,
            "output": 50,
        },
        "other": {"input": 1, "output": 1},
    }
)


def building() -> Building:
    """Begin a run of one agent."""
    made = Building(context=Context(prices=PRICES))
    made.agent("main", 0, 10_000)
    return made


def call(
    made: Building,
    at: float,
    *,
    fresh: int = 0,
    read: int | None = 0,
    written: int | None = 0,
    model: str = "house",
    provider: str = "one",
    agent: str = "main",
    hour: int = 0,
) -> None:
    """Add a call, with what it costs."""
    rates = (10, 1, 12.5, 20)
    parts = (fresh, read or 0, (written or 0) - hour, hour)
    made.call(
        agent,
        at,
        1,
        Model=model,
        Provider=provider,
        InputTokens=fresh,
        CacheReadTokens=read,
        CacheWriteTokens=written,
        CacheWrite1hTokens=hour,
        OutputTokens=0,
        CostUsd=sum(a * b for a, b in zip(rates, parts, strict=True)) / 1e6,
    )


def found(made: Building) -> list[Finding]:
    """Return what is found in the run."""
    return list(BrokenCache(ProcessorSettings()).findings(made.run()))


def test_a_call_that_reads_nothing_of_what_the_last_one_had_is_a_miss() -> None:
    """The whole earlier input is billed as input; a read would have cost a tenth."""
    made = building()
    call(made, 0, fresh=20_000)
    call(made, 10, fresh=1_000, read=20_000)
    call(made, 20, fresh=22_000)
    (finding,) = found(made)
    assert finding.calls == (2,)
    assert finding.agents == (0,)
    assert finding.location == "main"
    assert finding.usd == pytest.approx(21_000 * 9 / 1e6)
    assert finding.seconds == 0.0
    assert finding.details["cause"] == "prefix_changed"
    assert finding.details["missed_tokens"] == 21_000
    assert finding.severity is Severity.MEDIUM


def test_a_lost_prefix_that_was_written_again_saves_the_price_of_writing() -> None:
    """Where the client writes, what was lost is in the written tokens."""
    made = building()
    call(made, 0, written=20_000)
    call(made, 10, fresh=10, written=21_000)
    (finding,) = found(made)
    assert finding.usd == pytest.approx(20_000 * 11.5 / 1e6)


def test_all_misses_of_an_agent_are_one_finding_and_the_commonest_cause_is_named() -> (
    None
):
    """Two switches of the provider and one change of the prefix."""
    made = building()
    call(made, 0, fresh=20_000)
    call(made, 10, fresh=20_000, provider="two")
    call(made, 20, fresh=20_000, provider="one")
    call(made, 30, fresh=100, read=20_000)
    call(made, 40, fresh=20_200)
    (finding,) = found(made)
    assert finding.calls == (1, 2, 4)
    assert finding.details["cause"] == "provider_switch"
    assert finding.details["misses_provider_switch"] == 2
    assert finding.details["misses_prefix_changed"] == 1


def test_another_model_in_between_is_named() -> None:
    """A cache is of one model; the call before of the same model counts."""
    made = building()
    call(made, 0, fresh=20_000)
    call(made, 5, fresh=200, read=20_000)
    call(made, 10, fresh=20_000, model="other")
    call(made, 20, fresh=21_000)
    (finding,) = found(made)
    assert finding.calls == (3,)
    assert finding.details["cause"] == "model_switch"


@pytest.mark.parametrize(
    ("pause", "hour", "cause"),
    [(299, 0, "prefix_changed"), (301, 0, "idle"), (301, 20_000, "prefix_changed")],
)
def test_a_pause_longer_than_the_cache_lives_is_the_cause(
    pause: float, hour: int, cause: str
) -> None:
    """Five minutes, or an hour for who writes for an hour."""
    made = building()
    call(made, 0, written=20_000, hour=hour)
    call(made, 1 + pause, written=20_000, hour=hour)
    (finding,) = found(made)
    assert finding.details["cause"] == cause


def test_after_an_hour_nothing_is_expected_of_a_cache() -> None:
    """Nobody keeps a prefix for longer."""
    made = building()
    call(made, 0, written=20_000)
    call(made, 3_602, written=20_000)
    assert found(made) == []


def test_a_model_that_never_caches_in_the_run_is_not_broken() -> None:
    """Without reads and writes it may not be able to, or may not have been asked to."""
    made = building()
    for at in range(5):
        call(made, at * 10, fresh=20_000, read=None, written=None)
    assert found(made) == []


def test_a_call_that_tells_no_cache_tokens_has_read_none_if_its_model_caches() -> None:
    """Instrumentations leave the number out when it is 0."""
    made = building()
    call(made, 0, fresh=20_000, read=None, written=None)
    call(made, 10, fresh=500, read=20_000, written=None)
    call(made, 20, fresh=21_000, read=None, written=None)
    (finding,) = found(made)
    assert finding.calls == (2,)


def test_a_conversation_that_shrank_has_another_prefix() -> None:
    """Compaction and side questions begin anew; that is no miss."""
    made = building()
    call(made, 0, written=20_000)
    call(made, 10, read=20_000, written=10_000)
    call(made, 20, written=9_000)
    assert found(made) == []


def test_half_of_the_prefix_read_is_no_miss() -> None:
    """Providers round down, and cache a little late."""
    made = building()
    call(made, 0, fresh=20_000)
    call(made, 10, fresh=10_500, read=10_000)
    assert found(made) == []


def test_small_prefixes_are_not_looked_at() -> None:
    """4,000 tokens and less cost next to nothing."""
    made = building()
    call(made, 0, fresh=4_000, read=10)
    for at in range(1, 20):
        call(made, at * 10, fresh=3_990, read=10)
    assert found(made) == []


def test_what_hardly_costs_is_not_told() -> None:
    """A miss of less than 5 % of the agent's cost."""
    made = building()
    call(made, 0, fresh=5_000)
    call(made, 10, fresh=6_000)
    for at in range(2, 40):
        call(made, at * 10, fresh=6_000, read=9_000)
    assert found(made) == []


def test_calls_that_overlap_cannot_read_what_the_other_has_not_written() -> None:
    """Side by side, the second one began before the first one had ended."""
    made = building()
    call(made, 0, written=20_000)
    call(made, 0.5, written=20_000)
    assert found(made) == []


def test_without_a_price_the_saving_is_unknown_and_the_tokens_decide() -> None:
    """None is not zero."""
    made = building()
    for at, read in enumerate((0, 20_000, 0, 0)):
        made.call(
            "main",
            at * 10,
            1,
            Model="nobody-knows",
            Provider="nobody",
            InputTokens=20_000 - read + at,
            CacheReadTokens=read,
        )
    (finding,) = found(made)
    assert finding.calls == (2, 3)
    assert finding.usd is None
