"""Whether texts may decide: where they tell something, and not where they do not."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

import numpy as np
import pytest

from fleetspan_routing.outcomes import Outcome, Task
from fleetspan_routing.router import Policy, Router
from fleetspan_routing.text_guard import Seen, judge
from fleetspan_routing.tiers import parse

EASY: Final = ("list the files", "rename a variable", "fix the typo")
HARD: Final = ("prove the theorem", "derive a bound", "integrate by parts")


def tasks(
    number: int, seed: int, *, told: bool = True, chance: float = 0.5
) -> list[Seen]:
    """Outcomes; the weak model does easy tasks as well as the strong, hard ones seldom.

    Args:
        number: How many.
        seed: Of chance.
        told: Whether the text tells which are easy.
        chance: With which the strong model had each.
    """
    draw = random.Random(seed)
    found = []
    for _ in range(number):
        hard = draw.random() < 0.5
        strong = draw.random() < chance
        said = hard if told else draw.random() < 0.5
        text = f"{draw.choice(HARD if said else EASY)} {draw.randrange(10_000)}"
        likely = 0.9 if strong or not hard else 0.3
        quality = float(draw.random() < likely)
        found.append(Seen(text=text, strong=strong, quality=quality, propensity=chance))
    return found


@pytest.mark.parametrize(("number", "chance"), [(800, 0.5), (2000, 0.8)])
def test_texts_that_tell_may_decide(number: int, chance: float) -> None:
    """About the easy half goes to the weak model; the figures are held out."""
    found = judge(tasks(number, 1, chance=chance), weak="small", strong="large")
    assert found.may
    assert 0.3 <= found.share <= 0.65
    assert 0 < found.gain_at_least < found.gain
    assert found.kept_at_least > 0.95
    assert "better than as many at random" in found.reason
    for numbers in (range(0, 10_000, 200), range(20_000, 9_000_000, 180_000)):
        easy = [found.spares(f"{text} {n}") for text in EASY for n in numbers]
        wrong = [found.spares(f"{text} {n}") for text in HARD for n in numbers]
        assert sum(easy) > 0.9 * len(easy)
        assert sum(wrong) < 0.05 * len(wrong)


def test_what_a_task_is_of_may_tell() -> None:
    """Where its text tells nothing: a role whose tasks are easy."""
    draw = random.Random(7)
    seen = []
    for one in tasks(800, 7, told=False):
        easy = draw.random() < 0.5
        likely = 0.9 if one.strong or easy else 0.3
        seen.append(
            replace(
                one,
                quality=float(draw.random() < likely),
                marks=Task(role="scout" if easy else "builder").marks(),
            )
        )
    found = judge(seen, weak="small", strong="large")
    assert found.may
    router = Router(
        tiers=TestRouter.TIERS,
        outcomes=TestRouter().router().outcomes,
        policy=Policy(by_text=True),
        texts={"w": found},
    )
    chosen = {
        role: router.pick(Task(workload="w", role=role), text="a task").model
        for role in ("scout", "builder")
    }
    assert chosen == {"scout": "small", "builder": "large"}


def test_texts_that_tell_nothing_may_not() -> None:
    """In at most a draw in twenty or so, however many outcomes there are."""
    may = [
        judge(tasks(200, seed, told=False), weak="a", strong="b", target=0.3).may
        for seed in range(100)
    ]
    assert sum(may) <= 9


def test_a_target_that_texts_cannot_keep() -> None:
    """Better than chance is not enough."""
    draw = random.Random(5)
    seen = [
        Seen(
            text=f"{draw.choice(EASY)} {n}",
            strong=n % 2 == 0,
            quality=float(draw.random() < (0.9 if n % 2 == 0 else 0.3)),
        )
        for n in range(800)
    ]
    found = judge(seen, weak="a", strong="b")
    assert not found.may
    assert "95% of the quality" in found.reason
    assert not found.spares(EASY[0])


def test_too_few_one_sided_or_not_by_chance() -> None:
    """Is said, and texts do not decide."""
    few = judge(tasks(199, 2), weak="a", strong="b")
    assert (few.may, few.reason) == (False, "199 outcomes with texts, of 200 needed")
    assert judge(tasks(199, 2), weak="a", strong="b", least=100).outcomes == 199
    sided = judge(tasks(300, 2, chance=0.99), weak="a", strong="b")
    assert "too one-sided" in sided.reason
    fixed = [
        Seen(text=s.text, strong=s.strong, quality=s.quality, propensity=s.strong)
        for s in tasks(300, 2)
    ]
    reason = judge(fixed, weak="a", strong="b").reason
    assert "a matter of chance for 0 texts of one, of 20 needed" in reason
    same = [replace(s, text=s.text if s.strong else EASY[0]) for s in tasks(600, 2)]
    reason = judge(same, weak="a", strong="b").reason
    assert "a matter of chance for 1 texts of one, of 20 needed" in reason


def test_one_text_that_comes_often_counts_once() -> None:
    """The same few texts, a hundred times each, are no proof."""
    draw = random.Random(3)
    texts = [f"{draw.choice(EASY)} {n}" for n in range(8)]
    quality = {(text, s): float(draw.random() < 0.6) for text in texts for s in (0, 1)}
    seen = [
        Seen(text=text, strong=bool(s), quality=quality[text, s], propensity=0.5)
        for text in texts
        for s in (0, 1)
    ] * 50
    found = judge(seen, weak="a", strong="b", target=0.5)
    assert (found.may, found.reason) == (False, "8 different texts, of 100 needed")


def test_the_same_twice() -> None:
    """What is judged depends on nothing but the outcomes."""
    first, second = (judge(tasks(300, 4), weak="a", strong="b") for _ in range(2))
    assert (first.may, first.reason) == (second.may, second.reason)


class TestRouter:
    """Where a policy says that texts may decide."""

    TIERS: Final = parse(
        {
            "tiers": {
                "weak": {"models": ["small"], "up_to": 5},
                "strong": {"models": ["large"]},
            }
        }
    )

    def router(self, *, by_text: bool = True, cost: float = 0.01) -> Router:
        """A router that knows that the weak model is worse on the whole."""
        made = Router(tiers=self.TIERS, policy=Policy(by_text=by_text))
        draw = np.random.default_rng(6)
        for model, likely, usd in (("small", 0.6, cost), ("large", 0.9, 1.0)):
            made.outcomes.add(
                Outcome(
                    task=Task(workload="w"),
                    model=model,
                    quality=float(draw.random() < likely),
                    cost_usd=usd,
                )
                for _ in range(400)
            )
        return made

    def test_the_reason_has_what_was_judged(self) -> None:
        """Easy texts go to the weak model, hard ones and those without a text do not."""
        router = self.router()
        router.texts["w"] = judge(tasks(800, 1), weak="small", strong="large")
        task = Task(workload="w")
        easy = router.pick(task, text="fix the typo 5")
        assert easy.model == "small"
        assert easy.reason.startswith("by its text: held out on 800 outcomes")
        assert "dearer" in easy.alternatives[1].against
        rule = router.texts["w"]
        hard_ones = [f"derive a bound {n}" for n in range(50)]
        hard = router.pick(task, text=next(t for t in hard_ones if not rule.spares(t)))
        assert hard.model == "large"
        assert "its text does not say that small would do" in hard.reason
        silent = router.pick(task)
        assert (silent.model, "text" in silent.reason) == ("large", False)

    def test_it_is_not_asked(self) -> None:
        """Of a workload that nobody judged, too few outcomes, or a cost that saves nothing."""
        router = self.router()
        reasons = []
        router.texts["v"] = judge(tasks(800, 1), weak="small", strong="large")
        reasons.append(router.pick(Task(workload="w"), text="fix the typo").reason)
        router.texts["w"] = judge(tasks(100, 1), weak="small", strong="large")
        reasons.append(router.pick(Task(workload="w"), text="fix the typo").reason)
        router = self.router(cost=2.0)
        router.texts["w"] = judge(tasks(800, 1), weak="small", strong="large")
        reasons.append(router.pick(Task(workload="w"), text="fix the typo").reason)
        router.texts["w"] = judge(tasks(800, 1), weak="small", strong="other")
        reasons.append(router.pick(Task(workload="w"), text="fix the typo").reason)
        for reason, part in zip(
            reasons,
            (
                "nobody has judged texts of this workload",
                "100 outcomes with texts, of 200 needed",
                "small is not cheaper",
                "they are about other",
            ),
            strict=True,
        ):
            assert reason.startswith("no cheaper model is known to be as good")
            assert reason.endswith(part)

    def test_only_where_the_policy_says_so(self) -> None:
        """Otherwise it is as if there were no texts."""
        router = self.router(by_text=False)
        router.texts["w"] = judge(tasks(800, 1), weak="small", strong="large")
        decision = router.pick(Task(workload="w"), text="fix the typo 5")
        assert decision.model == "large"
        assert decision.reason == "no cheaper model is known to be as good"
