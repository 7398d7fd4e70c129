"""Texts as numbers, in four views; needs numpy.

::

    words       hashed words and pairs of words, as they come
    grams       hashed runs of two to four characters: parts of words, numbers, code
    manner      a dozen measures, and how often each ASCII character comes: how it is written
    marks       hashed names of what the task is of: an agent's role, tools, a repository

Words say what a task is about, grams the same where words are few, and the manner what kind
of text it is; marks say what no text does. All of it is counts that grow no faster than
their logarithm.
"""

from __future__ import annotations

import functools
import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BUCKETS: Final = 1 << 18
"""Words and pairs of words are told apart so far; those that meet share a weight."""
GRAMS: Final = 1 << 16
"""Likewise for runs of characters."""
MARKS: Final = 1 << 12
"""And for marks."""
MEASURES: Final = 12
CHARACTERS: Final = 128
_MOST_WORDS: Final = 2_000
_MOST_CHARACTERS: Final = 10_000
_WORD: Final = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_END: Final = re.compile(r"[.!?](?:\s|$)")
_OF_FIRST: Final = 0x9E3779B1
"""Tells the pair of one word and another from that of the other and the one."""
_OF_RUN: Final = np.uint32(_OF_FIRST)
_MIXED: Final = np.uint32(0x85EBCA6B)
_LOGS: Final = (1 + np.log(np.arange(1, 1_001))).astype(np.float32)
"""What counts of 1 to 1,000 weigh, and those beyond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Sparse rows.

    Attributes:
        columns: Of all values, row by row; ascending in each.
        values: All values, row by row.
        starts: Where each row begins in them, and the end of the last.
    """

    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    starts: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    def some(self, rows: Ints) -> Rows:
        """Return some rows, in the given order."""
        lengths = np.diff(self.starts)[rows]
        starts = _starts(lengths)
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
        taken = np.repeat(self.starts[rows], lengths) + within
        return Rows(
            columns=self.columns[taken], values=self.values[taken], starts=starts
        )

    @property
    def rows(self) -> Ints:
        """The row of each value."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Texts in four views.

    Attributes:
        words: Counts of words and pairs, below `BUCKETS`.
        grams: Counts of runs of characters, below `GRAMS`.
        measures: One row of measures per text, shape ``(texts, 12)``.
        characters: How often each ASCII character comes, shape ``(texts, 128)``.
        marks: What each is of, below `MARKS`.
    """

    words: Rows
    grams: Rows
    measures: Floats
    characters: Floats
    marks: Rows

    def __len__(self) -> int:
        return len(self.words)

    def some(self, rows: Ints) -> Texts:
        """Return some texts, in the given order."""
        return Texts(
            words=self.words.some(rows),
            grams=self.grams.some(rows),
            measures=self.measures[rows],
            characters=self.characters[rows],
            marks=self.marks.some(rows),
        )


def read(texts: Sequence[str], marks: Sequence[Sequence[str]] | None = None) -> Texts:
    """Turn texts into counts and measures.

    Args:
        texts: What tasks say.
        marks: Names of what each is of; none unless given.
    """
    told = marks or [()] * len(texts)
    characters = np.zeros((len(texts), CHARACTERS))
    measures = np.zeros((len(texts), MEASURES))
    words, grams = [], []
    for at, text in enumerate(texts):
        small = text.lower()
        split = text.split()
        words.append(_words(small))
        grams.append(_grams(" ".join(small[:_MOST_CHARACTERS].split())))
        plain = np.frombuffer(text.encode("ascii", "ignore"), np.uint8)
        characters[at] = np.bincount(plain, minlength=CHARACTERS)
        measures[at] = _measures(text, split, plain, characters[at])
    return Texts(
        words=_counted(words),
        grams=_counted(grams),
        measures=measures,
        characters=np.log1p(characters),
        marks=_counted([_hashed_marks(names) for names in told]),
    )


def _starts(lengths: Ints | list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _counted(found: list[npt.NDArray[np.int32]]) -> Rows:
    """Rows of how often each number comes, by its logarithm; each row is ascending."""
    columns, values = [], []
    for ordered in found:
        # Where another number begins. np.unique does more, and takes twice as long.
        new = np.ones(len(ordered) + 1, np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=new[1:-1])
        first = np.flatnonzero(new)
        columns.append(ordered[first[:-1]])
        values.append(_LOGS[np.minimum(first[1:] - first[:-1], len(_LOGS)) - 1])
    return Rows(
        columns=np.concatenate([np.zeros(0, np.int32), *columns]),
        values=np.concatenate([np.zeros(0, np.float32), *values]),
        starts=_starts([len(each) for each in columns]),
    )


def _words(text: str) -> npt.NDArray[np.int32]:
    words = _WORD.findall(text)[:_MOST_WORDS]
    found = np.empty(max(2 * len(words) - 1, 0), np.int64)
    ones = found[: len(words)]
    ones[:] = list(map(_place, words))
    np.remainder(ones[:-1] * _OF_FIRST + ones[1:], BUCKETS, out=found[len(words) :])
    found.sort()
    return found.astype(np.int32)


@functools.lru_cache(maxsize=1 << 16)
def _place(word: str) -> int:
    # Not hash(): it differs from process to process.
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % BUCKETS


def _hashed_marks(names: Sequence[str]) -> npt.NDArray[np.int32]:
    return np.sort(np.array([_place(name) % MARKS for name in names], np.int32))


def _grams(text: str) -> npt.NDArray[np.int32]:
    ones = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    twos = ones[:-1] * _OF_RUN + ones[1:]
    threes = twos[:-1] * _OF_RUN + ones[2:]
    fours = threes[:-1] * _OF_RUN + ones[3:]
    # The upper bits of a product depend on all bits below; 16 are soon sorted.
    mixed = np.concatenate([twos, threes, fours]) * _MIXED >> np.uint32(16)
    found = mixed.astype(np.uint16)
    found.sort(kind="stable")
    return found.astype(np.int32)


def _measures(
    text: str, words: list[str], plain: npt.NDArray[np.uint8], counts: Floats
) -> list[float]:
    """A dozen measures of a text, none of which grows faster than its logarithm."""
    length = max(len(text), 1)
    digits, capitals, others = (_KINDS @ counts).tolist()
    if len(plain) < len(text):
        strange = [c for c in text if ord(c) > 127]
        digits += sum(map(str.isdigit, strange))
        capitals += sum(map(str.isupper, strange))
        others += sum(not (c.isalnum() or c.isspace()) for c in strange)
    is_digit = _KINDS[0].astype(np.bool_)[plain]
    numbers = np.count_nonzero(is_digit[1:] > is_digit[:-1]) + int(is_digit[:1].sum())
    return [
        math.log1p(len(text)),
        math.log1p(len(words)),
        sum(map(len, words)) / max(len(words), 1),
        math.log1p(digits),
        math.log1p(numbers),
        math.log1p(counts[ord("?")]),
        math.log1p(counts[ord("\n")]),
        math.log1p(counts[ord("`")]),
        math.log1p(len(_END.findall(text))),
        capitals / length,
        others / length,
        len(set(words)) / max(len(words), 1),
    ]


_KINDS: Final = np.array(
    [
        [kind(chr(code)) for code in range(CHARACTERS)]
        for kind in (
            str.isdigit,
            str.isupper,
            lambda c: not (c.isalnum() or c.isspace()),
        )
    ],
    np.float64,
)
"""Which ASCII characters are digits, capitals, and neither letters nor blanks."""
