"""Finds what is to be redacted, with RE2: linear in the text whatever the pattern.

RE2 (google-re2, BSD licence, 1.6 MB) runs one automaton over the bytes for all shapes at
once, releases the interpreter's lock while it does, and knows no pattern that takes more
than linear time, which also makes the users' own patterns safe. Of the alternatives,
Python's ``re`` is 20 times slower on the same alternation and can be made to hang, and
an Aho-Corasick library is as fast but finds only literals, too many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import re2

from fleetspan._redaction import Found, compile_kind, holds, without_overlaps
from fleetspan._secret_kind import Kind
from fleetspan._secret_kinds import KINDS

# Text may be escaped: then only a closer look can tell.
_ESCAPED: Final = r"\\u00[2-7][0-9a-fA-F]|\\x[2-7][0-9a-fA-F]"
_MEMORY_BYTES: Final = 64 << 20

Holds = Callable[[bytes, int, int], bool]


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape to find.

    Attributes:
        kind: Its name and patterns.
        holds: What a find, by text, start and end, must be besides.
        compile: Returns its pattern, compiled: by Python's ``re`` for ours, which are
            known to be linear, as it is faster in short texts; by RE2 for the users'.
    """

    kind: Kind
    holds: Holds
    compile: Callable[[], Any]


_compiled = cache(compile_kind)

SECRETS: Final = tuple(
    Shape(kind, partial(holds, kind), partial(_compiled, kind)) for kind in KINDS
)
"""The shapes that the SDK and the collector share."""


def _options() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    return options


def compile_bytes(pattern: str) -> Any:
    """Compile a pattern over bytes.

    Raises:
        ValueError: When RE2 cannot: the text says why.
    """
    try:
        return re2.compile(pattern.encode(), _options())
    except re2.error as error:
        why = error.args[0] if error.args else "it is no regular expression"
        raise ValueError(why.decode() if isinstance(why, bytes) else why) from None


def _cased(kind: Kind, pattern: str) -> str:
    return f"(?i:{pattern})" if kind.ignore_case else f"(?:{pattern})"


class Finder:
    """Finds shapes in text, and tells in one pass whether a look is worth it.

    Args:
        shapes: What to find; of two equal finds the first shape's counts.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._shapes = tuple(shapes)
        hints = [_cased(each.kind, _hint(each.kind)) for each in shapes]
        # In raw bytes any letter may stand before a word: an escape's, or the length of
        # the field. So no hint looks at what is before it.
        anywhere = [hint.replace(r"\b", "") for hint in hints]
        self._hint = compile_bytes("|".join([_ESCAPED, *anywhere]))
        self._exact_hint = compile_bytes("|".join(hints))
        self._set = re2.Set.SearchSet(_options())
        for hint in hints:
            self._set.Add(hint.encode())
        self._set.Compile()
        self._begins = {
            rank: compile_bytes(hint)
            for rank, (each, hint) in enumerate(zip(shapes, hints, strict=True))
            if each.kind.begins_with_hint
        }

    def suspects(self, data: bytes) -> bool:
        """Tell whether there may be anything in raw bytes, at 500 MB/s or so."""
        return self._hint.search(data) is not None

    def places(self, data: bytes, at_most: int) -> list[int] | None:
        """Return where in raw bytes something may be, in order.

        Both ends of each hint: a hint may reach into the next field.

        Args:
            data: A whole request.
            at_most: How many places are worth listing.

        Returns:
            The places; ``None`` when there are more.
        """
        found: list[int] = []
        for match in self._hint.finditer(data):
            start, end = match.span()
            found += (start, end - 1)
            if len(found) > at_most:
                return None
        found.sort()
        return found

    def __call__(self, text: bytes) -> Sequence[Found]:
        """Return what is in a text without escapes, in order, not overlapping."""
        found: list[tuple[int, Found]] = []
        lowered: bytes | None = None
        for rank in self._likely(text):
            shape = self._shapes[rank]
            where = text
            if shape.kind.ignore_case:
                lowered = where = text.lower() if lowered is None else lowered
            for match in self._matches(rank, shape, text, where):
                start, end = match.span(match.lastindex or 0)
                if shape.holds(text, start, end):
                    found.append((rank, Found(start, end, shape.kind)))
        return without_overlaps(found) if found else ()

    def _likely(self, text: bytes) -> Iterable[int]:
        """Return the shapes whose hints are in a text."""
        ranks: list[int] | None = self._set.Match(text)
        if ranks:
            return ranks
        # Nothing is also what a set says that has run out of memory.
        return range(len(self._shapes)) if self._exact_hint.search(text) else ()

    def _matches(
        self, rank: int, shape: Shape, text: bytes, where: bytes
    ) -> Iterator[Any]:
        begins = self._begins.get(rank)
        if begins is None:
            yield from shape.compile().finditer(where)
            return
        done = 0
        for hint in begins.finditer(text):
            if hint.start() >= done:
                match = shape.compile().match(where, hint.start())
                if match is not None:
                    yield match
                    done = match.end()


def _hint(kind: Kind) -> str:
    return kind.hint or "|".join(str(re2.escape(literal)) for literal in kind.literals)
