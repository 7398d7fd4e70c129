"""Batch ids: names of segments that sort by time."""

from __future__ import annotations

import os
import re
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_RANDOM_BITS = 80


class BatchIds:
    """A source of batch ids, each greater than the one before.

    An id is 26 characters: 48 bits of Unix milliseconds, then 80 random bits, the
    layout of a ULID. Within a process the ids rise even when the clock does not.

    Args:
        after: Every new id is greater than this one; ``""`` for no such bound. A
            restart passes the newest id on disk, so that a clock set back does not
            put new segments before old ones.
    """

    def __init__(self, after: str = "") -> None:
        self._last = _decode(after) if after else -1

    def next(self) -> str:
        """Return a new id."""
        milliseconds = time.time_ns() // 1_000_000
        noise = int.from_bytes(os.urandom(_RANDOM_BITS // 8))
        value = milliseconds << _RANDOM_BITS | noise
        if value <= self._last:
            # Random steps keep an id from being guessed out of the one before.
            value = self._last + 1 + (noise >> 16)
        self._last = value
        return _encode(value)


def is_batch_id(text: str) -> bool:
    """Tell whether a text has the form of a batch id."""
    return _PATTERN.fullmatch(text) is not None


def _encode(value: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def _decode(text: str) -> int:
    value = 0
    for character in text:
        value = value << 5 | _ALPHABET.index(character)
    return value
