"""What a router decides, why, and that it does not save on a guess."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Final

import pytest

from fleetspan_routing.outcomes import Outcome, Outcomes, Task
from fleetspan_routing.router import Policy, Router, RoutingError
from fleetspan_routing.tiers import parse

TIERS: Final = parse(
    {
        "tiers": {
            "weak": {"models": ["small"], "up_to": 3, "context_tokens": 1000},
            "base": {"models": ["middle"], "up_to": 7},
            "strong": {"models": ["large", "other"]},
        },
        "force": {"security_review": "strong"},
        "forbid": {"secret": ["middle", "small"]},
        "fallback": {"large": "elsewhere"},
    }
)
TASK: Final = Task(workload="docs", role="writer", tools="Read,Write", repository="r")
COSTS: Final = {"small": 0.01, "middle": 0.1, "large": 1.0, "other": 2.0}


def outcomes(model: str, good: int, bad: int, task: Task = TASK) -> list[Outcome]:
    """So many that went well, and so many that did not."""
    return [
        Outcome(task=task, model=model, quality=float(n < good), cost_usd=COSTS[model])
        for n in range(good + bad)
    ]


def router(*known: Sequence[Outcome], **policy: float | bool) -> Router:
    """A router that knows some outcomes."""
    made = Router(
        tiers=TIERS,
        policy=Policy(**policy),  # type: ignore[arg-type]
        random=random.Random(1),
    )
    for each in known:
        made.outcomes.add(each)
    return made


def test_nothing_known_is_no_reason_to_save() -> None:
    """The strongest; and it says what is missing for the others."""
    decision = router().pick(TASK)
    assert (decision.model, decision.tier, decision.propensity) == (
        "large",
        "strong",
        1,
    )
    assert [each.model for each in decision.alternatives] == [
        *("large", "small", "middle", "other")
    ]
    assert "0 outcomes like it, of 50 needed" in decision.alternatives[1].against
    assert decision.alternatives[0].against == ""


def test_the_cheapest_that_is_as_good() -> None:
    """With enough outcomes of both; the reason has the figures."""
    known = router(
        outcomes("small", 60, 40), outcomes("middle", 196, 4), outcomes("large", 196, 4)
    )
    decision = known.pick(TASK)
    assert (decision.model, decision.tier) == ("middle", "base")
    assert "quality 0.9" in decision.reason
    assert "of 200 such tasks" in decision.reason
    against = {each.model: each.against for each in decision.alternatives}
    assert "may be below 95% of" in against["small"]
    assert "dearer: $1.0" in against["large"]


def test_as_good_on_average_is_not_enough() -> None:
    """Twelve of twelve against nine of ten: that may be luck."""
    known = router(outcomes("middle", 12, 0), outcomes("large", 90, 10))
    assert known.pick(TASK).model == "large"
    known = router(
        outcomes("middle", 12, 0), outcomes("large", 90, 10), least_outcomes=5
    )
    assert known.pick(TASK).model == "large"


def test_outcomes_elsewhere_count_less() -> None:
    """A hundred in another repository do not make up for none in this one."""
    other = Task(workload="docs", role="writer", tools="Read,Write", repository="q")
    known = router(
        outcomes("middle", 300, 0, other),
        outcomes("large", 300, 0, other),
    )
    assert known.pick(other).model == "middle"
    here = known.outcomes.expected(TASK, "middle")
    assert here.quality > 0.95
    assert here.weight <= known.outcomes.borrowed
    assert known.pick(TASK).model == "large"


def test_what_is_forced_forbidden_too_long_or_away() -> None:
    """Holds whatever outcomes say."""
    known = router(
        outcomes("small", 300, 0), outcomes("middle", 300, 0), outcomes("large", 300, 0)
    )
    assert known.pick(TASK).model == "small"
    review = Task(kind="security_review")
    assert known.pick(review).tier == "strong"
    assert known.pick(Task(role="secret")).model in {"large", "other"}
    long = Task(workload="docs", role="writer", context_tokens=2000)
    assert "small" not in {each.model for each in known.pick(long).alternatives}
    assert known.pick(TASK, failing={"small", "middle", "large"}).model == "other"
    everybody = {"small", "middle", "large", "other"}
    decision = known.pick(TASK, failing=everybody)
    assert (decision.model, decision.tier) == ("elsewhere", "fallback")
    with pytest.raises(RoutingError, match="do not answer"):
        known.pick(TASK, failing=everybody | {"elsewhere"})


def test_the_lost_cache_is_charged() -> None:
    """Moving a long conversation to a cheaper model may cost more than it saves."""
    known = router(outcomes("middle", 300, 0), outcomes("large", 300, 0))
    known.cache_loss = lambda model, task: task.cached_tokens * 1e-5
    assert known.pick(TASK, present="large").model == "middle"
    warm = Task(
        workload="docs",
        role="writer",
        tools="Read,Write",
        repository="r",
        cached_tokens=100_000,
    )
    assert known.pick(warm, present="large").model == "large"
    assert known.pick(warm, present="middle").model == "middle"
    known.cache_loss = lambda model, task: None
    decision = known.pick(warm, present="large")
    assert decision.model == "large"
    (middle,) = [each for each in decision.alternatives if each.model == "middle"]
    assert middle.against == "what it costs is not known"


def test_exploring_is_rare_logged_and_never_dominated() -> None:
    """Each has the probability that it was drawn with; what is surely worse is not tried."""
    known = router(outcomes("small", 10, 190), outcomes("large", 190, 10), explore=0.1)
    known.outcomes.add(outcomes("other", 100, 100))
    found = [known.pick(TASK) for _ in range(4000)]
    shares = {name: 0.0 for name in COSTS}
    for decision in found:
        shares[decision.model] += 1 / len(found)
        total = sum(each.propensity for each in decision.alternatives)
        assert total == pytest.approx(1)
        assert decision.explored == (decision.model != "large")
    assert shares["large"] == pytest.approx(0.9, abs=0.03)
    assert shares["other"] == 0  # dearer than large, and worse
    assert shares["small"] > 0  # worse, but cheaper
    assert shares["middle"] > 0  # nothing is known of it


def test_by_complexity_only_where_a_policy_says_so() -> None:
    """And only until there are outcomes."""
    hard = Task(workload="docs", complexity=2.0)
    assert router().pick(hard).model == "large"
    decision = router(by_complexity=True).pick(hard)
    assert decision.model == "small"
    assert "complexity 2.0" in decision.reason


def test_older_outcomes_count_less() -> None:
    """What a model was half a year ago says little of it today."""
    known = Outcomes(half_life_days=30)
    day = 86_400.0
    known.add(
        Outcome(task=TASK, model="large", quality=1.0, at_s=0.0) for _ in range(100)
    )
    known.add(
        Outcome(task=TASK, model="large", quality=0.0, at_s=180 * day)
        for _ in range(20)
    )
    now = known.expected(TASK, "large", 180 * day)
    assert now.quality < 0.2
    assert known.models()["large"] == pytest.approx(20 + 100 / 64)


def test_order_does_not_matter() -> None:
    """An outcome that comes late counts as old as it is."""
    each = [
        Outcome(task=TASK, model="large", quality=n % 2, cost_usd=n, at_s=n * 1e5)
        for n in range(30)
    ]
    one, two = Outcomes(), Outcomes()
    one.add(each)
    two.add(reversed(each))
    first, second = (known.expected(TASK, "large", 4e6) for known in (one, two))
    assert first.quality == pytest.approx(second.quality)
    assert first.weight == pytest.approx(second.weight)
    assert first.cost_usd == pytest.approx(second.cost_usd or 0)


@pytest.mark.parametrize("quality", [-0.1, 1.1, float("nan")])
def test_quality_is_a_share(quality: float) -> None:
    """Nothing else is taken."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        Outcome(task=TASK, model="large", quality=quality)


@pytest.mark.parametrize(
    ("weak", "strong"), [(0.64, 0.86), (0.80, 0.86), (0.83, 0.86), (0.86, 0.86)]
)
@pytest.mark.parametrize("seen", [50, 200, 800])
def test_quality_is_kept_in_nearly_every_draw(
    weak: float, strong: float, seen: int
) -> None:
    """At least 95 % of the strongest's quality in 95 % of draws, however few outcomes."""
    chance = random.Random(f"{weak} {strong} {seen}")
    kept = []
    for _ in range(300):
        known = Router(tiers=TIERS, random=chance)
        for model, quality in (("small", weak), ("large", strong)):
            known.outcomes.add(
                Outcome(
                    task=TASK,
                    model=model,
                    quality=float(chance.random() < quality),
                    cost_usd=COSTS[model],
                )
                for _ in range(seen)
            )
        model = known.pick(TASK).model
        kept.append({"small": weak, "large": strong}[model] / strong >= 0.95)
    assert sum(kept) / len(kept) >= 0.95


def test_it_does_route_where_it_may() -> None:
    """Or the test above would hold for one that never does."""
    chance = random.Random(3)
    small = 0
    for _ in range(100):
        known = Router(tiers=TIERS, random=chance)
        for model in ("small", "large"):
            known.outcomes.add(
                Outcome(
                    task=TASK,
                    model=model,
                    quality=float(chance.random() < 0.86),
                    cost_usd=COSTS[model],
                )
                for _ in range(800)
            )
        small += known.pick(TASK).model == "small"
    assert small > 60


def test_deciding_takes_no_time_worth_naming() -> None:
    """Sixty models, all places known: it is a loop over them, not over outcomes."""
    tiers = parse({"tiers": {"all": {"models": [f"m{n}" for n in range(60)]}}})
    known = Router(tiers=tiers)
    known.outcomes.add(
        Outcome(task=TASK, model=f"m{n % 60}", quality=1.0, cost_usd=n)
        for n in range(6000)
    )
    began = time.process_time()
    for _ in range(100):
        known.pick(TASK)
    # Not a measure of speed: a hundred times what it takes would be a mistake in kind.
    assert time.process_time() - began < 20
