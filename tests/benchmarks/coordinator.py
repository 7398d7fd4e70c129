"""The coordinator: how near to the ideal it runs workflows, beside waves.

``python -m tests.benchmarks coordinator``. Random graphs of 20 to 200 steps that each
sleep for a time of their own (log-normal, so that a few are long), scaled so that the
critical path takes the same time in all of them. Each graph is run for real, in turns:

* by the coordinator, told how long each step is likely to take (it is told the truth);
* by the coordinator that is told nothing, and goes by how many steps wait for each;
* in waves, as the system that this carries on from did: all steps whose needs are done
  are gathered, and the next wave starts when the last of them has ended;
* without slots, the critical path alone, one bare sleep after the other: what the machine
  itself adds to the ideal meanwhile.

Without limits the ideal is the critical path, which nothing can beat. With slots it is
the greater of the critical path and the sum of all steps over the slots: nothing can beat
that, and often nothing can reach it. Waves get the same slots.

What is measured is the wall time of the whole workflow, spans and events included (they
are recorded in memory). What a step costs is CPU time, of steps that do nothing. Other
work on the machine counts against all of them; the bare path tells how much.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleetspan.testing import capture
from fleetspan_routing.coordinator import Graph, Limits, Phase, Step, Workflow
from tests.benchmarks import _report
from tests.benchmarks._report import Result
from tests.benchmarks._scale import Scale

_CASES: Final = ((20, None), (50, None), (100, None), (200, None), (200, 8))
"""Steps, and slots."""
_AIM: Final = 1.02
_IDLE_STEPS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Random:
    """A random graph.

    Attributes:
        needs: What each step needs, by name; a step comes after what it needs.
        seconds: How long each takes.
    """

    needs: Mapping[str, Sequence[str]]
    seconds: Mapping[str, float]

    def ideal_s(self, slots: int | None) -> float:
        """Return the time that no way of running it can beat."""
        steps = _steps(self, told=False)
        path, _ = Graph(steps).critical_path(self.seconds)
        return max(path, sum(self.seconds.values()) / slots) if slots else path


def random_graph(seed: int, count: int, path_s: float) -> Random:
    """Return a graph.

    Args:
        seed: Which one.
        count: How many steps.
        path_s: How long its critical path takes, in seconds.
    """
    chance = random.Random(seed)
    needs: dict[str, list[str]] = {}
    for n in range(count):
        # Of the third before it: neither one long chain nor one wide fan.
        near = range(max(0, n - max(count // 3, 8)), n)
        chosen = chance.sample(near, min(chance.randint(0, 3), len(near)))
        needs[f"s{n}"] = [f"s{each}" for each in sorted(chosen)]
    raw = {name: chance.lognormvariate(0, 0.8) for name in needs}
    made = Random(needs=needs, seconds=raw)
    scale = path_s / made.ideal_s(None)
    scaled = {name: seconds * scale for name, seconds in raw.items()}
    return Random(needs=needs, seconds=scaled)


def measure(scale: Scale, folder: Path) -> Result:
    """Run the graphs."""
    del folder
    rows: list[list[object]] = []
    raw: dict[str, Any] = {}
    for count, slots in _CASES:
        graphs = [
            random_graph(seed, count, scale.coordinator_path_s)
            for seed in range(scale.coordinator_graphs)
        ]
        ratios = [_ratios(graph, slots) for graph in graphs]
        name = f"{count} steps" + (f", {slots} slots" if slots else "")
        raw[name] = ratios
        rows.append(_row(name, ratios))
    free = [r for count, slots in _CASES if not slots for r in raw[f"{count} steps"]]
    raw["cost_us_per_step"] = _cost_us()
    return Result(
        part="coordinator",
        title="how much longer than the ideal a workflow takes, %",
        columns=(
            *("workflow", "graphs", "ideal s", "median", "worst", "told nothing"),
            *("bare path", "bare, worst", "waves", "waves, worst"),
        ),
        rows=rows,
        settings={"path_s": scale.coordinator_path_s},
        raw=raw,
        notes=_notes(free, raw["cost_us_per_step"]),
    )


def _row(name: str, ratios: Sequence[Mapping[str, float]]) -> list[object]:
    def of(way: str) -> list[float]:
        return [each[way] for each in ratios]

    told, bare, waves = of("told"), of("bare"), of("waves")
    return [
        name,
        len(ratios),
        _report.median(of("ideal_s")),
        *(_percent(_report.median(told)), _percent(max(told))),
        _percent(_report.median(of("untold"))),
        *(_percent(_report.median(bare)), _percent(max(bare))),
        *(_percent(_report.median(waves)), _percent(max(waves))),
    ]


def _notes(free: Sequence[Mapping[str, float]], cost_us: float) -> list[str]:
    middle = _report.median([each["told"] for each in free])
    within = sum(each["told"] <= _AIM for each in free)
    aim = (
        f"Aim: within 2 % of the critical path without slots: {within} of {len(free)}"
        f" graphs, median {_percent(middle):.2f} %."
    )
    return [
        aim,
        f"A step that does nothing costs {cost_us:.0f} us of CPU, its span included.",
        "With slots the ideal is a bound that often cannot be reached.",
    ]


def _percent(ratio: float) -> float:
    return 100 * (ratio - 1)


def _ratios(graph: Random, slots: int | None) -> dict[str, float]:
    """Run a graph in each way; return its ideal in seconds, and the times over it."""
    ideal_s = graph.ideal_s(slots)
    limits = Limits(total=slots)
    found = {"ideal_s": ideal_s}
    for way in ("told", "untold"):
        workflow = Workflow(
            name="bench", steps=_steps(graph, told=way == "told"), limits=limits
        )
        found[way] = _seconds(workflow.run) / ideal_s
    found["bare"] = _seconds(lambda: _bare_path(graph)) / graph.ideal_s(None)
    found["waves"] = _seconds(lambda: _in_waves(graph, slots)) / ideal_s
    return found


def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    async def main() -> float:
        began = time.perf_counter()
        await work()
        return time.perf_counter() - began

    with capture():
        return asyncio.run(main())


def _steps(graph: Random, *, told: bool) -> list[Step]:
    return [
        Step(
            name=name,
            phase=Phase.BUILD,
            handler=_sleeper(graph.seconds[name]),
            needs=tuple(needs),
            expected_s=graph.seconds[name] if told else None,
        )
        for name, needs in graph.needs.items()
    ]


def _sleeper(seconds: float) -> Callable[[object], Awaitable[None]]:
    async def handler(context: object) -> None:
        await asyncio.sleep(seconds)

    return handler


async def _bare_path(graph: Random) -> None:
    _, chain = Graph(_steps(graph, told=False)).critical_path(graph.seconds)
    for name in chain:
        await asyncio.sleep(graph.seconds[name])


async def _in_waves(graph: Random, slots: int | None) -> None:
    """Run a graph as the original did: a barrier after each wave."""
    free: AbstractAsyncContextManager[Any] = (
        asyncio.Semaphore(slots) if slots else nullcontext()
    )

    async def step(name: str) -> None:
        async with free:
            await asyncio.sleep(graph.seconds[name])

    done: set[str] = set()
    while len(done) < len(graph.needs):
        wave = [
            name
            for name, needs in graph.needs.items()
            if name not in done and done.issuperset(needs)
        ]
        await asyncio.gather(*(step(name) for name in wave))
        done.update(wave)


def _cost_us() -> float:
    """Return the CPU time that a step costs, in microseconds: the least of five runs."""
    steps = [
        Step(name=f"s{n}", phase=Phase.BUILD, handler=_sleeper(0))
        for n in range(_IDLE_STEPS)
    ]
    workflow = Workflow(name="bench", steps=steps, limits=Limits(total=8))
    least = float("inf")
    for _ in range(5):
        began = time.process_time()
        _seconds(workflow.run)
        least = min(least, time.process_time() - began)
    return least / _IDLE_STEPS * 1e6
