"""Names in a text: what a later command may need to say again, and which to keep.

A name is a path or dotted name, a symbol that looks like one (``snake_case``,
``camelCase``, ``CONSTANT``), or a number that looks like an id (a hash, a UUID, five
digits and more). Plain words are none: they can be said without having been read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import Final

_CHUNK: Final = re.compile(r"[\w./+-]+")
_NAME: Final = re.compile(
    r"""
      [0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}  # a UUID
    | (?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40}                # a hash
    | [\w.+-]*(?:/[\w.+-]+)+                               # a path
    | [A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+                      # a dotted name
    | \w*_\w*                                             # snake_case
    | [A-Za-z]*[a-z][A-Z]\w*                              # camelCase
    | \d{5,20}                                            # a number that is an id
    """,
    re.VERBOSE,
)

_DEFINES: Final = re.compile(
    r"\b(?:def|class|func|fn|function|struct|interface|type|enum|trait|const)\s+(\w+)"
)
_PIECE: Final = re.compile(r"[A-Za-z][a-z]{2,}|[A-Z]{3,}")
_DIGITS: Final = re.compile(r"\d+")
_MOST_ALIKE: Final = 2
_SHORTEST: Final = 4
_LONGEST: Final = 80


def names(text: str) -> list[str]:
    """Return the names in a text, in order, each once."""
    found: dict[str, None] = {}
    for chunk in dict.fromkeys(_CHUNK.findall(text)):
        for name in _split(chunk.strip(".+-/")):
            if _SHORTEST <= len(name) <= _LONGEST and name.strip("_0."):
                found[name] = None
    return list(found)


def _split(chunk: str) -> list[str]:
    """Return the names in letters, digits and marks without a space."""
    if _NAME.fullmatch(chunk):
        return [chunk]
    parts = re.split(r"[-+]", chunk)
    return [part for part in parts if _NAME.fullmatch(part)] if len(parts) > 1 else []


def pieces(text: str) -> set[str]:
    """Return the words that names are made of, in lower case, of four letters and more."""
    return {word.lower() for word in _PIECE.findall(text) if len(word) >= _SHORTEST}


def wanted_in(*texts: str) -> frozenset[str]:
    """Return the pieces of the names in texts, by which relevance is judged."""
    return frozenset(
        piece for text in texts for name in names(text) for piece in pieces(name)
    )


def worth_keeping(
    removed: str, kept: Collection[str], wanted: Collection[str], room: int
) -> list[str]:
    """Return names that are only in removed text, the most useful first.

    Those that have to do with the task come first, then definitions, then paths, then
    the rest in their order.

    Args:
        removed: What is taken away.
        kept: Names that stay, which need no keeping.
        wanted: Pieces of names that the task and the last steps are about.
        room: Characters for all of them, with a space after each.
    """
    if room <= 0:
        return []
    defined = {name for name in _DEFINES.findall(removed) if len(name) >= _SHORTEST}
    found = dict.fromkeys([*names(removed), *sorted(defined)])

    def rank(name: str) -> int:
        about = min(sum(piece in wanted for piece in pieces(name)), 2)
        return -(4 * about + 3 * (name in defined) + ("/" in name or "." in name))

    chosen: list[str] = []
    alike: Counter[str] = Counter()
    for name in sorted((name for name in found if name not in kept), key=rank):
        if name.isdecimal():
            before = f"{int(name) - 1:0{len(name)}}"
            if before in found or before in kept:
                # The next one of a row that is counted through, as lines are; no id.
                continue
        # Names that differ in numbers only tell each other.
        shape = _DIGITS.sub("#", name)
        alike[shape] += 1
        if shape.strip("#") and alike[shape] > _MOST_ALIKE:
            continue
        room -= len(name) + 1
        if room < 0:
            break
        chosen.append(name)
    return chosen
