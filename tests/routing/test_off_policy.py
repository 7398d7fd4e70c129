"""What another policy would have got: right on average, as sure as it says, or refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_routing import _back_off
from fleetspan_routing._errors import LogError, SupportError
from fleetspan_routing._likelihood import interval, quantile, unlikely
from fleetspan_routing.decision_log import Log, Logged, effective, logged
from fleetspan_routing.off_policy import difference, evaluate
from fleetspan_routing.outcomes import Outcome, Outcomes, Task
from fleetspan_routing.router import Policy, Router
from fleetspan_routing.tiers import parse
from tests.routing._simulated import POLICIES, TASKS, log, truth

TIMES = 400


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "explore", "name"),
    [
        (100, 0.2, "always weak"),
        (100, 0.5, "weak for some"),
        (400, 0.05, "always weak"),
        (400, 0.1, "half"),
        (400, 0.5, "always strong"),
        (1000, 0.03, "weak for some"),
        (800, 0.3, "always weak"),
    ],
)
def test_intervals_have_the_truth_as_often_as_they_say(
    number: int, explore: float, name: str
) -> None:
    """Of 95 %, between 92.5 and 98 % over 400 logs; and none is off on average."""
    policy = POLICIES[name]
    hits, apart = np.zeros(6), np.zeros((6, TIMES))
    for seed in range(TIMES):
        found = evaluate(log(number, explore, seed), policy)
        assert found.cost_usd is not None
        for at, (kind, true) in enumerate(
            zip((found.quality, found.cost_usd), truth(policy), strict=True)
        ):
            three = (kind.doubly_robust, kind.self_normalised, kind.ips)
            for place, each in enumerate(three, 3 * at):
                hits[place] += each.low <= true <= each.high
                apart[place, seed] = each.value - true
    assert (hits / TIMES >= 0.925).all(), hits / TIMES
    assert (hits / TIMES <= 0.98).all(), hits / TIMES
    error = apart.std(axis=1) / math.sqrt(TIMES)
    assert (np.abs(apart.mean(axis=1)) < 4 * error).all()


def test_the_policy_that_was_in_force_got_what_it_got() -> None:
    """Every weight is 1, and nothing has to be guessed."""
    known = log(300, 0.3, 1)
    found = evaluate(known, lambda task: {"weak": 0.3, "strong": 0.7})
    assert found.effective == pytest.approx(300)
    for each in (found.quality.ips, found.quality.self_normalised):
        assert each.value == pytest.approx(known.quality.mean())
    assert found.shares == pytest.approx({"weak": 0.3, "strong": 0.7})
    assert found.quality.doubly_robust.low < known.quality.mean()


def test_what_is_expected_makes_it_surer() -> None:
    """Where roles differ, the doubly robust interval is the narrowest on average."""
    wide = np.zeros(3)
    for seed in range(30):
        quality = evaluate(log(400, 0.3, seed), POLICIES["always weak"]).quality
        three = (quality.doubly_robust, quality.self_normalised, quality.ips)
        wide += [each.high - each.low for each in three]
    assert wide[0] < wide[1] < wide[2]


def test_the_same_tasks_tell_a_difference_best() -> None:
    """Narrower than both intervals together, and about the truth."""
    known = log(1000, 0.5, 2)
    one, other = POLICIES["weak for some"], POLICIES["always weak"]
    found = difference(known, one, other)
    true = truth(one)[0] - truth(other)[0]
    assert found.low < true < found.high
    parts = [evaluate(known, each).quality.doubly_robust for each in (one, other)]
    assert found.value == pytest.approx(parts[0].value - parts[1].value, rel=1e-3)
    assert found.high - found.low < sum(each.high - each.low for each in parts)
    assert difference(known, one, one).value == 0


def test_what_was_never_tried_is_refused() -> None:
    """With the model, and the share of tasks; leaving those tasks alone is answered."""
    tried = [
        Logged(task=TASKS[0], model="weak", propensities={"weak": 1.0}, quality=1.0),
        Logged(
            task=TASKS[1],
            model="weak",
            propensities={"weak": 0.5, "strong": 0.5},
            quality=0.0,
        ),
        Logged(
            task=TASKS[1],
            model="strong",
            propensities={"weak": 0.5, "strong": 0.5},
            quality=1.0,
        ),
    ]
    known = Log(tried * 20)
    with pytest.raises(SupportError, match=r"strong at 33\.3% of tasks") as caught:
        evaluate(known, POLICIES["always strong"])
    assert caught.value.shares == pytest.approx({"strong": 1 / 3})
    assert "explore" in caught.value.suggestion
    there = evaluate(known, lambda t: {"weak" if t.task == TASKS[0] else "strong": 1.0})
    assert there.quality.doubly_robust.value == pytest.approx(1.0, abs=0.05)
    with pytest.raises(SupportError, match=r"unheard of at 100\.0% of tasks"):
        evaluate(known, lambda task: {"unheard of": 1.0})


def test_chances_of_the_chosen_alone_will_do() -> None:
    """The same estimate; what has no chance then shows in weights that do not come to 1."""
    whole, part = (log(600, 0.3, 3, whole=whole) for whole in (True, False))
    policy = POLICIES["weak for some"]
    assert evaluate(whole, policy).quality.ips.value == pytest.approx(
        evaluate(part, policy).quality.ips.value
    )
    only = [
        Logged(
            task=TASKS[n % 2],
            model="strong" if n % 2 else "weak",
            propensities={"strong" if n % 2 else "weak": 0.9},
            quality=1.0,
        )
        for n in range(200)
    ]
    with pytest.raises(SupportError, match="covers 56% of what it would decide"):
        evaluate(Log(only), POLICIES["always weak"])


def test_too_little_is_refused() -> None:
    """A few decisions that it would have made are no estimate."""
    with pytest.raises(SupportError, match=r"are worth 1\.0 of its own, of 5 needed"):
        evaluate(
            log(60, 0.05, 4),
            POLICIES["always weak"],
        )
    with pytest.raises(LogError, match="no decision is logged"):
        Log([])


@pytest.mark.parametrize(
    ("propensities", "quality", "cost_usd", "because"),
    [
        ({"a": 0.0}, 1.0, None, "propensities are"),
        ({"b": 1.0}, 1.0, None, "propensities are"),
        ({"a": 0.9, "b": 0.9}, 1.0, None, "propensities are"),
        ({"a": 1.1, "b": -0.1}, 1.0, None, "propensities are"),
        ({"a": float("nan")}, 1.0, None, "propensities are"),
        ({"a": 1.0}, 1.5, None, r"quality is 1\.5"),
        ({"a": 1.0}, 1.0, -1.0, r"cost is -1\.0"),
        ({"a": 1.0}, 1.0, float("inf"), "cost is inf"),
    ],
)
def test_entries_that_cannot_be_weighed(
    propensities: dict[str, float], quality: float, cost_usd: float | None, because: str
) -> None:
    """Are refused where they are made, with what is wrong."""
    with pytest.raises(LogError, match=because):
        Logged(
            task=TASKS[0],
            model="a",
            propensities=propensities,
            quality=quality,
            cost_usd=cost_usd,
        )


def test_a_policy_has_to_add_up() -> None:
    """To 1, at every task."""
    with pytest.raises(LogError, match=r"0\.9 together"):
        evaluate(log(50, 0.5, 5), lambda task: {"weak": 0.9})


def test_a_routers_own_decisions_are_a_log() -> None:
    """With the chance of every model that it could have taken."""
    tiers = parse({"tiers": {"all": {"models": ["strong", "weak"]}}})
    router = Router(tiers=tiers, policy=Policy(explore=0.25))
    each = logged(router.pick(TASKS[0]), TASKS[0], quality=1.0, cost_usd=0.5)
    assert each.propensities == {"strong": 0.75, "weak": 0.25}


def test_costs_that_are_not_known_are_not_nothing() -> None:
    """None without any; the mean of those that are known otherwise."""
    some = [
        Logged(
            task=TASKS[0],
            model="a",
            propensities={"a": 1.0},
            quality=1.0,
            cost_usd=2.0 if n % 2 else None,
        )
        for n in range(40)
    ]
    found = evaluate(Log(some), lambda task: {"a": 1.0}).cost_usd
    assert found is not None
    assert found.doubly_robust.value == pytest.approx(2.0)
    none = [each for each in some if each.cost_usd is None]
    assert evaluate(Log(none), lambda task: {"a": 1.0}).cost_usd is None


class TestExpectations:
    """The direct part."""

    def test_they_are_those_of_the_outcome_store(self) -> None:
        """Of all decisions but those of the own part of the log."""
        chance = np.random.default_rng(6)
        places = [
            Task(workload=w, role=r, repository=p)
            for w in "ab"
            for r in "cd"
            for p in "ef"
        ]
        tasks = [places[n] for n in chance.integers(len(places), size=200)]
        chosen = chance.integers(2, size=200)
        quality = chance.random(200).round()
        parts = _back_off.folds(200)
        found = _back_off.expected(
            _back_off.places(tasks), parts, chosen, 2, quality, 0.5
        )
        for at in range(0, 200, 17):
            store = Outcomes()
            store.add(
                Outcome(task=tasks[n], model=str(chosen[n]), quality=quality[n])
                for n in range(200)
                if parts[n] != parts[at]
            )
            for model in range(2):
                want = store.expected(tasks[at], str(model)).quality
                assert found[at, model] == pytest.approx(want)


class TestLikelihood:
    """The interval."""

    def test_none_of_many(self) -> None:
        """As of a binomial: its likelihood ratio has the upper end 1 - exp(-q² / 2n)."""
        values = np.zeros(50)
        low, high = interval(
            lambda at: (values - at, -at, 1 - at), 0.0, (0.0, 1.0), 1.96
        )
        assert low == 0
        assert high == pytest.approx(1 - math.exp(-(1.96**2) / 100), rel=1e-3)

    def test_some_of_many(self) -> None:
        """Likewise, by the binomial's own likelihood."""
        values = np.repeat([1.0, 0.0], [15, 35])
        for at in (0.2, 0.3, 0.5):
            ratio = 15 * math.log(0.3 / at) + 35 * math.log(0.7 / (1 - at))
            assert unlikely(values - at, -at, 1 - at) == pytest.approx(2 * ratio)

    @given(
        values=st.lists(st.floats(0, 1), min_size=2, max_size=40),
        quantile=st.floats(0.5, 4),
    )
    @settings(deadline=None, max_examples=60)
    def test_it_holds_the_mean_and_stays_inside(
        self, values: list[float], quantile: float
    ) -> None:
        """Whatever the values are."""
        given_values = np.array(values)
        mean = float(given_values.mean())
        low, high = interval(
            lambda at: (given_values - at, -at, 1 - at), mean, (0.0, 1.0), quantile
        )
        assert -1e-9 <= low <= mean + 1e-6
        assert mean - 1e-6 <= high <= 1 + 1e-9

    def test_few_values_make_it_wider(self) -> None:
        """By Bartlett's factor: of a fair coin, 1 + 1 / 2n; of many, none."""
        coin = np.repeat([0.5, -0.5], 10)
        assert quantile(0.95, coin) == pytest.approx(1.96 * math.sqrt(1.025), rel=1e-4)
        assert quantile(0.95, np.repeat(coin, 1000)) == pytest.approx(1.96, rel=1e-4)
        assert quantile(0.95, np.zeros(3)) == pytest.approx(1.96, rel=1e-4)

    def test_values_without_a_bound_make_it_wider(self) -> None:
        """Student's quantile, of four values about that of seven degrees of freedom."""
        values = np.array([1.0, -1.0, 1.0, -1.0])
        assert quantile(0.95, values, bounded=False) == pytest.approx(2.365, rel=0.01)

    def test_kish(self) -> None:
        """Equal weights are worth their number, one large one is worth one."""
        assert effective(np.ones(7)) == 7
        assert effective(np.array([0.0, 0.0, 20.0])) == 1
        assert effective(np.zeros(3)) == 0
