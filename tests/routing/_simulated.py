"""A world of which the truth is known: two models, four roles of agents, one log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from fleetspan_routing.decision_log import Log, Logged, Other
from fleetspan_routing.outcomes import Task

TASKS: Final = tuple(Task(workload="w", role=role) for role in "abcd")
QUALITY: Final = {
    "weak": (0.9, 0.7, 0.4, 0.6),
    "strong": (0.95, 0.9, 0.85, 0.6),
}
COST_USD: Final = {"weak": 0.02, "strong": 0.3}
POLICIES: Final[Mapping[str, Other]] = {
    "always weak": lambda each: {"weak": 1.0},
    "weak for some": lambda each: {"weak" if each.task.role in "ad" else "strong": 1.0},
    "half": lambda each: {"weak": 0.5, "strong": 0.5},
    "always strong": lambda each: {"strong": 1.0},
}


def log(number: int, explore: float, seed: int, *, whole: bool = True) -> Log:
    """Decisions that mostly went to the strong model, and what came of them."""
    chance = np.random.default_rng(seed)
    weak = chance.random(number) < explore
    role = chance.integers(len(TASKS), size=number)
    luck = chance.random(number)
    dear = chance.lognormal(-0.125, 0.5, number)
    found = []
    for at in range(number):
        model = "weak" if weak[at] else "strong"
        chances = {"weak": explore, "strong": 1 - explore}
        found.append(
            Logged(
                task=TASKS[role[at]],
                model=model,
                propensities=chances if whole else {model: chances[model]},
                quality=float(luck[at] < QUALITY[model][role[at]]),
                cost_usd=COST_USD[model] * float(dear[at]),
            )
        )
    return Log(found)


def truth(policy: Other) -> tuple[float, float]:
    """Return the quality and cost that a policy has."""
    quality = cost_usd = 0.0
    for at, task in enumerate(TASKS):
        asked = Logged(task=task, model="strong", propensities={"strong": 1}, quality=0)
        for model, chance in policy(asked).items():
            quality += chance * QUALITY[model][at] / len(TASKS)
            cost_usd += chance * COST_USD[model] / len(TASKS)
    return quality, cost_usd
