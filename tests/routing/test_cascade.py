"""A weak model first: who has the task, why, what it costs, and whether it pays."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pytest

from fleetspan_routing._errors import RefusedError
from fleetspan_routing.cascade import (
    Answer,
    Audited,
    Cascade,
    Cascaded,
    break_even,
    sharpness,
)
from fleetspan_routing.outcomes import Outcome, Outcomes, Task
from fleetspan_routing.verifiers import Broken, Command, Function, Verdict

MODELS = ("small", "middle", "large")
COSTS = {"small": 0.01, "middle": 0.1, "large": 1.0}
TASK = Task(workload="docs")


def ask(model: str) -> Answer:
    """Every model says its own name."""
    return Answer(text=model, cost_usd=COSTS[model])


def will_do(*models: str) -> Function:
    """A verifier that passes some models' answers."""
    return Function(function=lambda text: text in models)


def models_of(found: Cascaded) -> Sequence[str]:
    """Who was asked."""
    return [step.model for step in found.steps]


@pytest.mark.parametrize(
    ("passes", "asked", "cost_usd"),
    [
        (("small",), ["small"], 0.01),
        (("middle", "large"), ["small", "middle"], 0.11),
        ((), ["small", "middle", "large"], 1.11),
    ],
)
def test_the_first_answer_that_passes_is_taken(
    passes: tuple[str, ...], asked: list[str], cost_usd: float
) -> None:
    """The last is taken as it is; the cost is that of all turns."""
    found = Cascade(models=MODELS, verifier=will_do(*passes)).run(ask)
    assert models_of(found) == asked
    assert found.model == found.answer.text == asked[-1]
    assert found.cost_usd == pytest.approx(cost_usd)
    assert [step.escalated for step in found.steps] == [
        *[True] * (len(asked) - 1),
        False,
    ]
    assert (found.steps[-1].verdict is None) == (asked[-1] == "large")
    assert found.broken == []


@pytest.mark.parametrize(
    ("when_broken", "asked"), [("escalate", [*MODELS]), ("accept", ["small"])]
)
def test_a_broken_verifier_is_an_explicit_policy(
    when_broken: Literal["escalate", "accept"], asked: list[str]
) -> None:
    """The next model, unless a user says otherwise; it is recorded either way."""
    verifier = Command(arguments=["/nowhere/at/all"])
    found = Cascade(models=MODELS, verifier=verifier, when_broken=when_broken).run(ask)
    assert models_of(found) == asked
    assert set(found.broken) == {Broken.MISSING}
    assert "no verdict (missing" in found.steps[0].reason
    assert Cascade(models=MODELS, verifier=verifier).when_broken == "escalate"


def test_what_a_model_raises_passes() -> None:
    """It is the user's, and no verdict on an answer."""

    def fails(model: str) -> Answer:
        raise ConnectionError(model)

    with pytest.raises(ConnectionError):
        Cascade(models=MODELS, verifier=will_do()).run(fails)


def test_costs_that_are_not_known_are_not_nothing() -> None:
    """One of them makes the whole unknown."""
    found = Cascade(models=MODELS, verifier=will_do()).run(
        lambda model: Answer(text="", cost_usd=None if model == "large" else 1.0)
    )
    assert found.cost_usd is None


@pytest.mark.parametrize(
    ("models", "audit"), [(("one",), 0.0), (("one", "one"), 0.0), (MODELS, 1.5)]
)
def test_what_is_no_cascade(models: tuple[str, ...], audit: float) -> None:
    """Is refused where it is made."""
    with pytest.raises(RefusedError, match="there is no cascade"):
        Cascade(models=models, verifier=will_do(), audit=audit)


def test_a_share_is_audited_whatever_the_verdict() -> None:
    """Or the sharpness would be of those alone that did not pass."""
    chance = random.Random(1)
    for passes in ((), MODELS):
        cascade = Cascade(
            models=MODELS, verifier=will_do(*passes), audit=0.2, random=chance
        )
        audited = sum(cascade.run(ask).audit for _ in range(500))
        assert 70 < audited < 130


@dataclass(frozen=True)
class Imperfect:
    """A verifier that is right of bad answers nine times in ten, of good ones eight."""

    chance: random.Random

    def verify(self, answer: str) -> Verdict:
        """Say it."""
        if answer == "bad":
            return Verdict(passed=self.chance.random() > 0.9)
        return Verdict(passed=self.chance.random() < 0.8)


def test_sharpness_is_found_from_audits() -> None:
    """Both shares with their intervals; no verdict counts in neither."""
    chance = random.Random(2)
    verifier = Imperfect(chance)
    audited = []
    for _ in range(2000):
        good = chance.random() < 0.5
        verdict = verifier.verify("good" if good else "bad")
        audited.append(Audited(verdict=verdict, good=good))
    broken = Verdict(passed=False, broken=Broken.TIMEOUT)
    found = sharpness([*audited, Audited(verdict=broken, good=True)])
    assert found.sensitivity is not None
    assert found.specificity is not None
    assert found.sensitivity.low < 0.9 < found.sensitivity.high
    assert found.specificity.low < 0.8 < found.specificity.high
    assert found.sensitivity.of + found.specificity.of == 2000
    assert found.broken == 1
    none = sharpness([])
    assert (none.sensitivity, none.specificity) == (None, None)


def known(weak_good: int, weak_usd: float | None, number: int = 400) -> Outcomes:
    """Outcomes of a weak model, and of a strong one that does nine of ten for $1."""
    outcomes = Outcomes()
    outcomes.add(
        Outcome(task=TASK, model="weak", quality=n < weak_good, cost_usd=weak_usd)
        for n in range(number)
    )
    outcomes.add(
        Outcome(task=TASK, model="strong", quality=n % 10 > 0, cost_usd=1.0)
        for n in range(number)
    )
    return outcomes


def test_it_pays_where_the_weak_model_is_cheap_for_how_often_it_will_do() -> None:
    """c_weak / c_strong < 1 - P(escalate), and the words have the figures."""
    found = break_even(known(240, 0.1), TASK, "weak", "strong")
    assert found.pays
    assert found.ratio == pytest.approx(0.1)
    assert found.escalated == pytest.approx(0.4, abs=0.01)
    assert found.cost == pytest.approx(0.5, abs=0.01)
    assert found.quality == pytest.approx(0.6 + 0.4 * 0.9, abs=0.01)
    assert "weak costs 10.0% of strong" in found.words
    assert "it pays" in found.words


def test_not_sure_is_not_paying() -> None:
    """Between the expected and the surely needed; above it, it does not."""
    unsure = break_even(known(240, 0.58), TASK, "weak", "strong")
    assert not unsure.pays
    assert "may pay" in unsure.words
    dear = break_even(known(240, 0.7), TASK, "weak", "strong")
    assert not dear.pays
    assert "does not pay" in dear.words


def test_a_dull_verifier_escalates_for_nothing() -> None:
    """It costs quality and money; half right on both is a coin."""
    outcomes = known(240, 0.1)
    sharp = break_even(outcomes, TASK, "weak", "strong")
    coin = break_even(
        outcomes, TASK, "weak", "strong", sensitivity=0.5, specificity=0.5
    )
    assert coin.escalated == pytest.approx(0.5)
    assert coin.quality < sharp.quality
    assert coin.quality == pytest.approx(0.5 * 0.6 + 0.5 * 0.9, abs=0.01)


def test_a_cost_that_is_not_known_is_no_reason() -> None:
    """Neither is one of a model that nobody has seen."""
    found = break_even(known(240, None), TASK, "weak", "strong")
    assert (found.pays, found.ratio, found.cost) == (False, None, None)
    assert found.words == "what weak costs is not known"
    assert break_even(known(1, 1.0), TASK, "weak", "new").words.startswith("what new")
