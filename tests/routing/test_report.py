"""A policy beside always the strongest, a random mix and the best single model."""

from __future__ import annotations

import pytest

from fleetspan_routing._errors import LogError, SupportError
from fleetspan_routing.decision_log import Log, Logged
from fleetspan_routing.report import compare
from tests.routing._simulated import COST_USD, POLICIES, TASKS, log, truth

MODELS = ("weak", "strong")


def test_each_is_about_what_it_is_in_truth() -> None:
    """Quality, cost and gain of all four; the mix has the policy's shares."""
    policy = POLICIES["weak for some"]
    known = log(2000, 0.5, 11)
    found = compare(known, policy, MODELS, level=0.999)
    weak = found.policy.shares["weak"]
    others = (
        policy,
        POLICIES["always strong"],
        lambda task: {"weak": weak, "strong": 1 - weak},
        POLICIES["always strong"],
    )
    for line, other in zip(found.lines, others, strict=True):
        quality, cost_usd = truth(other)
        assert line.quality is not None
        assert line.cost_usd is not None
        assert line.quality.low <= quality <= line.quality.high
        assert line.cost_usd.low <= cost_usd <= line.cost_usd.high
        assert line.untold == ""
    assert found.policy.gain is None
    assert found.random.gain is not None
    assert found.random.gain.low > 0  # it does know which tasks are easy
    assert found.random.strong_share == pytest.approx(found.policy.strong_share)
    assert found.best_single.name == "always strong"
    assert found.always_strong.strong_share == 1
    assert found.decisions == 2000


def test_choosing_at_random_gains_nothing() -> None:
    """A policy that does not look at the task is its own random mix."""
    found = compare(log(500, 0.5, 12), POLICIES["half"], MODELS)
    assert found.random.gain is not None
    assert found.random.gain.value == pytest.approx(0)
    assert found.random.gain.low <= 0 <= found.random.gain.high


def test_where_there_is_no_choice_nothing_is_mixed() -> None:
    """Tasks that only one model could have keep it, in every line."""
    free = log(400, 0.5, 13).decisions
    forced = [
        Logged(
            task=TASKS[3],
            model="strong",
            propensities={"strong": 1.0},
            quality=1.0,
            cost_usd=COST_USD["strong"],
        )
    ] * 100
    known = Log([*(each for each in free if each.task != TASKS[3]), *forced])
    found = compare(
        known, lambda t: {"strong" if t.task == TASKS[3] else "weak": 1.0}, MODELS
    )
    assert not any(line.untold for line in found.lines)
    assert found.random.shares == pytest.approx(found.policy.shares)
    share = 100 / len(known)
    assert found.policy.strong_share == pytest.approx(share)


def test_what_the_log_cannot_tell() -> None:
    """The policy is refused; a comparison is left out, with the reason."""
    only = [
        Logged(task=TASKS[0], model="weak", propensities={"weak": 0.9}, quality=1.0),
        Logged(task=TASKS[0], model="weak", propensities={"weak": 1.0}, quality=0.0),
    ] * 30
    with pytest.raises(SupportError):
        compare(Log(only), POLICIES["always strong"], MODELS)
    rare = log(100, 0.5, 14).decisions
    few = Log([d for d in rare if d.model == "weak"] * 4)
    with pytest.raises(SupportError, match="covers"):
        compare(few, POLICIES["always weak"], MODELS)


def test_every_model_has_a_place() -> None:
    """Which is the strongest is not guessed."""
    with pytest.raises(LogError, match="how strong strong is"):
        compare(log(100, 0.5, 15), POLICIES["half"], ("weak",))
