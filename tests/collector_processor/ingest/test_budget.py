"""When the next round may start."""

import pytest

from fleetspan_collector.ingest.budget import Budget


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """The time as it is set."""
        return self.now_s


def budget_of(clock: Clock) -> Budget:
    """A budget of half a core while somebody looks and a twentieth otherwise."""
    return Budget(0.5, 0.05, clock)


class TestBudget:
    """Rounds keep to the budget, unless somebody waits."""

    def test_the_first_round_starts_at_once(self) -> None:
        """Nothing has been spent, so nothing has to be waited for."""
        assert budget_of(Clock()).next_round_in_s() == 0

    def test_unwatched_rounds_are_rare(self) -> None:
        """A round of 1 core-second counts half, and may come every 10 s at 5 %."""
        clock = Clock()
        budget = budget_of(clock)
        budget.spent(1.0)
        assert budget.next_round_in_s() == 0.5 / 0.05 - 0.5

    def test_somebody_who_looks_gets_more_of_the_machine(self) -> None:
        """At half a core a round of the same cost waits for as long as it took."""
        clock = Clock()
        budget = budget_of(clock)
        budget.looked()
        budget.spent(1.0)
        assert budget.next_round_in_s() == 0.5

    def test_looking_wears_off(self) -> None:
        """Ten seconds after the last read the idle budget holds again."""
        clock = Clock()
        budget = budget_of(clock)
        budget.looked()
        clock.now_s += 10.5
        budget.spent(1.0)
        assert budget.next_round_in_s() == 9.5

    def test_somebody_who_waits_does_not_wait_for_the_budget(self) -> None:
        """A fifth of a second after the last round the next one starts."""
        clock = Clock()
        budget = budget_of(clock)
        budget.spent(60.0)
        budget.wait(+1)
        assert budget.next_round_in_s() == pytest.approx(0.2)
        clock.now_s += 0.2
        assert budget.next_round_in_s() < 1e-9
        budget.wait(-1)
        assert budget.next_round_in_s() > 10
