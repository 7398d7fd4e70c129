"""The errors of the coordinator: what failed, because of what, and what to try.

::

    FleetspanError
    └── CoordinatorError         error, because, try
        ├── GraphError           steps that do not make a workflow
        ├── StepError            a step that ended in a way that is no result
        │   ├── StepTimeout      it was not done in time
        │   └── ResultError      its result cannot be kept
        ├── SnapshotError        a snapshot cannot be read or written
        │   └── OtherGraphError  it is of another workflow
        └── WorkflowFailed       a required step has failed
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetspan import FleetspanError

if TYPE_CHECKING:
    from fleetspan_routing.coordinator.result import WorkflowResult


class CoordinatorError(FleetspanError):
    """A problem, its cause, and what may mend it.

    Attributes:
        error: What failed, in one line.
        because: Why, with the offending value.
        suggestion: What to try next.
    """

    def __init__(self, error: str, *, because: str, suggestion: str) -> None:
        self.error = error
        self.because = because
        self.suggestion = suggestion
        super().__init__(f"{error}\nbecause: {because}\ntry: {suggestion}")


class GraphError(CoordinatorError, ValueError):
    """Steps do not make a workflow: a cycle, an unknown or a doubled name, a bad value."""


class StepError(CoordinatorError):
    """A step ended in a way that is no result."""


class StepTimeout(StepError, TimeoutError):  # noqa: N818 - it is a TimeoutError, as its kin
    """A step was not done in time."""


class ResultError(StepError, TypeError):
    """A step's result cannot be kept, so its workflow could not be resumed."""


class SnapshotError(CoordinatorError):
    """A snapshot cannot be read or written.

    Attributes:
        result: What the workflow came to, when only the writing failed.
    """

    result: WorkflowResult | None = None


class OtherGraphError(SnapshotError):
    """A snapshot is of another workflow.

    Attributes:
        differences: Each thing that is not the same, in one line.
    """

    def __init__(self, where: str, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        super().__init__(
            f"{where} is a snapshot of another workflow",
            because="; ".join(self.differences),
            suggestion="resume with the steps that it was taken of, or begin anew with"
            " run() and another file",
        )


class WorkflowFailed(CoordinatorError):  # noqa: N818 - an outcome, not a fault of ours
    """A required step has failed.

    Attributes:
        result: What became of every step.
    """

    def __init__(self, result: WorkflowResult) -> None:
        self.result = result
        failed = [each for each in result.failed if each.required]
        super().__init__(
            f"workflow {result.name!r} has failed",
            because="; ".join(f"{each.name}: {each.error}" for each in failed),
            suggestion="mend the cause; with a snapshot, resume() runs only what is not"
            " finished",
        )
