"""What a router asks of texts; apart from `text_guard`, which needs numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class TextRule(Protocol):
    """What was judged of a workload's texts; `text_guard.judge` returns one."""

    @property
    def weak(self) -> str:
        """The model that it is about."""

    @property
    def strong(self) -> str:
        """The model that has the task otherwise."""

    @property
    def may(self) -> bool:
        """Whether the text may decide."""

    @property
    def reason(self) -> str:
        """Why, or why not."""

    def spares(self, text: str, marks: Sequence[str] = ()) -> bool:
        """Return whether the weak model may have a task.

        Args:
            text: What it says.
            marks: What it is of, as `outcomes.Task.marks` returns it.
        """
