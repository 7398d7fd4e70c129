"""Telemetry never breaks the program: what goes wrong in ours is logged once and dropped."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final

_logger = logging.getLogger("fleetspan")

# Every kind is logged once; without a bound a message that varies would leak memory.
_MAX_KINDS: Final = 1000
_seen: dict[tuple[str, str], int] = {}


def note(doing: str, error: Exception) -> None:
    """Log an error of ours the first time that its kind is seen, and count it.

    Args:
        doing: What was attempted, such as ``start a span``: one of a few fixed texts.
        error: What went wrong.
    """
    key = (doing, type(error).__name__)
    count = _seen.get(key, 0)
    if count or len(_seen) < _MAX_KINDS:
        _seen[key] = count + 1
    if count == 0:
        _logger.warning(
            "could not %s; the program goes on with less telemetry "
            "(this kind of error is logged once)",
            doing,
            exc_info=error,
        )


def complain(about: str, problem: str) -> None:
    """Log a bad value that the program gave us, once per ``about``.

    Args:
        about: The input, such as ``decision.confidence``: one of a few fixed texts.
        problem: What is wrong, got what, expected what.
    """
    key = ("accept", about)
    count = _seen.get(key, 0)
    if count or len(_seen) < _MAX_KINDS:
        _seen[key] = count + 1
    if count == 0:
        _logger.warning("%s: %s (logged once)", about, problem)


def suppressed_errors() -> dict[str, int]:
    """Return how often each kind of error was kept away from the program.

    Returns:
        Counts by ``what was attempted: type of the error``.
    """
    return {f"{doing}: {kind}": count for (doing, kind), count in _seen.items()}


def forget_errors() -> None:
    """Forget what has been logged, so that each kind is logged again."""
    _seen.clear()


class guard:  # noqa: N801 - reads as a statement: `with guard("end a span"):`
    """Keep every ``Exception`` of the block away from the program.

    ``KeyboardInterrupt``, ``SystemExit`` and ``CancelledError`` pass.

    Args:
        doing: What the block attempts, for the log.
    """

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            note(self._doing, error)
            return True
        return False
