"""Which model for which task: the cheapest that is known to be good enough.

::

    task ─► what is allowed (forced, forbidden, context, providers that are up)
         ─► what is expected of each (outcomes)
         ─► the cheapest whose quality is, with confidence, near enough to the strongest's
         ─► a weak one for those tasks whose text says so, where that was shown to hold
         ─► else the strongest: nothing is saved on a guess

The complexity score is no reason to leave the strongest model, unless a policy says so: on
public outcomes choosing by it is a coin toss (see the README).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fleetspan_routing._text_rule import TextRule
from fleetspan_routing.outcomes import Expected, Outcomes, Task
from fleetspan_routing.tiers import Tiers

_Z: Final = 1.645
"""Of a one-sided interval of 95 %."""


class RoutingError(ValueError):
    """No model may have a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a router decides.

    Attributes:
        target: Share of the strongest model's quality that is to be kept.
        least_outcomes: How many outcomes there have to be of a model, and of the
            strongest, for tasks like this one, before the first may stand in for the second.
        confidence_z: How sure it has to be, in standard deviations.
        explore: Share of tasks that go to another allowed model, so that there are
            outcomes; 0 for none.
        by_complexity: Without outcomes, go by the complexity score instead of to the
            strongest model.
        by_text: Let the text of a task decide between two models where `Router.texts`
            has what was judged of its workload, and it may.
    """

    target: float = 0.95
    least_outcomes: float = 50.0
    confidence_z: float = _Z
    explore: float = 0.0
    by_complexity: bool = False
    by_text: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.target <= 1 or not 0 <= self.explore < 1:
            raise ValueError("target has to be above 0 and explore below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A model that was looked at.

    Attributes:
        cost_usd: Expected, with what the loss of the prompt cache costs; ``None`` when
            not known.
        against: Why it was not taken; ``""`` when it was.
    """

    model: str
    tier: str
    expected: Expected
    cost_usd: float | None
    against: str
    propensity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which model a task goes to, and why.

    Attributes:
        model: Its name.
        tier: The tier that it is of.
        reason: In words.
        propensity: With which probability this model was chosen, so that what another
            policy would have done can be estimated from what this one did.
        alternatives: All allowed models, the chosen one first.
        explored: Whether it was chosen to learn about it.
    """

    model: str
    tier: str
    reason: str
    propensity: float
    alternatives: Sequence[Alternative]
    explored: bool = False


CacheLoss = Callable[[str, Task], float | None]
"""What a change to a model costs in input that is no longer cached, in US dollars;
``None`` when that is not known, and then the model is not taken for cheaper."""


@dataclass(slots=True, kw_only=True)
class Router:
    """Decides by tiers, outcomes and a policy; quick, and without asking anybody.

    Attributes:
        tiers: The models.
        outcomes: What is known.
        policy: How it decides.
        cache_loss: What leaving the present model costs; nothing unless given.
        texts: By workload, whether texts may decide there, and how.
        random: Where chance comes from.
    """

    tiers: Tiers
    outcomes: Outcomes = field(default_factory=Outcomes)
    policy: Policy = field(default_factory=Policy)
    cache_loss: CacheLoss | None = None
    texts: dict[str, TextRule] = field(default_factory=dict)
    random: random.Random = field(default_factory=random.SystemRandom)

    def pick(
        self,
        task: Task,
        *,
        text: str = "",
        present: str = "",
        failing: Collection[str] = (),
        at_s: float = 0.0,
    ) -> Decision:
        """Choose a model.

        Args:
            task: What is to be done.
            text: What it says, for `Policy.by_text`.
            present: The model that has its conversation now, and its prompt cache.
            failing: Models whose provider does not answer.
            at_s: Now, Unix seconds.

        Raises:
            RoutingError: When no model may have it.
        """
        allowed = self._allowed(task, failing)
        expected = self.outcomes.all_expected(task, allowed, at_s)
        costs = {
            model: self._cost(task, model, expected[model], present)
            for model in allowed
        }
        best = self._reference(allowed)
        chosen, reason, against = self._choose(task, allowed, expected, costs, best)
        if chosen == best and self.policy.by_text:
            chosen, reason = self._by_text(task, text, costs, best, reason, against)
        chances = self._chances(allowed, chosen, expected, costs)
        model = self._draw(chances)
        explored = model != chosen
        if explored:
            against[chosen] = "another one was tried, to learn about it"
            reason = f"to learn about it (one task in {1 / self.policy.explore:.0f})"
        alternatives = [
            Alternative(
                model=name,
                tier=self._tier(name),
                expected=expected[name],
                cost_usd=costs[name],
                against="" if name == model else against.get(name, "not the cheapest"),
                propensity=chances[name],
            )
            for name in sorted(allowed, key=lambda name: name != model)
        ]
        return Decision(
            model=model,
            tier=self._tier(model),
            reason=reason,
            propensity=chances[model],
            alternatives=alternatives,
            explored=explored,
        )

    def _allowed(self, task: Task, failing: Collection[str]) -> list[str]:
        """Models that may have a task, the weakest first."""
        names = (task.kind, task.role)
        never = self.tiers.forbidden(*names)
        first = self.tiers.tiers.index(self.tiers.least(*names))
        reach = [
            tier
            for tier in self.tiers.tiers[first:]
            if tier.context_tokens is None
            or (task.context_tokens or 0) <= tier.context_tokens
        ]
        wanted = [m for tier in reach for m in tier.models if m not in never]
        allowed = [model for model in wanted if model not in failing]
        if not allowed:
            stand_ins = (self._stand_in(model, failing) for model in reversed(wanted))
            allowed = [model for model in stand_ins if model and model not in never][:1]
        if not allowed:
            raise RoutingError(
                "no model may have this task: of "
                f"{', '.join(self.tiers.models)}, {len(never)} are forbidden for "
                f"{' or '.join(filter(None, names)) or 'it'}, "
                f"{sum(model in failing for model in self.tiers.models)} do not answer, "
                f"and its context has {task.context_tokens or 'unknown'} tokens"
            )
        return allowed

    def _stand_in(self, model: str, failing: Collection[str]) -> str:
        while model in self.tiers.fallback:
            model = self.tiers.fallback[model]
            if model not in failing:
                return model
        return ""

    def _reference(self, allowed: Sequence[str]) -> str:
        """The preferred one of the strongest tier that is allowed: what is kept to."""
        last = self.tiers.tier_of(allowed[-1])
        if last is None:
            return allowed[-1]
        return next(model for model in last.models if model in allowed)

    def _cost(
        self, task: Task, model: str, expected: Expected, present: str
    ) -> float | None:
        if expected.cost_usd is None:
            return None
        moves = present and model != present and task.cached_tokens
        loss = self.cache_loss(model, task) if moves and self.cache_loss else 0.0
        return None if loss is None else expected.cost_usd + loss

    def _choose(
        self,
        task: Task,
        allowed: Sequence[str],
        expected: Mapping[str, Expected],
        costs: Mapping[str, float | None],
        best: str,
    ) -> tuple[str, str, dict[str, str]]:
        """Return the model without chance, why, and what speaks against the others."""
        against: dict[str, str] = {}
        good: list[tuple[float, str]] = []
        most = costs[best]
        for model in allowed:
            if model == best:
                continue
            against[model] = self._against(expected[model], expected[best])
            cost = costs[model]
            if against[model]:
                continue
            if most is None or cost is None:
                against[model] = "what it costs is not known"
            elif cost >= most:
                against[model] = f"it is not cheaper (${cost:.4f})"
            else:
                good.append((cost, model))
        if good:
            cost, model = min(good)
            against[best] = f"dearer: ${most:.4f} against ${cost:.4f}"
            return model, self._as_good(expected[model], expected[best]), against
        if self.policy.by_complexity and task.complexity is not None:
            tier = self.tiers.by_complexity(task.complexity)
            if expected[best].seen < self.policy.least_outcomes:
                found = [m for m in allowed if m in tier.models]
                if found:
                    reason = (
                        f"complexity {task.complexity:.1f}, and too few outcomes yet"
                    )
                    return found[0], reason, against
        return best, "no cheaper model is known to be as good", against

    def _by_text(
        self,
        task: Task,
        text: str,
        costs: Mapping[str, float | None],
        best: str,
        reason: str,
        against: dict[str, str],
    ) -> tuple[str, str]:
        """Return the weak model where the task's text says so and may, or else the best."""
        if not text:
            return best, reason
        rule = self.texts.get(task.workload)
        if rule is None:
            return best, f"{reason}; nobody has judged texts of this workload"
        if not rule.may or rule.strong != best:
            why = (
                rule.reason if rule.strong == best else f"they are about {rule.strong}"
            )
            return best, f"{reason}; its text is not asked: {why}"
        weak, most = costs.get(rule.weak), costs[best]
        if weak is None or most is None or weak >= most:
            return best, f"{reason}; its text is not asked: {rule.weak} is not cheaper"
        if not rule.spares(text, task.marks()):
            return (
                best,
                f"{reason}, and its text does not say that {rule.weak} would do",
            )
        against[best] = f"dearer: ${most:.4f} against ${weak:.4f}"
        against.pop(rule.weak, None)
        return rule.weak, f"by its text: {rule.reason}"

    def _against(self, one: Expected, best: Expected) -> str:
        """Why a model may not stand in for the strongest; ``""`` when it may."""
        policy = self.policy
        seen = min(one.seen, best.seen)
        if seen < policy.least_outcomes:
            return f"{seen:.0f} outcomes like it, of {policy.least_outcomes:.0f} needed"
        if _surely_less(best, one, policy.confidence_z, policy.target) < 0:
            return (
                f"quality {one.quality:.2f}, perhaps {one.at_least(policy.confidence_z):.2f},"
                f" may be below {policy.target:.0%} of {best.quality:.2f}"
            )
        return ""

    def _as_good(self, one: Expected, best: Expected) -> str:
        return (
            f"quality {one.quality:.2f} of {one.seen:.0f} such tasks, with confidence "
            f"{self.policy.target:.0%} of {best.quality:.2f}"
        )

    def _chances(
        self,
        allowed: Sequence[str],
        chosen: str,
        expected: Mapping[str, Expected],
        costs: Mapping[str, float | None],
    ) -> dict[str, float]:
        """With which probability each is taken; dominated ones are not tried."""
        others = [
            model
            for model in allowed
            if self.policy.explore
            and model != chosen
            and not self._dominated(model, expected, costs)
        ]
        share = self.policy.explore if others else 0.0
        chances = dict.fromkeys(allowed, 0.0)
        chances |= dict.fromkeys(others, share / max(len(others), 1))
        chances[chosen] = 1 - share
        return chances

    def _dominated(
        self,
        model: str,
        expected: Mapping[str, Expected],
        costs: Mapping[str, float | None],
    ) -> bool:
        """Whether another one is surely better, and not dearer."""
        one, cost = expected[model], costs[model]
        if one.seen < self.policy.least_outcomes or cost is None:
            return False
        for name, other in expected.items():
            price = costs[name]
            if name == model or price is None or price > cost:
                continue
            if other.quality <= one.quality:
                continue
            enough = other.seen >= self.policy.least_outcomes
            if enough and _surely_less(one, other, self.policy.confidence_z) > 0:
                return True
        return False

    def _draw(self, chances: Mapping[str, float]) -> str:
        at = self.random.random()
        last = ""
        for model, chance in chances.items():
            if not chance:
                continue
            last = model
            if at < chance:
                return model
            at -= chance
        return last

    def _tier(self, model: str) -> str:
        tier = self.tiers.tier_of(model)
        return tier.name if tier else "fallback"


def _surely_less(one: Expected, other: Expected, z: float, share: float = 1.0) -> float:
    """Return by how much the other's quality surely exceeds a share of this one's.

    The lower bound of a difference of two proportions (Newcombe 1998, method 10).
    """
    difference = other.quality - share * one.quality
    below = other.quality - other.at_least(z)
    above = share * (one.at_most(z) - one.quality)
    return difference - math.hypot(below, above)
