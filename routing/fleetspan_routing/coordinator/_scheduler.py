"""Runs the steps of a graph: each the moment that what it needs is done and it has a slot.

Everything here happens on the event loop's thread and without waiting, but for `run` and
the steps' own tasks; so the state is never seen half changed.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from fleetspan import Agent
from fleetspan_routing.coordinator import _telemetry
from fleetspan_routing.coordinator._attempts import Performer, Progress
from fleetspan_routing.coordinator._errors import GraphError
from fleetspan_routing.coordinator._saver import Saver
from fleetspan_routing.coordinator._threads import Threads
from fleetspan_routing.coordinator.graph import Graph
from fleetspan_routing.coordinator.limits import Limits, Slots, Ticket
from fleetspan_routing.coordinator.result import Status, StepOutcome, described
from fleetspan_routing.coordinator.step import Step


class OnFailure(StrEnum):
    """What happens to other steps when a required one has failed.

    What needs it is skipped in any case.
    """

    STOP = "stop"
    """What runs is cancelled, and nothing else starts."""
    CONTINUE = "continue"
    """What does not need it runs on, and still starts."""


class Scheduler:
    """One run of a graph.

    Args:
        graph: The steps.
        limits: How many may run at once.
        on_failure: What happens when a required step fails.
        chance: For the jitter of retries.
        agent: The workflow's span, which is at work here.
        saver: Keeps the state; None for not keeping it.

    Attributes:
        outcomes: Of the steps that have ended, by name.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        limits: Limits,
        on_failure: OnFailure,
        chance: random.Random,
        agent: Agent,
        saver: Saver | None,
    ) -> None:
        self.outcomes: dict[str, StepOutcome] = {}
        self._graph = graph
        self._on_failure = on_failure
        self._agent = agent
        self._saver = saver
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._context = contextvars.copy_context()
        self._slots = Slots(limits)
        self._ranks = graph.ranks()
        self._open: dict[str, int] = {}
        self._queued: dict[str, Ticket] = {}
        self._running: dict[asyncio.Task[Any], Progress] = {}
        self._stopped_by: str | None = None
        self._is_ending = False
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._threads = Threads()
        self._performer = Performer(
            gate=self, threads=self._threads, chance=chance, accept=self._accept
        )

    async def run(self, restored: Mapping[str, StepOutcome]) -> None:
        """Run every step that has not ended, and return when all have.

        Args:
            restored: Outcomes of steps that ended in an earlier process.

        Raises:
            asyncio.CancelledError: When it was cancelled; nothing runs any more then.
        """
        for outcome in restored.values():
            self.outcomes[outcome.name] = outcome
            _telemetry.tell_not_run(self._agent, outcome)
        try:
            self._enter(list(self._graph.steps.values()))
            self._go_on()
            await self._done
        finally:
            try:
                await self._wind_up()
            finally:
                self._threads.close()

    async def step_aside(self, step: Step, wait_s: float) -> None:
        """Give a step's slots to others for a while; return when it has them again."""
        self._slots.give_back(step)
        self._slots.grant()
        await asyncio.sleep(wait_s)
        turn: asyncio.Future[None] = self._loop.create_future()

        def start() -> None:
            if turn.cancelled():
                # Cancelled before it could take it out of the queue: whoever ends the
                # step gives the slots back.
                return
            turn.set_result(None)

        ticket = self._slots.ask(step, self._ranks[step.name], start)
        self._slots.grant()
        try:
            await turn
        finally:
            self._slots.withdraw(ticket)

    def _enter(self, steps: list[Step]) -> None:
        """Take up steps; those whose needs are done get in line."""
        entered = [step for step in steps if step.name not in self.outcomes]
        for step in entered:
            ended = [self.outcomes.get(need) for need in step.needs]
            self._open[step.name] = sum(each is None for each in ended)
        for step in entered:
            barred = [
                outcome
                for need in step.needs
                if (outcome := self.outcomes.get(need)) and outcome.ends_workflow
            ]
            if barred:
                self._skip(step.name, barred[0].caused_by or barred[0].name)
                self._skip_behind(step.name)
            elif not self._open[step.name] and step.name not in self.outcomes:
                self._line_up(step)

    def _line_up(self, step: Step) -> None:
        progress = Progress(
            step=step,
            grown_by=self._graph.grown_by.get(step.name),
            ready_s=self._loop.time(),
        )
        self._queued[step.name] = self._slots.ask(
            step, self._ranks[step.name], lambda: self._start(progress)
        )

    def _start(self, progress: Progress) -> None:
        name = progress.step.name
        del self._queued[name]
        ended = {need: self.outcomes[need] for need in progress.step.needs}
        work = self._performer.perform(
            progress,
            {n: o.result for n, o in ended.items() if o.status is Status.COMPLETED},
            {n: o.error for n, o in ended.items() if o.status is not Status.COMPLETED},
        )
        # A context of its own, with the workflow's span as what is at work.
        task = self._loop.create_task(work, name=name, context=self._context.copy())
        self._running[task] = progress
        task.add_done_callback(self._ended)

    def _accept(self, step: Step, result: Any) -> None:
        """Take a result: keep it, and let a plan grow.

        Raises:
            ResultError: When it cannot be kept.
            GraphError: When a plan grew nothing that fits.
        """
        if self._saver is not None:
            self._saver.keep_result(step.name, result)
        if step.grow is None:
            return
        try:
            self._graph.add(step.grow(result), grown_by=step.name)
        except GraphError:
            raise
        except Exception as error:
            raise GraphError(
                f"plan {step.name!r} could not make steps of its result",
                because=described(error),
                suggestion="a grow that returns a list of Step objects",
            ) from error

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Take note of a step's end; called by the event loop."""
        progress = self._running.pop(task)
        try:
            self._settle(self._outcome(task, progress), progress.step)
            self._go_on()
        except BaseException as error:  # noqa: BLE001 - whoever awaits `run` gets it
            if not self._done.done():
                self._done.set_exception(error)

    def _outcome(self, task: asyncio.Task[Any], progress: Progress) -> StepOutcome:
        step = progress.step
        began = progress.started_s
        outcome = StepOutcome(
            name=step.name,
            phase=step.phase,
            required=step.required,
            status=Status.CANCELLED,
            caused_by=self._stopped_by,
            attempts=progress.attempts,
            started_s=None if began is None else began - self._began_s,
            ended_s=self._loop.time() - self._began_s,
        )
        if task.cancelled():
            if self._is_ending or self._stopped_by is not None:
                return outcome
            return replace(
                outcome,
                status=Status.FAILED,
                error="CancelledError: someone else cancelled its task",
            )
        error = task.exception()
        if error is None:
            return replace(
                outcome,
                status=Status.COMPLETED,
                result=task.result(),
                caused_by=None,
            )
        if not isinstance(error, Exception):
            raise error
        return replace(
            outcome,
            status=Status.FAILED,
            error=described(error),
            exception=error,
            caused_by=None,
        )

    def _settle(self, outcome: StepOutcome, step: Step) -> None:
        self._slots.give_back(step)
        self._close(outcome)
        if outcome.ends_workflow:
            cause = outcome.caused_by or outcome.name
            self._skip_behind(step.name, cause)
            if outcome.status is Status.FAILED:
                self._fail(outcome.name)
        else:
            for name in self._graph.dependents[step.name]:
                if name in self._open and name not in self.outcomes:
                    self._open[name] -= 1
                    if not self._open[name]:
                        self._line_up(self._graph.steps[name])
        if outcome.status is Status.COMPLETED and step.grow is not None:
            self._take_growth(step.name)

    def _take_growth(self, plan: str) -> None:
        grown = [n for n, by in self._graph.grown_by.items() if by == plan]
        self._ranks = self._graph.ranks()
        self._slots.rank_again(self._ranks)
        self._enter([self._graph.steps[name] for name in grown])
        if self._stopped_by is not None:
            self._skip_waiting(self._stopped_by)

    def _fail(self, name: str) -> None:
        if self._is_ending:
            # All are cancelled already; once more would disturb their tidying up.
            return
        if self._on_failure is OnFailure.STOP and self._stopped_by is None:
            self._stopped_by = name
            self._skip_waiting(name)
            for task in self._running:
                task.cancel()

    def _skip_waiting(self, cause: str) -> None:
        """Skip every step that has not started."""
        busy = {progress.step.name for progress in self._running.values()}
        for name in self._graph.steps:
            if name not in self.outcomes and name not in busy:
                self._skip(name, cause)

    def _skip_behind(self, name: str, cause: str | None = None) -> None:
        """Skip every step that needs one, however indirectly."""
        cause = cause or self.outcomes[name].caused_by or name
        behind = list(self._graph.dependents[name])
        while behind:
            at = behind.pop()
            if at not in self.outcomes:
                self._skip(at, cause)
                behind += self._graph.dependents[at]

    def _skip(self, name: str, cause: str) -> None:
        step = self._graph.steps[name]
        if (ticket := self._queued.pop(name, None)) is not None:
            self._slots.withdraw(ticket)
        failure = self.outcomes.get(cause)
        because = f"step {cause!r} was cancelled"
        if failure is not None and failure.status is Status.FAILED:
            because = f"step {cause!r} failed: {failure.error}"
        outcome = StepOutcome(
            name=name,
            phase=step.phase,
            required=step.required,
            status=Status.SKIPPED,
            error=because,
            caused_by=cause,
        )
        self._close(outcome)
        _telemetry.tell_not_run(self._agent, outcome)

    def _close(self, outcome: StepOutcome) -> None:
        self.outcomes[outcome.name] = outcome
        if self._saver is not None:
            self._saver.ended(outcome)

    def _go_on(self) -> None:
        """Start what can start; when nothing is left, `run` returns."""
        self._slots.grant()
        is_over = len(self.outcomes) == len(self._graph.steps) and not self._running
        if is_over and not self._done.done():
            self._done.set_result(None)

    async def _wind_up(self) -> None:
        """Cancel what runs and wait for it, however often this is cancelled meanwhile."""
        cancelled = False
        self._is_ending = True
        self._slots.close()
        while self._running:
            for task in self._running:
                task.cancel()
            try:
                await asyncio.wait(list(self._running))
                # The tasks' own callbacks are in line before this goes on.
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError
