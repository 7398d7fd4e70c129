"""Workflows for tests: steps that take virtual time and tell what they did."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fleetspan_routing.coordinator import (
    Limits,
    Phase,
    Step,
    StepContext,
    Workflow,
    WorkflowResult,
)
from tests.routing.coordinator import virtual_time

RESOURCES = ("gpu", "repository")


@dataclass(slots=True, kw_only=True)
class Log:
    """What ran, and how much at once.

    Attributes:
        calls: How often each handler was called.
        finished: Steps in the order in which they finished.
        early: Steps that started before something that they need had finished.
        running: Slots held now: of all, per phase and per resource.
        most: The most there were of each.
    """

    calls: Counter[str] = field(default_factory=Counter)
    finished: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    running: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)


def result_of(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a step returns: it tells all that it was given from anything else."""
    text = repr([name, sorted(given.items())])
    return {"name": name, "value": zlib.crc32(text.encode())}


def timed(
    name: str,
    seconds: float,
    *needs: str,
    phase: Phase = Phase.BUILD,
    log: Log | None = None,
    fails: Sequence[str] = (),
    **options: Any,
) -> Step:
    """Return a step that takes some seconds and returns `result_of` what it was given.

    Args:
        name: Its name.
        seconds: How long it takes.
        needs: What it needs.
        phase: Its phase.
        log: Where it tells what it does.
        fails: Names of steps that fail at their end; a list that may be changed.
        options: Further fields of `Step`.
    """
    log = Log() if log is None else log
    held = ("all", phase, *options.get("resources", ()))

    async def handler(context: StepContext) -> dict[str, Any]:
        log.calls[name] += 1
        if not set(needs) <= {*log.finished, *context.missing}:
            log.early.append(name)
        log.running.update(held)
        for key in held:
            log.most[key] = max(log.most[key], log.running[key])
        try:
            await asyncio.sleep(seconds)
        finally:
            log.running.subtract(held)
        if name in fails:
            raise RuntimeError(f"{name} is broken")
        log.finished.append(name)
        return result_of(name, context.results)

    return Step(name=name, phase=phase, handler=handler, needs=needs, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A random graph, from which the same steps can be made again and again.

    Attributes:
        seconds: How long each step takes; step ``n`` is called ``s<n>``.
        needs: For each step, the numbers of earlier ones that it needs.
        phases: For each step, its phase.
        resources: For each step, the resources that it takes.
    """

    seconds: Sequence[float]
    needs: Sequence[Sequence[int]]
    phases: Sequence[Phase]
    resources: Sequence[Sequence[str]]

    def steps(self, log: Log, fails: Sequence[str] = (), **options: Any) -> list[Step]:
        """Return its steps, the last ones first: their order must not matter."""
        made = [
            timed(
                f"s{n}",
                self.seconds[n],
                *(f"s{need}" for need in self.needs[n]),
                phase=self.phases[n],
                log=log,
                fails=fails,
                resources=tuple(self.resources[n]),
                **options,
            )
            for n in range(len(self.seconds))
        ]
        return made[::-1]

    def expected(self) -> dict[str, Any]:
        """Return the result of every step."""
        found: dict[str, Any] = {}
        for n, needs in enumerate(self.needs):
            given = {f"s{need}": found[f"s{need}"] for need in needs}
            found[f"s{n}"] = result_of(f"s{n}", given)
        return found


@st.composite
def plans(draw: st.DrawFn, most: int = 12, resources: bool = True) -> Plan:
    """Return random graphs of 1 to ``most`` steps."""
    keys = RESOURCES if resources else ()
    count = draw(st.integers(1, most))
    return Plan(
        seconds=draw(
            st.lists(st.integers(0, 9).map(float), min_size=count, max_size=count)
        ),
        needs=[
            sorted(draw(st.sets(st.integers(0, n - 1), max_size=3))) if n else []
            for n in range(count)
        ],
        phases=[draw(st.sampled_from(list(Phase))) for _ in range(count)],
        resources=[
            draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
            for _ in range(count)
        ],
    )


def limits() -> st.SearchStrategy[Limits]:
    """Return random limits, some of them none."""
    slots = st.none() | st.integers(1, 3)
    return st.builds(
        lambda total, scout, build, gpu, repository: Limits(
            total=total,
            phases={
                phase: most
                for phase, most in ((Phase.SCOUT, scout), (Phase.BUILD, build))
                if most is not None
            },
            resources={"gpu": gpu},
            other_resources=repository,
        ),
        *(slots, slots, slots),
        *(st.integers(1, 3), st.integers(1, 3)),
    )


def workflow(steps: list[Step], **options: Any) -> Workflow:
    """Return a workflow of steps."""
    return Workflow(name="test", steps=steps, **options)


def run(work: Workflow, path: Path) -> WorkflowResult:
    """Run it and keep its state."""
    return virtual_time.run(work.run(snapshot_path=path))


def resume(work: Workflow, path: Path) -> WorkflowResult:
    """Resume it."""
    return virtual_time.run(work.resume(path))
