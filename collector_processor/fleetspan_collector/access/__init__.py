"""Who asks, and what they may: keys, tenants and TLS, the same on every port."""

from fleetspan_collector.access.gate import Gate, OpenGate
from fleetspan_collector.access.identity import (
    ForbiddenError,
    Identity,
    Scope,
    UnauthenticatedError,
)

__all__ = [
    "ForbiddenError",
    "Gate",
    "Identity",
    "OpenGate",
    "Scope",
    "UnauthenticatedError",
]
