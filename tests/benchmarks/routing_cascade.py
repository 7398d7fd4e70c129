"""Cascades on public outcomes: the weak model first, the strong one on a failed verdict.

``python -m tests.benchmarks routing_cascade``, or as a part of
``python -m tests.benchmarks.routing --data DIR``.

Every task is run through the product's cascade as often as there are draws, with answers
that are as good and as dear as those in the data, and a verifier that is right with a given
probability, of good answers and of bad ones, independently. Quality and cost are in percent
of always asking the strong model; below 100 and above 100 are both possible, as the weak
model solves some that the strong one does not, and is paid for each task. The last column is what
`cascade.break_even` says from the means of the same outcomes; hard tasks cost more.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from fleetspan_routing.cascade import Answer, BreakEven, Cascade, break_even
from fleetspan_routing.outcomes import Outcome, Outcomes, Task
from fleetspan_routing.verifiers import Verdict
from tests.benchmarks._public_tasks import folder as data_folder
from tests.benchmarks._report import Result
from tests.benchmarks._routing_arms import Arm, arms
from tests.benchmarks._scale import Scale

ACCURACIES: Final = (0.5, 0.7, 0.8, 0.9, 1.0)
_ARMS: Final = frozenset("AB")


class Coin:
    """A verifier that is right with a probability, of answers that say what they are."""

    def __init__(self, accuracy: float, seed: int) -> None:
        self.accuracy = accuracy
        self.random = random.Random(seed)

    def verify(self, answer: str) -> Verdict:
        """Say whether it is good, or be wrong."""
        right = self.random.random() < self.accuracy
        return Verdict(passed=(answer == "good") == right)


def measure(scale: Scale, folder: Path, data: Path | None = None) -> Result:
    """Run every task of two pairs of models through cascades."""
    rows: list[list[object]] = []
    raw: dict[str, Any] = {}
    where = data_folder(data)
    found = [arm for arm in arms(where) if isinstance(arm, Arm)] if where else []
    for arm in (arm for arm in found if arm.name in _ARMS):
        for accuracy in ACCURACIES:
            kept, cost, strong = replay(arm, accuracy, max(scale.routing_draws // 5, 2))
            told = _told(arm, accuracy)
            raw[f"{arm.name} {accuracy}"] = {
                "quality": kept,
                "cost": cost,
                "strong": strong,
                "words": told.words,
            }
            pays = "yes" if told.pays else "no"
            rows.append(
                [arm.name, accuracy, 100 * kept, 100 * cost, 100 * strong, pays]
            )
    return Result(
        part="routing_cascade",
        title="weak first, strong on a failed verdict, on public outcomes",
        columns=(
            *("arm", "verifier right", "quality %", "cost %"),
            *("escalated %", "cheaper by means"),
        ),
        rows=rows,
        settings={"accuracies": ACCURACIES},
        raw=raw,
        notes=[] if rows else ["absent, and passed over: outcomes of arms A and B"],
    )


def replay(arm: Arm, accuracy: float, draws: int) -> tuple[float, float, float]:
    """Return quality and cost, of always strong, and the share that was escalated."""
    good = cost = escalated = 0.0
    for draw in range(draws):
        cascade = Cascade(models=("weak", "strong"), verifier=Coin(accuracy, draw))
        for answers in _answers(arm):
            done = cascade.run(answers.__getitem__)
            good += done.answer.text == "good"
            cost += done.cost_usd or 0.0
            escalated += done.model == "strong"
    number = draws * len(arm.texts)
    return (
        good / draws / float(arm.strong.sum()),
        cost / draws / float(arm.strong_usd.sum()),
        escalated / number,
    )


def _answers(arm: Arm) -> Iterator[dict[str, Answer]]:
    columns = zip(arm.weak, arm.weak_usd, arm.strong, arm.strong_usd, strict=True)
    for weak, weak_usd, strong, strong_usd in columns:
        yield {
            "weak": Answer(text="good" if weak else "bad", cost_usd=float(weak_usd)),
            "strong": Answer(
                text="good" if strong else "bad", cost_usd=float(strong_usd)
            ),
        }


def _told(arm: Arm, accuracy: float) -> BreakEven:
    """What the product says beforehand, from the outcomes."""
    outcomes = Outcomes()
    for model, quality, usd in (
        ("weak", arm.weak, arm.weak_usd),
        ("strong", arm.strong, arm.strong_usd),
    ):
        outcomes.add(
            Outcome(task=Task(), model=model, quality=float(q), cost_usd=float(c))
            for q, c in np.column_stack([quality, usd])
        )
    return break_even(
        outcomes, Task(), "weak", "strong", sensitivity=accuracy, specificity=accuracy
    )
