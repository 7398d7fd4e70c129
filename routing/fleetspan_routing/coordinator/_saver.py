"""Keeps a workflow's state on the disk, off the event loop and one write at a time."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fleetspan_routing.coordinator import snapshot
from fleetspan_routing.coordinator._errors import SnapshotError
from fleetspan_routing.coordinator._threads import wait_out
from fleetspan_routing.coordinator.graph import Graph, fingerprint, shape
from fleetspan_routing.coordinator.result import Status, StepOutcome, WorkflowResult

_logger: Final = logging.getLogger("fleetspan")


class Saver:
    """Writes a snapshot after each step that ends.

    While one is being written, further steps may end; they are written together by the
    next one. No step waits for the disk, so that a machine that dies loses the last
    write: what ended during it runs again.

    Args:
        path: Where to.
        workflow: The workflow's name.
        graph: Its steps.
    """

    def __init__(self, path: Path, workflow: str, graph: Graph) -> None:
        self._path = path
        self._workflow = workflow
        self._graph = graph
        self._status = snapshot.RUNNING
        # Text: what a handler does to its result later does not get into the snapshot.
        self._results: dict[str, str] = {}
        self._outcomes: dict[str, StepOutcome] = {}
        self._pool = ThreadPoolExecutor(1, "fleetspan-save")
        self._writer: asyncio.Task[None] | None = None
        self._changed = False
        self._problem: Exception | None = None
        roots = {n: shape(s) for n, s in graph.steps.items()}
        for grown in graph.grown_by:
            del roots[grown]
        self._fingerprint = fingerprint(roots)

    def keep_result(self, name: str, result: object) -> None:
        """Take the result of a step.

        Raises:
            ResultError: When JSON cannot hold it.
        """
        self._results[name] = snapshot.encoded(name, result)

    def restored(self, outcomes: Mapping[str, StepOutcome]) -> None:
        """Take what ended in an earlier process."""
        for outcome in outcomes.values():
            if outcome.status is Status.COMPLETED:
                self.keep_result(outcome.name, outcome.result)
            self._outcomes[outcome.name] = outcome

    def ended(self, outcome: StepOutcome) -> None:
        """Take note of a step that has ended, and have it written soon."""
        self._outcomes[outcome.name] = outcome
        self._write_soon()

    async def close(self, status: str) -> bool:
        """Write the last state and wait until it is on the disk, cancelled or not.

        Args:
            status: The workflow's.

        Returns:
            Whether it was cancelled meanwhile; the caller has to see to it.
        """
        self._status = status
        cancelled = await wait_out(self._write_soon())
        self._pool.shutdown(wait=True)
        return cancelled

    def raise_if_unwritten(self, result: WorkflowResult) -> None:
        """Raise when the last state is not on the disk.

        Args:
            result: What the workflow came to; it is handed on.

        Raises:
            SnapshotError: With the reason.
        """
        if self._problem is not None:
            problem = SnapshotError(
                f"the snapshot {self._path} could not be written",
                because=str(self._problem),
                suggestion="free space, or another file; what the steps came to is in"
                " this error's result",
            )
            problem.result = result
            raise problem from self._problem

    def _write_soon(self) -> asyncio.Task[None]:
        self._changed = True
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())
        return self._writer

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._changed:
            self._changed = False
            self._problem = None
            try:
                await loop.run_in_executor(
                    self._pool, snapshot.write, self._path, self._document()
                )
            except Exception as error:  # noqa: BLE001 - told when all steps are done
                self._problem = error
                _logger.warning("could not write %s: %s", self._path, error)

    def _document(self) -> str:
        head = json.dumps(
            {
                "format": snapshot.FORMAT,
                "version": snapshot.VERSION,
                "workflow": self._workflow,
                "fingerprint": self._fingerprint,
                "status": self._status,
                "saved_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            },
            indent=1,
        )
        steps = ",\n".join(self._step(name) for name in self._graph.steps)
        return f'{head[:-2]},\n "steps": {{\n{steps}\n }}\n}}\n'

    def _step(self, name: str) -> str:
        outcome = self._outcomes.get(name)
        told: Mapping[str, Any] = {
            **shape(self._graph.steps[name]),
            "grown_by": self._graph.grown_by.get(name),
            "status": outcome.status if outcome else snapshot.WAITING,
            "attempts": outcome.attempts if outcome else 0,
            "error": outcome.error if outcome else "",
        }
        done = outcome is not None and outcome.status is Status.COMPLETED
        result = self._results[name] if done else "null"
        return f'  {json.dumps(name)}: {json.dumps(told)[:-1]}, "result": {result}}}'
