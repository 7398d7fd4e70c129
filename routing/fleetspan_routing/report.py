"""A policy beside what it has to beat, from logged decisions.

Always the strongest model says what is given up; a random mix of the same shares, what the
choosing itself is worth; the best single model, whether there is anything to choose. Each
with quality and cost and how sure both are, never cost alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleetspan_routing._errors import LogError, SupportError
from fleetspan_routing.decision_log import Bools, Log, Other
from fleetspan_routing.off_policy import LEVEL, Estimate, difference, evaluate

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One policy of a report.

    Attributes:
        name: What it is.
        shares: By model, the share of tasks that it gives it.
        strong_share: Of these, the strongest model's.
        quality: The mean, 0 to 1; ``None`` when the log cannot tell.
        cost_usd: The mean of a task; ``None`` likewise, or when no costs are known.
        gain: By how much the reported policy's quality exceeds this one's; ``None`` of the
            policy itself.
        effective: How many decisions the estimate is worth.
        untold: Why the log cannot tell; ``""`` when it can.
    """

    name: str
    shares: Mapping[str, float]
    strong_share: float
    quality: Estimate | None = None
    cost_usd: Estimate | None = None
    gain: Estimate | None = None
    effective: float = 0.0
    untold: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A policy, and what it has to beat.

    Attributes:
        policy: The policy.
        always_strong: The strongest model that could have each task.
        random: Models drawn with the shares that the policy gives them, at tasks that
            had the same ones to choose from; the task itself tells nothing.
        best_single: The model of the highest estimated quality, wherever it could be
            had, elsewhere the strongest; of equally good ones the cheapest. It is found
            on the same log, and so looks a little better than it is.
        decisions: How many were logged.
        level: Of all intervals.
    """

    policy: Line
    always_strong: Line
    random: Line
    best_single: Line
    decisions: int
    level: float

    @property
    def lines(self) -> tuple[Line, ...]:
        """All four, the policy first."""
        return self.policy, self.always_strong, self.random, self.best_single


def compare(
    log: Log, policy: Other, models: Sequence[str], *, level: float = LEVEL
) -> Report:
    """Put a policy beside what it has to beat.

    Args:
        log: What was decided, and what came of it.
        policy: The policy.
        models: All of the log, from the weakest to the strongest, as `Tiers.models` has them.
        level: Of the intervals.

    Raises:
        SupportError: When the log cannot tell what the policy would have got.
        LogError: When a model of the log is not one of these.
    """
    order = _order(log, models)
    wanted = log.policy(policy)
    evaluate(log, wanted, level=level)
    possible = log.possible()
    strongest = log.models[order[-1]]

    def line(name: str, chances: Floats) -> Line:
        own = name == "policy"
        return _line(log, name, chances, None if own else wanted, strongest, level)

    singles = {
        model: line(f"always {model}", _single(at, order, possible))
        for at, model in enumerate(log.models)
    }
    told = [each for each in singles.values() if each.quality]
    strong = line("always the strongest", _single(order[-1], order, possible))
    best = max(told, key=_worth, default=strong)
    return Report(
        policy=line("policy", wanted),
        always_strong=strong,
        random=line("random, same shares", _random(wanted, possible)),
        best_single=best,
        decisions=len(log),
        level=level,
    )


def _order(log: Log, models: Sequence[str]) -> Ints:
    """Places of the log's models, the weakest first."""
    unknown = set(log.models) - set(models)
    if unknown:
        raise LogError(
            "the policy cannot be compared",
            because=f"it is not known how strong {', '.join(sorted(unknown))} is",
            suggestion="name every model of the log, from the weakest to the strongest",
        )
    place = {model: at for at, model in enumerate(models)}
    return np.array(
        sorted(range(len(log.models)), key=lambda at: place[log.models[at]]), np.int64
    )


def _single(model: int, order: Ints, possible: Bools) -> Floats:
    """That model where it could be had, else the strongest that could."""
    strongest = order[-1 - np.argmax(possible[:, order[::-1]], axis=1)]
    chosen = np.where(possible[:, model], model, strongest)
    chances: Floats = np.eye(possible.shape[1])[chosen]
    return chances


def _random(wanted: Floats, possible: Bools) -> Floats:
    """The policy's shares, at all tasks that had the same models to choose from."""
    _, groups = np.unique(possible, axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    counts = np.bincount(groups)
    sums = np.zeros((len(counts), wanted.shape[1]))
    np.add.at(sums, groups, wanted)
    return np.asarray((sums / counts[:, None])[groups])


def _worth(line: Line) -> tuple[float, float]:
    quality = line.quality.value if line.quality else -1.0
    return quality, -(line.cost_usd.value if line.cost_usd else 0.0)


def _line(
    log: Log,
    name: str,
    chances: Floats,
    policy: Floats | None,
    strongest: str,
    level: float,
) -> Line:
    means = chances.mean(axis=0)
    shares = {n: float(s) for n, s in zip(log.models, means, strict=True) if s > 0}
    share = shares.get(strongest, 0.0)
    try:
        found = evaluate(log, chances, level=level)
    except SupportError as error:
        return Line(name=name, shares=shares, strong_share=share, untold=str(error))
    gain = None if policy is None else difference(log, policy, chances, level=level)
    return Line(
        name=name,
        shares=shares,
        strong_share=share,
        quality=found.quality.doubly_robust,
        cost_usd=found.cost_usd.doubly_robust if found.cost_usd else None,
        gain=gain,
        effective=found.effective,
    )
