"""Takes secrets out of text: what the SDK records of content, and what the collector takes in.

A secret becomes ``[redacted:KIND:HASH]``. The hash is keyed and short: equal secrets can
be told to be equal, and nothing more. Text inside JSON inside text is found too: what is
looked at is the text with its escapes resolved, what is replaced are the bytes of the
original, whole escapes at a time, so that JSON stays JSON at every level.
"""

from __future__ import annotations

import hashlib
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from fleetspan._secret_kind import Check, Kind
from fleetspan._secret_kinds import KINDS

MARK: Final = b"[redacted:"
_HASH_BYTES: Final = 3
_MARKER: Final = re.compile(rb"\[redacted:[A-Za-z0-9-]+:[0-9a-f]{6}\]")
_SHORTEST_QUOTED: Final = 4
_LONGEST_QUOTED: Final = 65_536

# A run of backslashes is always taken whole, so that this is linear.
_ESCAPE: Final = re.compile(
    rb"\\+(?:u00([0-7][0-9a-fA-F])|x([2-7][0-9a-fA-F])|([/\"'nrtbf]))?"
)
_MEANING: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_NUMBER: Final = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_PLACEHOLDER: Final = re.compile(
    rb"(?i)(?:[\[(]?(?:redacted|content|filtered|masked|hidden|removed)\b"
    rb"|[<{%]|\$[({A-Za-z]|\*+$|x{3,}$|\.{3}|(?:your|my|the|some)[-_ ]"
    rb"|(?:change[-_]?me|placeholder|example|string|text|none|null|nil|true|false"
    rb"|undefined|password|secret|api[-_]?key|token|optional|required|str|bytes"
    rb"|process\.env|os\.environ|os\.getenv|getenv|env\.|env\(|secrets\.|vars\.)"
    rb"(?:$|[^A-Za-z0-9]))"
)
_PATH: Final = re.compile(rb"(?:[/~]|\.{1,2}/|[A-Za-z]:[\\/])")


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a piece of text: where it begins and ends there, and its shape."""

    start: int
    end: int
    kind: Kind


class Finder(Protocol):
    """Finds secrets."""

    def __call__(self, text: bytes) -> Sequence[Found]:
        """Return what is in a text without escapes, in order, not overlapping."""
        ...


Count = Callable[[str], None]


def passes(check: Check, value: bytes, *, quoted: bool = False) -> bool:
    """Tell whether what a pattern found can be a secret.

    Args:
        check: What it must be; see `Kind`.
        value: What was found.
        quoted: Whether it stands behind a quote.
    """
    if value.startswith(MARK):
        return False
    if not check:
        return True
    if check == "pairs":
        return b"=" in value
    if _PLACEHOLDER.match(value) or _PATH.match(value):
        return False
    if check == "value" or (check == "assigned" and quoted):
        return True
    digit = any(48 <= byte <= 57 for byte in value)
    if check == "long_random":
        return digit and any(byte >= 65 for byte in value)
    # A name, dotted or not, stands for a value and is none.
    return digit or any(byte in b"!@#%^*~+/=?:" for byte in value)


class Redactor:
    """Replaces secrets by markers.

    Args:
        key: Keys the hash in a marker, 16 bytes or more.
        find: Finds secrets; Python's ``re`` over the built-in shapes unless given.
        count: Called with the kind of each secret that was replaced.
    """

    def __init__(
        self, key: bytes, find: Finder | None = None, count: Count | None = None
    ) -> None:
        self._key = key
        self._find = find or find_secrets
        self._count = count

    def marker(self, kind: str, value: bytes) -> bytes:
        """Return what stands for a secret."""
        digest = hashlib.blake2b(value, key=self._key, digest_size=_HASH_BYTES)
        return MARK + kind.encode() + b":" + digest.hexdigest().encode() + b"]"

    def whole(self, kind: str, value: bytes) -> bytes:
        """Return what stands for a value that its name gave away, and count it."""
        if self._count is not None:
            self._count(kind)
        return self.marker(kind, value)

    def clean(self, data: bytes) -> bytes:
        """Return text in UTF-8 without secrets: the same object when it holds none."""
        view, unit_ends, sources = _unescape(data)
        found = _outside_markers(view, self._find(view))
        if not found:
            return data
        parts: list[bytes] = []
        done = 0
        for each in found:
            start, end = each.start, each.end
            value = view[start:end]
            if unit_ends:
                start = _source(start, unit_ends, sources)
                end = _source(end, unit_ends, sources)
            if start < done:
                continue
            if each.kind.check and data[start - 1 : start] in (b'"', b"'"):
                closing = _closing_quote(data, start, end)
                if closing > end:
                    end, value = closing, data[start:closing]
                if end - start < _SHORTEST_QUOTED:
                    continue
            # Never through the middle of a character.
            while end < len(data) and data[end] & 0xC0 == 0x80:
                end += 1
            parts += (data[done:start], self._instead(each.kind, value))
            done = end
        if not done:
            return data
        parts.append(data[done:])
        return b"".join(parts)

    def text(self, text: str) -> str:
        """Return text without secrets: the same object when it holds none."""
        data = text.encode("utf-8", "surrogatepass")
        clean = self.clean(data)
        return text if clean is data else clean.decode("utf-8", "surrogatepass")

    def _instead(self, kind: Kind, value: bytes) -> bytes:
        marker = self.whole(kind.name, value)
        # A bare number may be one of JSON, where a marker could not stand.
        bare = kind.check in ("assigned", "random") and _NUMBER.fullmatch(value)
        return b"0" if bare else marker


def _outside_markers(view: bytes, found: Sequence[Found]) -> Sequence[Found]:
    """Return the finds that are no part of a marker: redacting twice changes nothing."""
    if not found or MARK not in view:
        return found
    markers = [match.span() for match in _MARKER.finditer(view)]
    starts = [start for start, _ in markers]
    kept = []
    for each in found:
        before = bisect_right(starts, each.start) - 1
        if before < 0 or each.end > markers[before][1]:
            kept.append(each)
    return kept


def _unescape(data: bytes) -> tuple[bytes, list[int], list[int]]:
    """Resolve the escapes of JSON and the like, of any depth, in one go.

    Returns:
        The text; where each resolved escape ends in it; where each ends in the data.
    """
    if b"\\" not in data:
        return data, [], []
    parts: list[bytes] = []
    unit_ends: list[int] = []
    sources: list[int] = []
    length = done = 0
    for match in _ESCAPE.finditer(data):
        coded = match[1] or match[2]
        plain = match[3]
        if coded:
            meaning = bytes((int(coded, 16),))
        elif plain:
            meaning = _MEANING.get(plain, plain)
        else:
            continue
        start, end = match.span()
        parts += (data[done:start], meaning)
        length += start - done + 1
        done = end
        unit_ends.append(length)
        sources.append(end)
    parts.append(data[done:])
    return b"".join(parts), unit_ends, sources


def _source(at: int, unit_ends: list[int], sources: list[int]) -> int:
    """Return the place in the data of a place in the text without escapes."""
    before = bisect_right(unit_ends, at)
    if not before:
        return at
    return sources[before - 1] + at - unit_ends[before - 1]


def _closing_quote(data: bytes, start: int, end: int) -> int:
    """Return where a quoted value ends that begins at ``start``.

    A quote inside the value has more backslashes than the one that opened it.
    """
    quote = data[start - 1 : start]
    depth = _backslashes(data, start - 1)
    at = start
    limit = min(len(data), start + _LONGEST_QUOTED)
    while (at := data.find(quote, at, limit)) >= 0:
        slashes = min(_backslashes(data, at), at - start)
        if slashes <= depth or (slashes - depth) % (2 * (depth + 1)) == 0:
            return max(at - min(slashes, depth), start)
        at += 1
    return end


def _backslashes(data: bytes, at: int) -> int:
    """Return how many backslashes stand right before a place."""
    first = at
    while first and data[first - 1] == 0x5C:
        first -= 1
    return at - first


class _Standard:
    """The built-in shapes with Python's ``re``, each compiled when its literal is met."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._kinds = [
            (kind, tuple(word.encode() for word in kind.literals)) for kind in kinds
        ]
        self._compiled: dict[str, re.Pattern[bytes]] = {}

    def __call__(self, text: bytes) -> Sequence[Found]:
        lowered = text.lower()
        found: list[tuple[int, Found]] = []
        for rank, (kind, words) in enumerate(self._kinds):
            where = lowered if kind.ignore_case else text
            if not any(word in where for word in words):
                continue
            if kind.gate and not self._pattern(kind.gate).search(where):
                continue
            for match in self._pattern(kind.pattern).finditer(where):
                start, end = match.span(match.lastindex or 0)
                if holds(kind, text, start, end):
                    found.append((rank, Found(start, end, kind)))
        return without_overlaps(found)

    def _pattern(self, text: str) -> re.Pattern[bytes]:
        pattern = self._compiled.get(text)
        if pattern is None:
            pattern = self._compiled[text] = re.compile(text.encode())
        return pattern


def compile_kind(kind: Kind) -> re.Pattern[bytes]:
    """Compile a shape; where case does not matter it is for lower-case text.

    So that ``re`` can look for first letters: it cannot where it has to fold case.
    """
    return re.compile(kind.pattern.encode())


def holds(kind: Kind, text: bytes, start: int, end: int) -> bool:
    """Tell whether what a shape found in a text can be a secret."""
    quoted = text[start - 1 : start] in (b'"', b"'")
    return passes(kind.check, text[start:end], quoted=quoted)


def without_overlaps(found: list[tuple[int, Found]]) -> list[Found]:
    """Return of overlapping finds the first, and of those the longest.

    Args:
        found: The rank of the shape, which decides between equal finds, and the find.
    """
    found.sort(key=lambda each: (each[1].start, -each[1].end, each[0]))
    kept: list[Found] = []
    for _, each in found:
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
    return kept


find_secrets: Final[Finder] = _Standard(KINDS)
"""Finds the built-in shapes, with the standard library alone."""


@cache
def of_this_process() -> Redactor:
    """Return a redactor whose hashes compare within this process, and its children."""
    return Redactor(os.urandom(32))
