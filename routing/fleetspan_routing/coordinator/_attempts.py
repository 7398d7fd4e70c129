"""One step from its first slot to its end: attempts, timeouts, waits and its span."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fleetspan import Agent
from fleetspan_routing.coordinator import _telemetry
from fleetspan_routing.coordinator._errors import (
    GraphError,
    ResultError,
    StepError,
    StepTimeout,
)
from fleetspan_routing.coordinator._threads import Threads, is_async
from fleetspan_routing.coordinator.result import Status
from fleetspan_routing.coordinator.step import Step, StepContext


class Gate(Protocol):
    """Where a step gives its slots back while it waits to be tried again."""

    async def step_aside(self, step: Step, wait_s: float) -> None:
        """Return once the wait is over and the step has its slots again."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a step has come; it is read when the step is cancelled, too.

    Attributes:
        step: The step.
        grown_by: The plan that it comes from.
        ready_s: When its needs were done, on the clock of the event loop.
        started_s: When it had its slots, likewise; None before.
        attempts: How often its handler was called.
    """

    step: Step
    grown_by: str | None
    ready_s: float
    started_s: float | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """Performs steps.

    Attributes:
        gate: For their slots.
        threads: For plain handlers.
        chance: For the jitter.
        accept: Called with a step and what its handler returned; it may refuse that.
    """

    gate: Gate
    threads: Threads
    chance: random.Random
    accept: Callable[[Step, Any], None]

    async def perform(
        self,
        progress: Progress,
        results: Mapping[str, Any],
        missing: Mapping[str, str],
    ) -> Any:
        """Perform a step that has its slots.

        Args:
            progress: The step; it is kept up to date.
            results: Results of what it needs.
            missing: What it needs and is not to be had, with the reasons.

        Returns:
            The handler's result.

        Raises:
            Exception: The last attempt's error.
            asyncio.CancelledError: When the step was cancelled.
        """
        now = asyncio.get_running_loop().time()
        progress.started_s = now
        waited_s = now - progress.ready_s
        with _telemetry.step_agent(progress.step) as agent:
            _telemetry.tell_step(
                agent, progress.step, grown_by=progress.grown_by, waited_s=waited_s
            )
            status = Status.FAILED
            try:
                value = await self._tried(progress, results, missing, agent)
                status = Status.COMPLETED
            except asyncio.CancelledError:
                status = Status.CANCELLED
                raise
            finally:
                _telemetry.tell_end(agent, status, progress.attempts)
        return value

    async def _tried(
        self,
        progress: Progress,
        results: Mapping[str, Any],
        missing: Mapping[str, str],
        agent: Agent,
    ) -> Any:
        step = progress.step
        while True:
            progress.attempts += 1
            try:
                value = await self._attempt(step, progress.attempts, results, missing)
                self.accept(step, value)
                return value
            except (ResultError, GraphError):
                # What was done would only be done again.
                raise
            except Exception as error:
                if _is_cancelled():
                    # What a handler raises when it is cancelled is no failure of it.
                    raise asyncio.CancelledError from error
                wait_s = step.retry.wait_s(progress.attempts, error, self.chance)
                if wait_s is None:
                    raise
                _telemetry.tell_retry(
                    agent, error, attempt=progress.attempts, wait_s=wait_s
                )
            await self.gate.step_aside(step, wait_s)

    async def _attempt(
        self,
        step: Step,
        attempt: int,
        results: Mapping[str, Any],
        missing: Mapping[str, str],
    ) -> Any:
        loop = asyncio.get_running_loop()
        deadline = None if step.timeout_s is None else loop.time() + step.timeout_s
        context = StepContext(
            name=step.name,
            phase=step.phase,
            results=results,
            missing=missing,
            attempt=attempt,
            attempts=step.retry.attempts,
            deadline=deadline,
            stop=threading.Event(),
            _now=loop.time,
        )
        try:
            async with asyncio.timeout_at(deadline) as limit:
                value = await self._handled(step, context)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            raise StepError(
                f"step {step.name!r} was cancelled from inside",
                because="its handler awaited something that someone else has cancelled",
                suggestion="catch asyncio.CancelledError where that is awaited",
            ) from error
        except Exception as error:
            if limit.expired():
                raise _late(step) from error
            raise
        if limit.expired():
            # It took no notice of the cancellation, and came back in the end.
            raise _late(step)
        return value

    async def _handled(self, step: Step, context: StepContext) -> Any:
        if not is_async(step.handler):
            return await self.threads.call(step.handler, context)
        return await step.handler(context)  # type: ignore[misc]


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _late(step: Step) -> StepTimeout:
    return StepTimeout(
        f"step {step.name!r} was not done in time",
        because=f"an attempt may take {step.timeout_s:g} s",
        suggestion="a longer timeout_s, or less work in one step",
    )
