"""What a router that learns from texts costs in quality while it knows little.

``python -m tests.benchmarks routing_learning``, or as a part of
``python -m tests.benchmarks.routing --data DIR``.

So many outcomes are drawn from public ones, half of them the weak model's and half the
strong one's on the same tasks; the rest of the tasks is routed by what was learnt. Quality
and cost are in percent of always asking the strong model at these tasks: the mean over the
draws, what 95 % of the draws have at least, and the worst; `at 95 %` is the share of draws
that keep 95 % or more. *Ours* lets texts decide only where `text_guard` finds it held out;
*unguarded* takes the same text model and the largest share whose quality was estimated, on
held out tasks, to be 95 %, which is what a calibrated threshold does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing.text_guard import Seen, judge
from fleetspan_routing.text_model import Texts, read
from tests.benchmarks._public_tasks import folder as data_folder
from tests.benchmarks._report import Result
from tests.benchmarks._routing_arms import Arm, arms
from tests.benchmarks._routing_fits import better_of
from tests.benchmarks._scale import Scale

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Router = Callable[[Arm, Texts, Ints, Ints, int], Bools]

OUTCOMES: Final = (50, 200, 800)
TARGET: Final = 0.95
_ARMS: Final = frozenset("CD")
_FOLDS: Final = 5


def measure(scale: Scale, folder: Path, data: Path | None = None) -> Result:
    """Draw outcomes, learn, and route the rest."""
    rows: list[list[object]] = []
    raw: dict[str, Any] = {}
    where = data_folder(data)
    found = [arm for arm in arms(where) if isinstance(arm, Arm)] if where else []
    for arm in (arm for arm in found if arm.name in _ARMS):
        texts = read(arm.texts, arm.marks)
        for name, router in (("ours", ours), ("unguarded", unguarded)):
            for number in (n for n in OUTCOMES if n < len(arm.texts) * 2):
                draws = [
                    draw(arm, texts, router, number, seed)
                    for seed in range(scale.routing_draws)
                ]
                kept, cost = (100 * np.array(each) for each in zip(*draws, strict=True))
                raw[f"{arm.name} {name} {number}"] = {
                    "kept": kept.tolist(),
                    "cost": cost.tolist(),
                }
                enough = 100 * float((kept >= 100 * TARGET).mean())
                rows.append(
                    [
                        *(arm.name, name, number, float(kept.mean())),
                        *(float(np.quantile(kept, 0.05)), float(kept.min())),
                        *(enough, float(cost.mean())),
                    ]
                )
    return Result(
        part="routing_learning",
        title="quality kept while there are few outcomes to learn from",
        columns=(
            *("arm", "router", "outcomes", "quality %", "95 % of draws"),
            *("worst", "at 95 %", "cost %"),
        ),
        rows=rows,
        settings={"draws": scale.routing_draws, "target": TARGET},
        raw=raw,
        notes=[] if rows else ["absent, and passed over: outcomes of arms C and D"],
    )


def draw(
    arm: Arm, texts: Texts, router: Router, number: int, seed: int
) -> tuple[float, float]:
    """Learn from some outcomes; return quality and cost of the rest, of always strong."""
    order = np.random.default_rng(seed).permutation(len(arm.texts))
    known, asked = order[: number // 2], order[number // 2 :]
    spared = router(arm, texts, known, asked, seed)
    good = np.where(spared, arm.weak[asked], arm.strong[asked])
    cost = np.where(spared, arm.weak_usd[asked], arm.strong_usd[asked])
    return (
        float(good.sum() / arm.strong[asked].sum()),
        float(cost.sum() / arm.strong_usd[asked].sum()),
    )


def ours(arm: Arm, texts: Texts, known: Ints, asked: Ints, seed: int) -> Bools:
    """Spare the strong model what the guard finds may be spared."""
    marks = arm.marks
    seen = [
        Seen(
            text=arm.texts[task],
            strong=strong,
            quality=float((arm.strong if strong else arm.weak)[task]),
            propensity=0.5,
            marks=marks[task],
        )
        for task in known
        for strong in (True, False)
    ]
    found = judge(seen, weak="weak", strong="strong", target=TARGET, seed=seed)
    return found.spared(texts.some(asked))


def unguarded(arm: Arm, texts: Texts, known: Ints, asked: Ints, seed: int) -> Bools:
    """Spare the largest share that keeps the target by a plain estimate."""
    better = arm.strong - arm.weak
    folds = np.random.default_rng(seed).permutation(len(known)) % _FOLDS
    ranks = np.zeros(len(known))
    for fold in range(_FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        scores = better_of(arm, texts, known[inside])(texts.some(known[outside]))
        ranks[outside] = np.argsort(np.argsort(scores)) / len(outside)
    lost = np.cumsum(better[known][np.argsort(ranks)])
    fine = np.flatnonzero(lost <= (1 - TARGET) * arm.strong[known].sum())
    share = (fine[-1] + 1) / len(known) if len(fine) else 0.0
    if not share:
        return np.zeros(len(asked), np.bool_)
    rated = better_of(arm, texts, known)
    below = np.quantile(rated(texts.some(known)), share)
    return np.asarray(rated(texts.some(asked)) <= below)
