"""Routing between two models on public outcomes, by the text of the task.

``python -m tests.benchmarks.routing --data DIR``, DIR holding a folder for each data set
(``routellm``, ``swebench_verified``, ``complexity_trap``, ``mini_swe_agent_runs``); what is
absent is named and passed over. By itself it also measures cascades, learning and speed
(``routing_cascade``, ``routing_learning`` and ``routing_speed``); as a part of
``python -m tests.benchmarks`` each is one, and `_public_tasks.VARIABLE` names the folder.

Each router gives every task a number; the tasks of the highest go to the strong model, and
that share runs from none to all. Measured as RouteLLM does: PGR is the share of the way
from the weak model's quality to the strong one's; APGR its mean over all shares; CPT(x) the
share of strong calls from which PGR stays at x; c95 and c99 the cheapest point with 95 and 99 % of
always-strong quality, in percent of always-strong cost (its threshold is chosen on the same
tasks: optimistic). Those that are fitted are cross-validated: five folds, three times, no
task is in the fit that rates it, and tasks of different folds are compared by their ranks
in them, as numbers of different fits are not of one scale; they are told which repository
(A, B) or subject (D) a task is of. A random router has an APGR of
0.50; its standard deviation over shuffles is the noise. Standard errors are by how much
each figure moves when the tasks are drawn anew (bootstrap), their ratings kept.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing.complexity import classify, original_score
from tests.benchmarks import _report
from tests.benchmarks import _routing_fits as fits
from tests.benchmarks._public_tasks import folder as data_folder
from tests.benchmarks._report import Result
from tests.benchmarks._routing_arms import Arm, arms
from tests.benchmarks._scale import Scale

Floats = npt.NDArray[np.float64]

_SHUFFLES: Final = 200
_DRAWS: Final = 200
_CHARACTERS_OF_A_TOKEN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What a router is worth over all shares of strong calls."""

    apgr: float
    cpt50: float
    cpt80: float
    c95: float
    c99: float


def measure(scale: Scale, folder: Path, data: Path | None = None) -> Result:
    """Rate every router on every pair of models of which there are data."""
    rows: list[list[object]] = []
    raw: dict[str, Any] = {}
    absent = []
    where = data_folder(data)
    for arm in arms(where) if where else ("all of it",):
        if isinstance(arm, str):
            absent.append(arm)
            continue
        noise = _noise(arm)
        for router, scores in _routers(arm, scale.routing_times):
            curve, errors = curve_of(arm, scores), errors_of(arm, scores)
            raw[f"{arm.name} {router}"] = {
                **vars_of(curve),
                "standard_errors": vars_of(errors),
            }
            rows.append(
                [
                    *(arm.name, router, len(arm.texts), curve.apgr),
                    *(100 * curve.cpt50, 100 * curve.cpt80),
                    *(100 * curve.c95, 100 * curve.c99),
                    *(_in_a_line(errors), noise),
                ]
            )
    notes = [f"absent, and passed over: {', '.join(absent)}"] if absent else []
    return Result(
        part="routing",
        title="routing by the text of tasks, on public outcomes",
        columns=(
            *("arm", "router", "tasks", "APGR", "CPT50 %", "CPT80 %"),
            *("c95 %", "c99 %", "standard errors", "noise of APGR"),
        ),
        rows=rows,
        settings={"folds": fits.FOLDS, "times": scale.routing_times},
        raw=raw,
        notes=notes,
    )


def vars_of(curve: Curve) -> dict[str, float]:
    """Return the numbers of a curve by name."""
    return {name: getattr(curve, name) for name in Curve.__slots__}


def curve_of(arm: Arm, scores: Floats) -> Curve:
    """Send ever more of the highest to the strong model; equal ones in random order."""
    mixed = np.random.default_rng(0).permutation(len(scores))
    order = mixed[np.argsort(-scores[mixed], kind="stable")]
    gained = np.concatenate([[0.0], np.cumsum((arm.strong - arm.weak)[order])])
    spent = np.concatenate([[0.0], np.cumsum((arm.strong_usd - arm.weak_usd)[order])])
    share = np.arange(len(gained)) / (len(gained) - 1)
    quality = arm.weak.sum() + gained
    pgr = gained / gained[-1]
    cost = (arm.weak_usd.sum() + spent) / arm.strong_usd.sum()
    apgr = float(((pgr[1:] + pgr[:-1]) / 2).mean())
    return Curve(
        apgr=apgr,
        cpt50=_first(share, pgr >= 0.5),
        cpt80=_first(share, pgr >= 0.8),
        c95=float(cost[quality >= 0.95 * arm.strong.sum()].min()),
        c99=float(cost[quality >= 0.99 * arm.strong.sum()].min()),
    )


def errors_of(arm: Arm, scores: Floats) -> Curve:
    """Return the standard error of each number of a curve, by tasks drawn anew."""
    chance = np.random.default_rng(3)
    number = len(scores)
    drawn = []
    for _ in range(_DRAWS):
        tasks = chance.integers(0, number, number)
        again = replace(
            arm,
            weak=arm.weak[tasks],
            strong=arm.strong[tasks],
            weak_usd=arm.weak_usd[tasks],
            strong_usd=arm.strong_usd[tasks],
        )
        drawn.append(list(vars_of(curve_of(again, scores[tasks])).values()))
    return Curve(**dict(zip(Curve.__slots__, np.std(drawn, axis=0), strict=True)))


def _in_a_line(errors: Curve) -> str:
    shares = (errors.cpt50, errors.cpt80, errors.c95, errors.c99)
    return " / ".join([f"{errors.apgr:.2f}", *(f"{100 * each:.0f}" for each in shares)])


def _first(share: Floats, holds: npt.NDArray[np.bool_]) -> float:
    return float(share[np.argmax(holds)])


def _routers(arm: Arm, times: int) -> Iterator[tuple[str, Floats]]:
    chance = np.random.default_rng(1)
    yield "random", chance.random(len(arm.texts))
    yield "text length", np.array([float(len(text)) for text in arm.texts])
    yield "original score", np.array([_original(text) for text in arm.texts])
    yield "12 measures", fits.cross_validated(arm, times, fits.measures_of(arm))
    yield "ours", fits.cross_validated(arm, times, fits.ours_of(arm))
    peers = fits.peers_of(arm)
    if peers is not None:
        yield "TF-IDF, logistic", fits.cross_validated(arm, times, peers)
    yield "oracle", arm.strong - arm.weak


def _original(text: str) -> float:
    return float(
        original_score(len(text) // _CHARACTERS_OF_A_TOKEN, classify(text).value, 1)
    )


def _noise(arm: Arm) -> float:
    chance = np.random.default_rng(2)
    draw: Callable[[], Floats] = lambda: chance.random(len(arm.texts))
    return float(np.std([curve_of(arm, draw()).apgr for _ in range(_SHUFFLES)]))


def main(arguments: list[str]) -> int:
    """Measure by itself, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.routing")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="fewer draws")
    chosen = parser.parse_args(arguments)
    from tests.benchmarks import routing_cascade, routing_learning, routing_speed
    from tests.benchmarks._scale import FULL, QUICK

    scale = QUICK if chosen.quick else FULL
    parts = (measure, routing_cascade.measure, routing_learning.measure)
    for part in parts:
        print(_report.table(part(scale, Path(), chosen.data)), flush=True)
        print()
    print(_report.table(routing_speed.measure(scale, Path())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
