"""What a destination is, and what can become of an attempt to tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from fleetspan_collector.notify._notice import Notice

MOST_ANSWER_CHARACTERS: Final = 1000
"""How much of an answer is recorded."""


class Outcome(StrEnum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """It is tried again."""
    INTERRUPTED = "interrupted"
    """The collector stopped; it is tried again after the next start."""
    REFUSED = "refused"
    """The receiver does not want it, and would not if it was asked again."""
    GAVE_UP = "gave_up"
    """It was tried as often as the hook says."""
    EXPIRED = "expired"
    """It is too old to be told."""


FINAL: Final = frozenset(
    {Outcome.DELIVERED, Outcome.REFUSED, Outcome.GAVE_UP, Outcome.EXPIRED}
)
"""After these it is not told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an attempt has gone.

    Attributes:
        outcome: Delivered, refused, or to be tried again.
        code: Status of an HTTP answer, or exit code; None when there was none.
        answer: The beginning of the answer, or what went wrong.
        retry_after_s: How long the receiver asks to wait, in seconds.
        unreachable: The receiver cannot be had at all, whatever it is told.
    """

    outcome: Outcome
    code: int | None = None
    answer: str = ""
    retry_after_s: float | None = None
    unreachable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a destination wants to be told.

    Attributes:
        detectors: Findings of these; empty for all.
        rank: Findings of at least this severity, by its number.
        runs: Also summaries of runs.
        tenants: Of these tenants; empty for all.
    """

    detectors: tuple[str, ...] = ()
    rank: int = 0
    runs: bool = False
    tenants: tuple[str, ...] = ()

    def __contains__(self, notice: object) -> bool:
        """Whether it wants to be told of something."""
        if not isinstance(notice, Notice):
            return False
        if self.tenants and notice.tenant not in self.tenants:
            return False
        if notice.kind == "run":
            return self.runs
        of_detector = not self.detectors or notice.detector in self.detectors
        return of_detector and notice.level >= self.rank


class Destination(Protocol):
    """Somebody who is told. Each is used by one thread, but for `interrupt`.

    Attributes:
        name: In every record of a delivery.
        wanted: What it wants to be told.
        together: How many notices it takes at once, at most.
        attempts: How often each is tried; None: until it is too old.
    """

    name: str
    wanted: Wanted
    together: int
    attempts: int | None

    def deliver(self, notices: Sequence[Notice], attempt: int) -> Sequence[Verdict]:
        """Tell it, within its timeout; one verdict per notice, in order.

        Args:
            notices: What to tell.
            attempt: The number of the attempt, from 1.
        """
        ...

    def interrupt(self) -> None:
        """End at once what is under way, and everything after it."""
        ...


def clip(text: str, secrets: Sequence[str] = ()) -> str:
    """The beginning of an answer, without the secrets that it may repeat."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    if len(text) <= MOST_ANSWER_CHARACTERS:
        return text
    return text[: MOST_ANSWER_CHARACTERS - 1] + "…"
