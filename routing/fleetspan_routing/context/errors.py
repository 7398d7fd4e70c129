"""The errors that the context optimiser raises on purpose; each says what to try."""

from __future__ import annotations


class ContextError(ValueError):
    """Something that was given cannot be used, or is not there.

    Attributes:
        error: What is wrong, in one line.
        because: The value that was given, and the rule that it breaks.
        remedy: What to do instead.
    """

    def __init__(self, error: str, because: str, remedy: str) -> None:
        self.error = error
        self.because = because
        self.remedy = remedy
        super().__init__(f"{error}\n  because: {because}\n  try: {remedy}")
