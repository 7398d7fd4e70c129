"""Who asks, as every port sees it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fleetspan_collector._errors import CollectorError


class Scope(StrEnum):
    """What a key allows; none includes another."""

    INGEST = "ingest"
    """Send telemetry, hooks and snapshots."""
    READ = "read"
    """Look: page, API, live stream, Jaeger, statements that read."""
    WRITE = "write"
    """Insert rows through the ClickHouse interface."""
    ADMIN = "admin"
    """Make and drop tables there, price again, take snapshots."""


ALL_SCOPES: Final = frozenset(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody who has shown who they are, or did not have to.

    Attributes:
        key_id: The key that was shown; ``""`` when none had to be, ``owner`` for the
            commands of the user who runs the collector.
        tenant: Whose rows become what they send.
        sees: Whose rows they may read; ``None`` for everybody's.
        scopes: What they may do.
    """

    key_id: str
    tenant: str
    sees: str | None
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Go on only with a scope.

        Raises:
            ForbiddenError: When they do not have it.
        """
        if scope not in self.scopes:
            raise ForbiddenError(scope)


class UnauthenticatedError(CollectorError):
    """No key was shown, or none that is in force. HTTP 401, gRPC UNAUTHENTICATED."""

    def __init__(self, because: str = "no key was shown, or none in force") -> None:
        super().__init__(
            "this collector wants a key",
            because=because,
            suggestion="send the header 'Authorization: Bearer KEY', with a key of "
            "`fleetspan keys add`",
        )


class ForbiddenError(CollectorError):
    """The key that was shown does not allow that. HTTP 403, gRPC PERMISSION_DENIED."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__(
            "the key does not allow that",
            because=f"it lacks the scope '{scope}'",
            suggestion=f"fleetspan keys add --scope {scope}",
        )
