"""The errors of the collector: each is an answer that a person can act on.

::

    FleetspanError
    └── CollectorError           error, because, try, exit code
        ├── UsageError           the command or a setting is wrong            (exit 2)
        └── UnreachableError     the store, the owner or a port is not to be had (exit 3)
    Refused                      this request cannot be accepted now; the client may retry
"""

from __future__ import annotations

from typing import ClassVar

from fleetspan._errors import FleetspanError


class CollectorError(FleetspanError):
    """A problem, its cause and the exact command that may mend it.

    Attributes:
        error: What failed, in one line.
        because: Why, with the offending value.
        suggestion: The exact command or setting to try next.
        exit_code: What the command exits with (0 ok, 1 problem, 2 usage, 3 unreachable).
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, error: str, *, because: str, suggestion: str) -> None:
        self.error = error
        self.because = because
        self.suggestion = suggestion
        super().__init__(f"{error}: {because}")


class UsageError(CollectorError):
    """The command line or a setting is wrong."""

    exit_code = 2


class UnreachableError(CollectorError):
    """The store, its owner or a port is not to be had."""

    exit_code = 3


class Refused(Exception):  # noqa: N818 - an answer to a client, not a failure of ours
    """A request cannot be accepted now; the same bytes may be sent again later.

    Attributes:
        reason: A bounded label for the metrics, such as ``disk_floor`` or ``queue_full``.
        retry_after_s: When to try again, in seconds (at most 2: stock SDKs give up later).
    """

    def __init__(
        self, reason: str, message: str, *, retry_after_s: float = 1.0
    ) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(message)
