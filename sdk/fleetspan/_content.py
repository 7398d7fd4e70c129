"""What is recorded of arguments, results and messages: hashes always, content on request."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from fleetspan._redaction import of_this_process

# Longest piece of content that is recorded, in characters: a span must fit a request.
MAX_CONTENT_CHARS: Final = 262_144
_LONGEST_SECRET_CHARS: Final = 8_192


def _opaque(value: object) -> str:
    # Not repr(): an address in it would make the hash differ from call to call.
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


# Built once: json.dumps with these options would build one per call.
_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_opaque
)
_readable = json.JSONEncoder(ensure_ascii=False, default=str)


def canonical_bytes(value: object) -> bytes:
    """Return the bytes by which a value is compared.

    Args:
        value: Bytes and text stand for themselves; anything else is written as JSON with
            sorted keys and without blanks, and an object that JSON cannot hold as the
            name of its type.

    Raises:
        TypeError: When the keys of a mapping cannot be sorted.
        ValueError: When a value contains itself.
    """
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    text = value if isinstance(value, str) else _canonical.encode(value)
    return text.encode("utf-8", "surrogatepass")


def digest(data: bytes) -> str:
    """Return the first 16 bytes of the SHA-256 of some bytes, as 32 hex digits."""
    return hashlib.sha256(data).hexdigest()[:32]


def readable(value: object) -> str:
    """Return a value as the text that content capture records.

    Secrets are replaced by markers, and what is very long is cut.
    """
    if isinstance(value, bytes | bytearray):
        text = bytes(value).decode("utf-8", "replace")
    else:
        text = value if isinstance(value, str) else _readable.encode(value)
    left_out = max(len(text) - MAX_CONTENT_CHARS, 0)
    if left_out:
        # A little more than is kept: a secret that is cut in two is not known as one.
        text = text[: MAX_CONTENT_CHARS + _LONGEST_SECRET_CHARS]
    text = of_this_process().text(text)
    if left_out:
        text = f"{text[:MAX_CONTENT_CHARS]} [cut: {left_out} more characters]"
    return text
