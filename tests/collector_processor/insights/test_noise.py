"""Whether differences are more than noise, against values that are known."""

import math

import numpy as np
import pytest

from fleetspan_collector.insights.noise import (
    Samples,
    adjusted,
    only_later_p,
    p_value,
    size,
)


def samples(*strata: tuple[list[float], list[float]]) -> Samples:
    """Return runs of several names: the earlier and the later values of each."""
    values, stratum, later = [], [], []
    for number, (before, after) in enumerate(strata):
        values += [*before, *after]
        stratum += [number] * (len(before) + len(after))
        later += [False] * len(before) + [True] * len(after)
    return Samples(
        amount=np.array(values, dtype=np.float64),
        count=np.ones(len(values)),
        stratum=np.array(stratum, dtype=np.int64),
        later=np.array(later),
        run=np.arange(len(values)),
    )


class TestPValue:
    """Mann-Whitney's rank sum, and van Elteren's sum over strata."""

    def test_apart(self):
        """Of 252 orders of five and five, two set them wholly apart."""
        assert p_value(samples(([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]))) == 2 / 252

    def test_the_same(self):
        """Where both are the same, every order is as far apart."""
        assert p_value(samples(([3, 3, 3, 3, 3], [3, 3, 3, 3, 3]))) == 1.0

    def test_ties(self):
        """Equal values share the middle of their ranks: 1, 2.5, 2.5 and 4 here."""
        # Six orders: rank sums of the later two are 3.5, 3.5, 5, 5, 6.5 and 6.5.
        assert p_value(samples(([1, 2], [2, 3]))) == pytest.approx(4 / 6)

    def test_many(self):
        """Many runs go by the normal approximation: z of U is 4.87 for 0..19 and 8..27."""
        before, after = list(map(float, range(20))), [each + 8.0 for each in range(20)]
        # By hand: ranks from 1 with middle ranks for the twelve values that both have.
        both = sorted(before + after)
        rank = {
            each: np.mean([i + 1 for i, x in enumerate(both) if x == each])
            for each in both
        }
        above = sum(rank[each] for each in after) - 20 * 41 / 2
        spread = 400 / 12 * (41 - 12 * (8 - 2) / (40 * 39))
        expected = math.erfc(above / math.sqrt(2 * spread))
        assert p_value(samples((before, after))) == pytest.approx(expected)
        assert expected < 0.001

    def test_strata(self):
        """A difference within every name counts, though names differ far more."""
        low = ([1.0, 2, 3, 4, 5, 6], [4.0, 5, 6, 7, 8, 9])
        high = ([101.0, 102, 103, 104, 105, 106], [104.0, 105, 106, 107, 108, 109])
        both = p_value(samples(low, high))
        assert both < p_value(samples(low))
        assert both < 0.01

    def test_weights(self):
        """Names weigh by one over their runs and one, as van Elteren has it."""
        small, large = ([1.0, 2.0], [3.0]), ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
        # Rank sums above what is expected, and their variances: 1 of 2/3, 4.5 of 5.25.
        z = (1 / 4 + 4.5 / 7) / math.sqrt(2 / 3 / 16 + 5.25 / 49)
        assert p_value(samples(small, large)) == pytest.approx(
            math.erfc(z / math.sqrt(2))
        )

    def test_another_mix(self):
        """More of the slow name later is no change of either name."""
        fast, slow = [1.0, 1.1, 1.2, 1.3], [50.0, 51.0, 52.0, 53.0]
        mixed = samples((fast * 5, fast * 1), (slow * 1, slow * 5))
        assert p_value(mixed) == 1.0

    def test_alone(self):
        """Runs that only one phase has are not comparable."""
        one_sided = samples(([1, 2, 3], [4, 5, 6]), ([], [7, 8, 9])).comparable()
        assert len(one_sided.amount) == 6

    def test_false_alarms(self):
        """Where nothing differs, p is at most 0.05 about one time in twenty."""
        rng = np.random.default_rng(7)
        hits = sum(
            p_value(
                samples((rng.gamma(2, 1, 30).tolist(), rng.gamma(2, 1, 30).tolist()))
            )
            <= 0.05
            for _ in range(1000)
        )
        assert 25 <= hits <= 75


class TestAdjusted:
    """Benjamini and Hochberg's adjustment."""

    def test_known(self):
        """The values of their step-up: p times the number, over the rank, made rising."""
        assert adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx(
            [0.02, 0.04, 0.04, 0.02]
        )

    def test_none(self):
        """Nothing compared is nothing adjusted."""
        assert adjusted([]) == []


def test_only_later():
    """Five of ten runs, all of them later ones: one of 252 choices."""
    assert only_later_p(5, 5, 5) == 1 / 252


class TestSize:
    """How large a difference is."""

    def test_median(self):
        """Times are told by their middle."""
        found = size(samples(([1, 2, 3, 4, 100], [2, 4, 6, 8, 10])), "median")
        assert (found.before, found.after) == (3.0, 6.0)

    def test_mean(self):
        """What adds up is told by its mean."""
        found = size(samples(([1, 2, 3], [4, 5, 6])), "mean")
        assert (found.before, found.after) == (2.0, 5.0)

    def test_later_mix(self):
        """The earlier phase is seen with the later one's mix of names."""
        found = size(samples(([1.0] * 9, [2.0]), ([10.0], [20.0] * 9)), "mean")
        assert found.before == pytest.approx(0.1 * 1 + 0.9 * 10)
        assert found.after == pytest.approx(0.1 * 2 + 0.9 * 20)

    def test_interval(self):
        """In about 95 of 100 draws the interval holds the true difference."""
        rng = np.random.default_rng(3)
        held = 0
        for _ in range(200):
            before, after = rng.normal(10, 1, 40), rng.normal(12, 1, 40)
            found = size(samples((before.tolist(), after.tolist())), "mean")
            held += found.low <= 2 <= found.high
        assert 176 <= held <= 200

    def test_the_same_again(self):
        """The same runs have the same interval whenever they are looked at."""
        given = samples(([1, 2, 3, 4, 5], [3, 4, 5, 6, 9]))
        assert size(given, "median") == size(given, "median")
