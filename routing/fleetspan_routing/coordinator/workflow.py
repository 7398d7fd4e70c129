"""A workflow: its steps, its limits, and how it is run and resumed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleetspan import Agent
from fleetspan_routing.coordinator import _telemetry, snapshot
from fleetspan_routing.coordinator._errors import GraphError, SnapshotError
from fleetspan_routing.coordinator._resume import restore
from fleetspan_routing.coordinator._saver import Saver
from fleetspan_routing.coordinator._scheduler import OnFailure, Scheduler
from fleetspan_routing.coordinator.graph import MOST_STEPS, Graph
from fleetspan_routing.coordinator.limits import Limits
from fleetspan_routing.coordinator.result import Status, StepOutcome, WorkflowResult
from fleetspan_routing.coordinator.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """Steps that scout, plan and build, each run as soon as what it needs is done.

    It is checked when it is made, and can be run more than once.

    Attributes:
        name: What it is called, of low cardinality.
        steps: The steps that it begins with.
        limits: How many may run at once.
        on_failure: What happens to independent steps when a required one fails.
        most_steps: How many steps there may ever be, grown ones included.
        chance: Where the jitter of retries comes from.
    """

    name: str
    steps: Sequence[Step]
    limits: Limits = field(default_factory=Limits)
    on_failure: OnFailure = OnFailure.STOP
    most_steps: int = MOST_STEPS
    chance: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        if self.on_failure not in set(OnFailure):
            raise GraphError(
                f"workflow {self.name!r}: on_failure cannot be {self.on_failure!r}",
                because=f"it is one of {', '.join(OnFailure)}",
                suggestion="OnFailure.STOP or OnFailure.CONTINUE",
            )
        object.__setattr__(self, "on_failure", OnFailure(self.on_failure))
        self._graph()

    async def run(self, *, snapshot_path: Path | None = None) -> WorkflowResult:
        """Run all steps and return when nothing runs any more.

        Args:
            snapshot_path: Where to keep the state, for `resume`; None for not keeping it.
                Results then have to be what JSON can hold.

        Returns:
            What became of every step, failures included; see
            `WorkflowResult.raise_if_failed`.

        Raises:
            SnapshotError: When the state cannot be kept there, or a workflow's is there
                that is not completed. When only the last write failed, after all steps,
                with their result.
            asyncio.CancelledError: When it was cancelled; every step has then ended.
        """
        if snapshot_path is not None:
            self._refuse_to_lose(snapshot_path)
        return await self._run(self._graph(), snapshot_path, {})

    async def resume(self, snapshot_path: Path) -> WorkflowResult:
        """Run what had not ended when a snapshot was taken, and go on keeping it.

        Args:
            snapshot_path: The file that `run` or `resume` has written.

        Returns:
            What became of every step, those that had ended before included.

        Raises:
            OtherGraphError: When it is a snapshot of another workflow.
            SnapshotError: When it cannot be read; and as `run` does.
            asyncio.CancelledError: When it was cancelled; every step has then ended.
        """
        kept = snapshot.read(snapshot_path)
        graph = self._graph()
        restored = restore(kept, self.name, graph)
        return await self._run(graph, snapshot_path, restored)

    def _graph(self) -> Graph:
        return Graph(self.steps, self.limits, self.most_steps)

    def _refuse_to_lose(self, path: Path) -> None:
        """Refuse a file that holds work that is not finished, or cannot be written."""
        if not path.parent.is_dir():
            raise SnapshotError(
                f"the snapshot {path} cannot be written",
                because=f"there is no folder {path.parent}",
                suggestion="make the folder first",
            )
        if path.exists() and snapshot.read(path).status != Status.COMPLETED:
            raise SnapshotError(
                f"{path} would be overwritten",
                because="it is the snapshot of a workflow that is not completed",
                suggestion="resume() it, remove it, or use another file",
            )

    async def _run(
        self, graph: Graph, path: Path | None, restored: Mapping[str, StepOutcome]
    ) -> WorkflowResult:
        with _telemetry.workflow_agent(self.name) as agent:
            saver = None if path is None else Saver(path, self.name, graph)
            if saver is not None:
                saver.restored(restored)
            scheduler = Scheduler(
                graph,
                limits=self.limits,
                on_failure=self.on_failure,
                chance=self.chance,
                agent=agent,
                saver=saver,
            )
            result = await self._finished(graph, scheduler, saver, agent, restored)
        if saver is not None:
            saver.raise_if_unwritten(result)
        return result

    async def _finished(
        self,
        graph: Graph,
        scheduler: Scheduler,
        saver: Saver | None,
        agent: Agent,
        restored: Mapping[str, StepOutcome],
    ) -> WorkflowResult:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        status = Status.CANCELLED
        cancelled = False
        try:
            await scheduler.run(restored)
            result = self._result(graph, scheduler, loop.time() - began_s)
            status = result.status
            _telemetry.tell_workflow(agent, result)
        except asyncio.CancelledError:
            agent.outcome(status)
            raise
        finally:
            if saver is not None:
                cancelled = await saver.close(status)
        if cancelled:
            raise asyncio.CancelledError
        return result

    def _result(
        self, graph: Graph, scheduler: Scheduler, seconds: float
    ) -> WorkflowResult:
        steps = {name: scheduler.outcomes[name] for name in graph.steps}
        required = [each for each in steps.values() if each.required]
        done = all(each.status is Status.COMPLETED for each in required)
        return WorkflowResult(
            name=self.name,
            status=Status.COMPLETED if done else Status.FAILED,
            steps=steps,
            seconds=seconds,
        )
