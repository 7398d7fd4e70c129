"""The parameters of the API, each of a type of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import Query

from fleetspan_collector._errors import UsageError
from fleetspan_collector.processors.finding import Severity
from fleetspan_collector.web._waiting import CATCH_UP_S

_MOST_TEXT: Final = 512
_MOST_ID: Final = 1024

Text = Annotated[str, Query(max_length=_MOST_TEXT)]
Id = Annotated[str, Query(max_length=_MOST_ID)]
Cursor = Annotated[
    str | None, Query(max_length=2048, description="`next_cursor` of the part before.")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Wait = Annotated[
    float,
    Query(
        ge=0,
        le=CATCH_UP_S,
        description="Seconds to wait for what was acknowledged before; `complete` says "
        "whether it is in the answer.",
    ),
]
Time = Annotated[
    datetime | None,
    Query(description="RFC 3339 with its zone, such as 2026-01-02T03:04:05Z."),
]
StatusParameter = Annotated[
    Literal["", "running", "ok", "error", "abandoned"],
    Query(description="How it stands."),
]
SeverityParameter = Annotated[
    Severity | None, Query(description="At least as severe as this.")
]


def nanoseconds(name: str, moment: datetime | None) -> int:
    """Return Unix nanoseconds; 0 for none.

    Raises:
        UsageError: When the time has no zone, or no column could hold it.
    """
    if moment is None:
        return 0
    if moment.tzinfo is None:
        raise UsageError(
            f"{name}={moment.isoformat()!r} cannot be used",
            because="it is not an RFC 3339 time with its zone",
            suggestion=f"?{name}=2026-01-02T03:04:05Z",
        )
    found = int(moment.timestamp() * 1_000_000) * 1000
    if not 0 <= found < 2**63 - 1:
        raise UsageError(
            f"{name}={moment.isoformat()!r} cannot be used",
            because="it lies before 1970 or after 2262",
            suggestion=f"?{name}=2026-01-02T03:04:05Z",
        )
    return found


def rank(severity: Severity | None) -> int:
    """Return the index of a severity; -1 for none."""
    return -1 if severity is None else list(Severity).index(severity)
