"""A sink that keeps what it is given in memory, for tests and experiments."""

from __future__ import annotations

from .._errors import Refused
from .._signals import Accepted, Submission


class MemorySink:
    """Accepts everything, or refuses while told to.

    Attributes:
        submissions: What was accepted, in order.
        refusal: When set, every submission is refused with it.
    """

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.refusal: Refused | None = None

    async def accept(self, submission: Submission) -> Accepted:
        """Keep the submission, or raise the refusal that is set."""
        if self.refusal is not None:
            raise self.refusal
        self.submissions.append(submission)
        return Accepted()
