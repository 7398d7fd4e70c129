"""What pages are made of. Text in blocks is plain: each way of writing escapes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the page's own."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences; an aside is less important."""

    text: str
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; ``words`` is how many columns, from the left, are not figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a whole: its name, its share (0 to 1), and what to write behind it."""

    label: str
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Parts of a whole."""

    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """Something to do, or to know: a title, lines below it, and its evidence.

    Attributes:
        title: In one line.
        lines: What more there is to say.
        mark: A word before the title, such as what it saves.
        evidence: Ids by what they are of: ``runs``, ``spans``, ``findings``.
    """

    title: str
    lines: tuple[str, ...] = ()
    mark: str = ""
    evidence: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Items:
    """Several of these, in order."""

    items: tuple[Item, ...]
    numbered: bool = False


Block = Heading | Paragraph | Grid | Bars | Items
