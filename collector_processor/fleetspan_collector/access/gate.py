"""What every port asks: whose is this request?"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final, Protocol

from fleetspan_collector.access.identity import ALL_SCOPES, Identity

_KEY_HEADERS: Final = ("x-api-key", "x-clickhouse-key")


class Gate(Protocol):
    """Tells who shows a key. Every method is called from any thread, and is quick."""

    @property
    def required(self) -> bool:
        """Whether a key has to be shown at all; may change while the collector runs."""
        ...

    def identify(self, key: str | None) -> Identity:
        """Return who shows this key.

        Args:
            key: What `key_of` found; ``None`` when nothing was shown.

        Raises:
            UnauthenticatedError: When a key has to be shown, and this is none in force.
        """
        ...

    def holds(self, identity: Identity) -> bool:
        """Tell whether somebody who was let in may stay: their key is still in force."""
        ...


class OpenGate:
    """Lets everybody in: no keys are in use.

    Args:
        tenant: Whose rows become what is sent.
    """

    required = False

    def __init__(self, tenant: str = "") -> None:
        self._everybody = Identity(
            key_id="", tenant=tenant, sees=None, scopes=ALL_SCOPES
        )

    def identify(self, key: str | None) -> Identity:
        """Return everybody."""
        return self._everybody

    def holds(self, identity: Identity) -> bool:
        """Say yes."""
        return True


def key_of(headers: Mapping[str, str]) -> str | None:
    """Find the key in the headers, or the gRPC metadata, of a request.

    Args:
        headers: By lower-case name.

    Returns:
        What stands in ``Authorization: Bearer KEY``, as the password of
        ``Authorization: Basic``, in ``X-API-Key`` or in ``X-ClickHouse-Key``;
        ``None`` for none.
    """
    scheme, _, value = headers.get("authorization", "").strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return value
    if scheme.lower() == "basic" and value:
        try:
            user_and_key = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user_and_key.partition(":")[2] or None
    for name in _KEY_HEADERS:
        if headers.get(name):
            return headers[name]
    return None
