"""Decisions that were made, each with its chance, ready to be asked about other policies.

A policy that picks a model where it had no chance cannot be told from them, and neither can
one of which too little is left: both are refused here, before anything is estimated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing import _back_off
from fleetspan_routing._errors import LogError, SupportError
from fleetspan_routing._likelihood import quantile, unlikely
from fleetspan_routing.outcomes import Task
from fleetspan_routing.router import Decision

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_NEAR: Final = 1e-6
_SURELY: Final = 0.9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A decision, and what came of it.

    Attributes:
        task: What it was about.
        model: Which model got it.
        propensities: With which chance each allowed model would have got it; of the one
            that did at least. Only where they add up to 1 is it known what had no chance.
        quality: How good the result was, 0 to 1.
        cost_usd: What it cost; ``None`` when not known.
        text: What was asked, for policies that go by it.
    """

    task: Task
    model: str
    propensities: Mapping[str, float]
    quality: float
    cost_usd: float | None = None
    text: str = ""

    def __post_init__(self) -> None:
        chance = self.propensities.get(self.model, 0.0)
        total = math.fsum(self.propensities.values())
        least = min(self.propensities.values(), default=0.0)
        if not 0 < chance <= 1 or least < 0 or total > 1 + _NEAR:
            raise LogError(
                f"the decision for {self.model} cannot be weighed",
                because=f"its propensities are {dict(self.propensities)}",
                suggestion="log the chance, above 0, with which each model was drawn",
            )
        if not 0 <= self.quality <= 1:
            raise LogError(
                f"the decision for {self.model} cannot be weighed",
                because=f"its quality is {self.quality!r}, not between 0 and 1",
                suggestion="log what was solved as 1 and what was not as 0",
            )
        if self.cost_usd is not None and not 0 <= self.cost_usd < math.inf:
            raise LogError(
                f"the decision for {self.model} cannot be weighed",
                because=f"its cost is {self.cost_usd!r}",
                suggestion="log US dollars, or None where they are not known",
            )


Other = Callable[[Logged], Mapping[str, float]]
"""A policy: of what was asked (`Logged.task` and `Logged.text`, and nothing of what came of
it), the chance of each model that it may pick."""


def logged(
    decision: Decision, task: Task, *, quality: float, cost_usd: float | None = None
) -> Logged:
    """Return a router's decision as an entry of the log."""
    return Logged(
        task=task,
        model=decision.model,
        propensities={each.model: each.propensity for each in decision.alternatives},
        quality=quality,
        cost_usd=cost_usd,
    )


class Log:
    """Logged decisions, made ready to be asked about many policies."""

    def __init__(self, decisions: Sequence[Logged], *, seed: int = 0) -> None:
        """Read a log.

        Args:
            decisions: In any order.
            seed: Of how they are dealt out for cross-fitting.

        Raises:
            LogError: When it is empty.
        """
        if not decisions:
            raise LogError(
                "nothing can be estimated",
                because="no decision is logged",
                suggestion="route with Policy(explore=0.05) and log what comes of it",
            )
        self.decisions = tuple(decisions)
        names = {n for each in decisions for n in (each.model, *each.propensities)}
        self.models: tuple[str, ...] = tuple(sorted(names))
        place = {name: at for at, name in enumerate(self.models)}
        self.chosen = np.array([place[each.model] for each in decisions])
        self.chances = np.array(
            [
                [each.propensities.get(name, 0.0) for name in self.models]
                for each in decisions
            ]
        )
        self.whole = np.abs(self.chances.sum(axis=1) - 1) <= _NEAR
        self.quality = np.array([each.quality for each in decisions])
        self.cost_usd = np.array(
            [math.nan if d.cost_usd is None else d.cost_usd for d in decisions]
        )
        self._where = _back_off.places([each.task for each in decisions])
        self._parts = _back_off.folds(len(decisions), seed)

    def __len__(self) -> int:
        return len(self.decisions)

    def expected(self, values: Floats, prior: float) -> Floats:
        """Return what each model is expected to give at each task, without its own part."""
        return _back_off.expected(
            self._where, self._parts, self.chosen, len(self.models), values, prior
        )

    def policy(self, other: Other | Floats) -> Floats:
        """Return the chances that a policy gives each model at each task.

        Args:
            other: The policy; or these chances themselves, in the order of `models`.

        Raises:
            LogError: When they do not add up to 1.
            SupportError: When it picks models that the log does not have.
        """
        if isinstance(other, np.ndarray):
            return other
        known: dict[tuple[Task, str], Mapping[str, float]] = {}
        for each in self.decisions:
            if (each.task, each.text) not in known:
                known[each.task, each.text] = _checked(other(each))
        rows = [known[each.task, each.text] for each in self.decisions]
        strange: dict[str, float] = {}
        for row in rows:
            for name in row.keys() - set(self.models):
                strange[name] = strange.get(name, 0.0) + row[name] / len(rows)
        strange = {name: share for name, share in strange.items() if share > 0}
        if strange:
            raise _unsupported(strange)
        return np.array([[row.get(name, 0.0) for name in self.models] for row in rows])

    def possible(self) -> Bools:
        """Return which models had a chance at each task, as far as that was logged.

        Where only the chosen one's chance was, all that were ever chosen may have had one.
        """
        tried = np.zeros(len(self.models), np.bool_)
        tried[self.chosen] = True
        return np.where(self.whole[:, None], self.chances > 0, tried)

    def weights(self, wanted: Floats) -> tuple[Floats, Floats]:
        """Return how often each decision counts, and by model how often one could at most.

        Raises:
            SupportError: When the policy picks what had no chance, or too little is left.
        """
        at = np.arange(len(self)), self.chosen
        weights: Floats = wanted[at] / self.chances[at]
        lost = np.where(self.possible(), 0.0, wanted).mean(axis=0)
        if lost.sum() > _NEAR:
            raise _unsupported(
                {n: float(s) for n, s in zip(self.models, lost, strict=True) if s > 0}
            )
        known = self.chances > 0
        most = np.divide(wanted, self.chances, np.zeros_like(wanted), where=known)
        _check_mean(weights, float(most.max()))
        return weights, most.max(axis=0)


def effective(weights: Floats) -> float:
    """Return how many equally weighted decisions these are worth (Kish 1965)."""
    squares = float((weights * weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _checked(chances: Mapping[str, float]) -> Mapping[str, float]:
    total = math.fsum(chances.values())
    if abs(total - 1) > _NEAR or min(chances.values()) < 0:
        raise LogError(
            "the policy cannot be asked",
            because=f"the chances that it gives are {dict(chances)}, {total:g} together",
            suggestion="return a chance of 0 or more for each model, 1 together",
        )
    return chances


def _check_mean(weights: Floats, most: float) -> None:
    """Refuse weights that surely do not come to 1 a decision, as they have to."""
    mean = float(weights.mean())
    least = float(weights.min())
    wide = quantile(_SURELY, weights - mean)
    bounds = weights - 1, -1.0 if least >= 0 else least - 1, max(most, 1 + _NEAR) - 1
    if abs(mean - 1) <= _NEAR or unlikely(*bounds) <= wide**2:
        return
    raise SupportError(
        "what this policy would have got cannot be told",
        because=f"what was decided covers {mean:.0%} of what it would decide, surely not"
        " all of it",
        suggestion="log the propensities of all allowed models, and check that they are"
        " those that were drawn with",
        shares={},
    )


def _unsupported(shares: Mapping[str, float]) -> SupportError:
    listed = ", ".join(f"{name} at {share:.1%}" for name, share in shares.items())
    return SupportError(
        "what this policy would have got cannot be told",
        because=f"it picks models where they had no chance: {listed} of tasks",
        suggestion="route with Policy(explore=0.05), which tries them, or ask about a"
        " policy that leaves these tasks as they were",
        shares=shares,
    )
