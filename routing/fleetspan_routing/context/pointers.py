"""The marks that stand where text was removed: how much, where it is, how to get it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleetspan_routing.context.store import Store

_REF: Final = re.compile(r"\bref:([0-9a-f]{8,64})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointers:
    """Writes the marks of one message.

    Attributes:
        ref: Of the whole text before anything was removed.
        hint: How it is recalled, with ``{ref}``.
        lines_before: How many lines of the whole text are before what is being cut, so
            that marks have the line numbers of the whole.
    """

    ref: str
    hint: str
    lines_before: int = 0

    def lines(self, start: int, end: int) -> str:
        """Return line numbers of the whole text, for indexes of the part, exclusive."""
        return f"{self.lines_before + start + 1}-{self.lines_before + end}"

    def cut(self, characters: int, lines: str = "", names: Sequence[str] = ()) -> str:
        """Return the mark of text that was cut.

        Args:
            characters: How many were.
            lines: Which ones, as in ``41-180``; empty when only a part of one.
            names: Of what was removed.
        """
        where = f" (lines {lines})" if lines else ""
        return (
            f"[... {characters:,} characters{where} kept as ref:{self.ref};"
            f" recall with {self._how()}{_listed(names)}]"
        )

    def gaps(
        self, spans: Sequence[tuple[int, int]], characters: int, names: Sequence[str]
    ) -> list[str]:
        """Return the marks of several cuts of one text; only the first says everything.

        Args:
            spans: Indexes of lines, the last one exclusive.
            characters: How many were cut, of all of them.
            names: Of what was removed.
        """
        first, *others = (self.lines(start, end) for start, end in spans)
        if not others:
            return [self.cut(characters, first, names)]
        mark = f"{self.cut(characters, '', names)[:-1]}; here lines {first}]"
        return [mark, *map(self.again, others)]

    def _how(self) -> str:
        # Not format(): a hint may have other braces.
        return self.hint.replace("{ref}", self.ref)

    def again(self, lines: str) -> str:
        """Return the short mark for further cuts in the same message."""
        return f"[... lines {lines} in ref:{self.ref}]"

    def gone(self, what: str, characters: int, names: Sequence[str]) -> str:
        """Return what stands for a whole output that was evicted."""
        return (
            f"[... {what}: {characters:,} characters kept as ref:{self.ref};"
            f" recall with {self._how()}{_listed(names)}]"
        )

    def same(self, above: int, characters: int) -> str:
        """Return what stands for an output that is so many messages above, too."""
        return (
            f"[... the same {characters:,} characters as {above} messages above,"
            f" kept as ref:{self.ref}]"
        )


def refs(text: str, store: Store) -> Sequence[str]:
    """Return the references in a text that are kept, in order, each once."""
    return [ref for ref in dict.fromkeys(_REF.findall(text)) if ref in store]


def _listed(names: Sequence[str]) -> str:
    return f"; names: {' '.join(names)}" if names else ""
