"""With which chance each model does a task, by its text; needs numpy.

Logistic regression, one for each model, on four views of the text. The words and pairs of
words, and the runs of characters, each weighted by how rare they are (TF-IDF) and of
length 1, weigh as they come; by its manner (a dozen measures, and how often each character
comes) a text is told by how like it is to some of those that were fitted to, so that what
is foretold may bend; and what the task is of (a role, tools, a repository) adds what is
known of such tasks, whatever they say. Each view has a fixed share of the whole, and all of
it is held far back: outcomes are mostly noise. It is worth something on questions, little on
agents' work, and nothing on fewer than a few hundred outcomes (see the README):
`fleetspan_routing.router` uses it only where `text_guard` has shown that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing._text_views import (
    BUCKETS,
    GRAMS,
    MARKS,
    MEASURES,
    Floats,
    Rows,
    Texts,
    read,
)

__all__ = ["BUCKETS", "TextModel", "Texts", "fit", "read"]

_PENALTY: Final = 1.0
"""How far weights are held back: as if by four outcomes that were a toss-up."""
_OF_WORDS: Final = 0.6
"""The share of words, of 1."""
_OF_GRAMS: Final = 0.2
_OF_MANNER: Final = 0.2
_OF_MARKS: Final = 0.5
"""Beside these: tasks without marks are foretold as if there were none."""
_ROUNDS: Final = 8
_STEPS: Final = 25
_FARTHEST: Final = 4.0
"""By so much a round may move what is foretold, in log odds."""
_LEAST_OUTCOMES: Final = 8
_LEAST_TEXTS: Final = 2
_LIKENESSES: Final = 300
"""To so many texts the manner of one is compared."""
_NEAR: Final = 1.5
"""The squared distance at which likeness is 1/e; two texts are on average 4 apart."""
_SELDOM: Final = 0.05
"""A character of fewer texts than this share says nothing of the manner."""
_TINY: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Weights of a view, one per bucket and model; 0 where fewer than two texts had it.

    Attributes:
        rarity: The rarer, the more, shape ``(buckets,)``.
        weights: What each adds, shape ``(buckets, models)``.
    """

    rarity: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]

    def scores(self, rows: Rows) -> Floats:
        """Return what each row adds up to by its length, shape ``(rows, models)``."""
        values = rows.values * self.rarity[rows.columns]
        weights = self.weights[rows.columns]
        if len(rows) == 1:  # A pick has one text, and should not wait for the rest.
            size = max(math.sqrt(values @ values), _TINY)
            return np.asarray((values @ weights / size)[None], np.float64)
        where = rows.rows
        length = np.sqrt(np.bincount(where, values * values, len(rows)))
        added = [np.bincount(where, values * each, len(rows)) for each in weights.T]
        return np.asarray(np.stack(added, axis=1) / np.maximum(length, _TINY)[:, None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a text is written, as its likeness to some others.

    Attributes:
        centre: Mean of each measure and character.
        scale: By what each is multiplied, 0 for what is not looked at.
        others: The texts to which one is compared, one column each.
        sizes: The sum of squares of each.
    """

    centre: Floats
    scale: Floats
    others: Floats
    sizes: Floats

    @classmethod
    def of(cls, texts: Texts, chance: np.random.Generator) -> Manner:
        """Return what to look at, and some of the texts to compare with."""
        told = _told(texts)
        spread = told.std(axis=0)
        used = spread > _TINY
        used[MEASURES:] &= (texts.characters > 0).mean(axis=0) >= _SELDOM
        scale = np.zeros(len(used))
        scale[used] = 1 / spread[used]
        # Measures and characters weigh the same, however many there are.
        for part in (slice(MEASURES), slice(MEASURES, None)):
            scale[part] /= math.sqrt(max(used[part].sum(), 1))
        centre = told.mean(axis=0)
        taken = chance.permutation(len(texts))[:_LIKENESSES]
        others = ((told[taken] - centre) * scale).T.copy()
        sizes = (others * others).sum(axis=0)
        return cls(centre=centre, scale=scale, others=others, sizes=sizes)

    def likeness(self, texts: Texts) -> Floats:
        """Return how like each text is to each other, 0 to 1."""
        return self._near((_told(texts) - self.centre) * self.scale)

    def plain(self) -> Floats:
        """Return what turns likenesses to all others into uncorrelated numbers."""
        sizes, ways = np.linalg.eigh(self._near(self.others.T))
        some = sizes > 1e-6 * sizes[-1]
        return np.asarray(ways[:, some] / np.sqrt(sizes[some]))

    def _near(self, at: Floats) -> Floats:
        apart = (at * at).sum(axis=1)[:, None] + self.sizes - 2 * at @ self.others
        return np.asarray(np.exp(np.maximum(apart, 0) / -_NEAR))


def _told(texts: Texts) -> Floats:
    return np.hstack([texts.measures, texts.characters])


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """Foretells with which chance each model does a task.

    Attributes:
        words: Weights of words and pairs.
        grams: Of runs of characters.
        marks: Of what a task is of.
        manner: How a text is written.
        of_manner: What each likeness adds, shape ``(likenesses, models)``.
        bias: What is added for each model.
    """

    words: Weighed
    grams: Weighed
    marks: Weighed
    manner: Manner
    of_manner: Floats
    bias: Floats

    def likely(self, texts: Texts) -> Floats:
        """Return the chances, shape ``(texts, models)``."""
        by_manner = self.manner.likeness(texts) @ self.of_manner
        by_words = self.words.scores(texts.words) + self.grams.scores(texts.grams)
        by_marks = self.marks.scores(texts.marks)
        return _chance(by_words + by_marks + by_manner + self.bias)


def fit(
    texts: Texts, good: Floats, *, counts: Floats | None = None, seed: int = 0
) -> TextModel:
    """Fit a model to outcomes.

    Args:
        texts: Of tasks, as `read` returns them.
        good: What became of each with each model, 0 to 1, shape ``(texts, models)``.
        counts: How many outcomes each stands for, likewise, and 0 where there is none;
            1 unless given.
        seed: Of the texts to which manners are compared.

    Raises:
        ValueError: When there are not as many outcomes as texts, or fewer than 8, or none
            of a model.
    """
    counts = np.ones(good.shape) if counts is None else counts
    if len(texts) != len(good) or len(good) < _LEAST_OUTCOMES:
        raise ValueError(f"{len(good)} outcomes of {len(texts)} texts cannot be fitted")
    if not counts.any(axis=0).all():
        raise ValueError("a model without any outcome cannot be fitted")
    words = _View(texts.words, BUCKETS, _OF_WORDS)
    grams = _View(texts.grams, GRAMS, _OF_GRAMS)
    marks = _View(texts.marks, MARKS, _OF_MARKS)
    manner = Manner.of(texts, np.random.default_rng(seed))
    plain = manner.plain()
    likeness = manner.likeness(texts) @ plain
    middle = likeness.mean(axis=0)
    apart = likeness - middle
    size = math.sqrt(_OF_MANNER / max(float((apart**2).sum(axis=1).mean()), _TINY))
    table = _Table((words, grams, marks), apart * size)
    solved = [table.solve(*each) for each in zip(good.T, counts.T, strict=True)]
    of_words, of_grams, of_marks, of_manner, bias = zip(*solved, strict=True)
    likenesses = np.stack(of_manner, axis=1) * size
    return TextModel(
        words=words.weighed(of_words),
        grams=grams.weighed(of_grams),
        marks=marks.weighed(of_marks),
        manner=manner,
        of_manner=plain @ likenesses,
        bias=np.concatenate(bias) - middle @ likenesses,
    )


class _View:
    """Rows of words or grams as they are fitted to: each of the same length."""

    def __init__(self, rows: Rows, width: int, share: float) -> None:
        self.width, self.share = width, math.sqrt(share)
        seen = np.bincount(rows.columns, minlength=width)
        self.used = np.flatnonzero(seen >= min(_LEAST_TEXTS, len(rows)))
        self.rarity = np.zeros(width, np.float32)
        self.rarity[self.used] = np.log((1 + len(rows)) / (1 + seen[self.used])) + 1
        place = np.zeros(width, np.int64)
        place[self.used] = np.arange(len(self.used))
        values = rows.values * self.rarity[rows.columns]
        known = values > 0
        self.rows = rows.rows[known]
        self.columns = place[rows.columns[known]]
        values = values[known]
        length = np.sqrt(np.bincount(self.rows, values * values, len(rows)))
        self.values = self.share * values / np.maximum(length, _TINY)[self.rows]

    def weighed(self, at: Sequence[Floats]) -> Weighed:
        weights = np.zeros((self.width, len(at)), np.float32)
        weights[self.used] = np.stack(at, axis=1) * self.share
        return Weighed(rarity=self.rarity, weights=weights)


class _Table:
    """Rows of views, beside numbers of each row, and 1 for what all have in common."""

    def __init__(self, views: Sequence[_View], numbers: Floats) -> None:
        self.views, self.numbers = views, numbers
        widths = [*(len(view.used) for view in views), numbers.shape[1], 1]
        self.ends = np.cumsum(widths)
        self.width = int(self.ends[-1])

    def solve(self, good: Floats, counts: Floats) -> list[Floats]:
        """Return each part's weights of logistic regression, by Newton's method."""
        # What all have in common is held to their share, one toss-up added to it: where
        # all went well that is not certain to go on.
        middle = np.zeros(self.width)
        middle[-1] = math.log(
            float((counts @ good + 0.5) / (counts @ (1 - good) + 0.5)),
        )
        at = middle
        found = self._found(at)
        enough = 0.0
        for _ in range(_ROUNDS):
            chance = _chance(found)
            slope = self._turned(counts * (good - chance)) - _PENALTY * (at - middle)
            size = float(slope @ slope)
            enough = enough or 1e-6 * size
            if size <= enough:
                break
            step = self._step(slope, counts * chance * (1 - chance))
            moved = self._found(step)
            short = min(1.0, _FARTHEST / max(float(np.abs(moved).max()), _TINY))
            at, found = at + short * step, found + short * moved
        return np.split(at, self.ends[:-1])

    def _step(self, slope: Floats, weight: Floats) -> Floats:
        """Return about where the slope would be level, by conjugate gradients."""
        at = np.zeros(self.width)
        left = way = slope
        size = float(left @ left)
        enough = 1e-2 * size
        for _ in range(_STEPS):
            if size <= enough:
                break
            curved = self._turned(weight * self._found(way)) + _PENALTY * way
            step = size / float(way @ curved)
            at = at + step * way
            left = left - step * curved
            before, size = size, float(left @ left)
            way = left + size / before * way
        return at

    def _found(self, at: Floats) -> Floats:
        *parts, numbers, common = np.split(at, self.ends[:-1])
        found = self.numbers @ numbers + common
        for view, part in zip(self.views, parts, strict=True):
            each = view.values * part[view.columns]
            found += np.bincount(view.rows, each, len(found))
        return found

    def _turned(self, each: Floats) -> Floats:
        parts = [
            np.bincount(v.columns, v.values * each[v.rows], len(v.used))
            for v in self.views
        ]
        return np.concatenate([*parts, self.numbers.T @ each, [each.sum()]])


def _chance(odds: Floats) -> Floats:
    """Return chances of log odds; without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * odds)))
