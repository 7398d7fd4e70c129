"""Signatures of webhooks, as https://www.standardwebhooks.com says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

_PREFIX: Final = "whsec_"


def key_of(secret: str) -> bytes:
    """The key that a secret stands for.

    Args:
        secret: ``whsec_`` and base64, or any other text, which is taken as it is.

    Raises:
        ValueError: When it is empty, or ``whsec_`` and not base64.
    """
    if not secret.startswith(_PREFIX):
        if not secret:
            raise ValueError("expected a secret, got nothing")
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError(f"expected base64 after {_PREFIX}")
    return key


def sign(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The signature of a message, with the version of the scheme.

    Args:
        key: The shared key.
        message_id: Id of the message; the same in every attempt.
        timestamp_s: When it is sent, Unix seconds.
        body: The body as it is sent.
    """
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
