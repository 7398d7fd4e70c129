"""What became of a workflow and of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fleetspan_routing.coordinator._errors import WorkflowFailed
from fleetspan_routing.coordinator.step import Phase


class Status(StrEnum):
    """How a step, or a workflow, ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """What became of a step.

    Attributes:
        name: Its name.
        phase: Its phase.
        required: Whether the workflow fails with it.
        status: How it ended.
        result: What its handler returned, when it is completed.
        error: What it failed with, as ``type: message``; ``""`` when it did not.
        exception: The same as it was raised; None when it did not fail, or did so in an
            earlier process.
        caused_by: The step whose failure was the reason that this one was skipped or
            cancelled; None otherwise.
        attempts: How often its handler was called.
        started_s: When it started, in seconds after the workflow; None when it did not.
        ended_s: When it ended, likewise.
        restored: Whether it ended in an earlier process and was not run again.
    """

    name: str
    phase: Phase
    required: bool
    status: Status
    result: Any = None
    error: str = ""
    exception: BaseException | None = None
    caused_by: str | None = None
    attempts: int = 0
    started_s: float | None = None
    ended_s: float | None = None
    restored: bool = False

    @property
    def ends_workflow(self) -> bool:
        """Whether what needs it cannot run."""
        if self.status is Status.FAILED:
            return self.required
        return self.status is not Status.COMPLETED


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowResult:
    """What became of a workflow.

    Attributes:
        name: Its name.
        status: ``completed`` when every required step is, else ``failed``. One that is
            cancelled raises `asyncio.CancelledError` and has no result.
        steps: What became of every step, by name, in the order in which they came.
        seconds: How long it took.
    """

    name: str
    status: Status
    steps: Mapping[str, StepOutcome]
    seconds: float

    @property
    def results(self) -> dict[str, Any]:
        """Results of the completed steps, by name."""
        return {each.name: each.result for each in self._with(Status.COMPLETED)}

    @property
    def failed(self) -> list[StepOutcome]:
        """The steps that failed, optional ones too."""
        return self._with(Status.FAILED)

    @property
    def skipped(self) -> list[StepOutcome]:
        """The steps that never ran."""
        return self._with(Status.SKIPPED)

    def raise_if_failed(self) -> None:
        """Raise when a required step has failed.

        Raises:
            WorkflowFailed: With the failures and this result.
        """
        if self.status is not Status.COMPLETED:
            raise WorkflowFailed(self)

    def _with(self, status: Status) -> list[StepOutcome]:
        return [each for each in self.steps.values() if each.status is status]


def described(error: BaseException) -> str:
    """Return an exception as ``type: message``."""
    message = str(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
