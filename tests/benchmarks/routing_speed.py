"""How long a router takes to pick a model, beside what the original system did.

``python -m tests.benchmarks routing_speed``; it needs no data.

The same tasks, picked one by one: by the original's four-factor score alone, which looks at
nothing that was measured; by outcomes of 3 models at 400 places; by those with 60 models to
choose from; and by these, with a text of 1,000 characters for a text model that was fitted
to 800 outcomes. Microseconds of one pick: the median and what 99 in 100 do not exceed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fleetspan_routing.complexity import classify, original_score
from fleetspan_routing.outcomes import Outcome, Task
from fleetspan_routing.router import Policy, Router
from fleetspan_routing.text_guard import Seen, judge
from fleetspan_routing.tiers import parse
from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale

_EASY: Final = ["list", "rename", "typo", "docs", "comment", "format"]
_HARD: Final = ["prove", "derive", "race", "deadlock", "overflow", "proof"]
_WORDS: Final = [f"word{n}" for n in range(500)]
_LONG: Final = 1_000
_SEEN: Final = 800


def measure(scale: Scale, folder: Path) -> Result:
    """Pick models, and take the time of each pick."""
    draw = random.Random(1)
    texts = [_text(draw, hard=n % 2 > 0) for n in range(200)]
    tasks = [
        Task(workload=f"w{n % 20}", role=f"r{n % 5}", repository=f"p{n % 4}")
        for n in range(400)
    ]
    few, many = _router(3, tasks), _router(60, tasks)
    few.texts = dict.fromkeys((task.workload for task in tasks), _rule(draw))
    by_text = Router(
        tiers=few.tiers,
        outcomes=few.outcomes,
        policy=Policy(by_text=True),
        texts=few.texts,
    )
    ways: dict[str, Callable[[int], object]] = {
        "original score": lambda n: _original(texts[n % 200]),
        "3 models": lambda n: few.pick(tasks[n % 400]),
        "60 models": lambda n: many.pick(tasks[n % 400]),
        "3 models, by text": lambda n: by_text.pick(
            tasks[n % 400], text=texts[n % 200]
        ),
    }
    raw: dict[str, Any] = {}
    rows: list[list[object]] = []
    for name, way in ways.items():
        took = _times(way, scale.routing_picks)
        raw[name] = {"p50_us": percentile(took, 50), "p99_us": percentile(took, 99)}
        first = raw["original score"]["p50_us"]
        middle = raw[name]["p50_us"]
        rows.append([name, middle, raw[name]["p99_us"], middle / first])
    return Result(
        part="routing_speed",
        title="time of one pick",
        columns=("by", "median µs", "p99 µs", "of the original"),
        rows=rows,
        settings={"picks": scale.routing_picks, "characters": _LONG},
        raw=raw,
    )


def _times(way: Callable[[int], object], number: int) -> list[float]:
    found = []
    for at in range(number):
        began = time.perf_counter_ns()
        way(at)
        found.append((time.perf_counter_ns() - began) / 1000)
    return found


def _original(text: str) -> float:
    return original_score(len(text) // 4, classify(text).value, 1)


def _text(draw: random.Random, *, hard: bool) -> str:
    words = draw.choices(_HARD if hard else _EASY, k=10)
    while sum(map(len, words)) + len(words) < _LONG:
        words.append(draw.choice(_WORDS))
    return " ".join(words)


def _router(models: int, tasks: list[Task]) -> Router:
    """A router that knows ten outcomes of each model, and more of the last two."""
    names = [f"m{n}" for n in range(models)]
    tiers = parse({"tiers": {"all": {"models": names}}})
    router = Router(tiers=tiers)
    draw = random.Random(2)
    for place, name in enumerate(names):
        # The first of the strongest tier is what is kept to.
        quality = 0.9 if place == 0 else 0.6
        router.outcomes.add(
            Outcome(
                task=draw.choice(tasks),
                model=name,
                quality=float(draw.random() < quality),
                cost_usd=1.0 if place == 0 else 0.1,
            )
            for _ in range(2_000)
        )
    return router


def _rule(draw: random.Random) -> Any:
    seen = []
    for at in range(_SEEN):
        hard, strong = draw.random() < 0.5, at % 2 > 0
        quality = float(draw.random() < (0.9 if strong or not hard else 0.2))
        text = _text(draw, hard=hard)
        seen.append(Seen(text=text, strong=strong, quality=quality, propensity=0.5))
    rule = judge(seen, weak="m1", strong="m0")
    if not rule.may:
        raise RuntimeError(f"nothing was learnt to measure with: {rule.reason}")
    return rule
