"""What a text foretells, by ridge regression on three views of it; needs numpy.

The words and pairs of words, and the runs of characters, each weighted by how rare they are
(TF-IDF) and of length 1, weigh as they come; by its manner (a dozen measures, and how often
each character comes) a text is told by how like it is to some of those that were fitted to,
so that what is foretold may bend. Each view has a fixed share of the whole. What is foretold
is any number: how well a model does, or by how much a strong one does better, which is what
routing asks and is foretold better at once than as a difference of two. It is held far back:
outcomes are mostly noise. It is worth something on questions, little on agents' work, and
nothing on fewer than a few hundred outcomes (see the README): `fleetspan_routing.router` uses
it only where `text_guard` has shown that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing._text_views import (
    BUCKETS,
    GRAMS,
    MEASURES,
    Floats,
    Rows,
    Texts,
    read,
)

__all__ = ["BUCKETS", "TextModel", "Texts", "fit", "isotonic", "read"]

_PENALTY: Final = 5.0
"""Weights are held back as if so many more texts spoke for none.

From 3 to 30 the order of texts hardly changes.
"""
_OF_WORDS: Final = 0.6
"""The share of words, of 1."""
_OF_GRAMS: Final = 0.2
_OF_MANNER: Final = 0.2
_STEPS: Final = 25
_FOLDS: Final = 5
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
    """Weights of a view, one per bucket; 0 where fewer than two texts had it.

    Attributes:
        rarity: The rarer, the more.
        weights: What each adds.
    """

    rarity: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]

    def scores(self, rows: Rows) -> Floats:
        """Return what each row adds up to, by its length."""
        values = rows.values * self.rarity[rows.columns]
        weights = self.weights[rows.columns]
        if len(rows) == 1:  # A pick has one text, and should not wait for the rest.
            size = max(math.sqrt(values @ values), _TINY)
            return np.array([values @ weights / size], np.float64)
        where = rows.rows
        added = np.bincount(where, values * weights, len(rows))
        length = np.sqrt(np.bincount(where, values * values, len(rows)))
        return np.asarray(added / np.maximum(length, _TINY))


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
    """Foretells a number.

    Attributes:
        words: Weights of words and pairs.
        grams: Of runs of characters.
        manner: How a text is written.
        of_manner: What each likeness adds.
        bias: What is added.
        steps: Scores from which each of `shares` holds, ascending.
        shares: Calibrated numbers.
    """

    words: Weighed
    grams: Weighed
    manner: Manner
    of_manner: Floats
    bias: float
    steps: Floats
    shares: Floats

    def scores(self, texts: Texts) -> Floats:
        """Return numbers before calibration, one per text."""
        by_manner = self.manner.likeness(texts) @ self.of_manner
        by_words = self.words.scores(texts.words) + self.grams.scores(texts.grams)
        return np.asarray(by_words + by_manner + self.bias)

    def likely(self, texts: Texts) -> Floats:
        """Return calibrated numbers, one per text."""
        found = np.searchsorted(self.steps, self.scores(texts), side="right") - 1
        return np.asarray(self.shares[np.maximum(found, 0)])


def fit(
    texts: Texts,
    good: Floats,
    *,
    counts: Floats | None = None,
    calibrated: bool = True,
    seed: int = 0,
) -> TextModel:
    """Fit a model to outcomes.

    Args:
        texts: Of tasks, as `read` returns them.
        good: What is to be foretold of each.
        counts: How much each counts; the same unless given.
        calibrated: Whether `TextModel.likely` is to be used, which takes five more fits.
        seed: Of how tasks are dealt out.

    Raises:
        ValueError: When there are not as many outcomes as texts, or fewer than 8.
    """
    if len(texts) != len(good) or len(good) < 8:
        raise ValueError(f"{len(good)} outcomes of {len(texts)} texts cannot be fitted")
    weight = np.ones(len(good)) if counts is None else counts / counts.mean()
    chance = np.random.default_rng(seed)
    whole = _fitted(texts, good, weight, chance)
    if not calibrated:
        return whole
    # Each task is scored by a fit that has not seen it, nearly as large as the whole one.
    folds = chance.permutation(len(good)) % _FOLDS
    scores = np.zeros(len(good))
    for fold in range(_FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        some = texts.some(inside)
        part = _fitted(some, good[inside], weight[inside], chance)
        scores[outside] = part.scores(texts.some(outside))
    steps, shares = isotonic(scores, good)
    return replace(whole, steps=steps, shares=shares)


def _fitted(
    texts: Texts,
    good: Floats,
    weight: Floats,
    chance: np.random.Generator,
) -> TextModel:
    words = _View(texts.words, BUCKETS, _OF_WORDS)
    grams = _View(texts.grams, GRAMS, _OF_GRAMS)
    manner = Manner.of(texts, chance)
    plain = manner.plain()
    likeness = manner.likeness(texts) @ plain
    middle = likeness.mean(axis=0)
    apart = likeness - middle
    size = math.sqrt(_OF_MANNER / max(float((apart**2).sum(axis=1).mean()), _TINY))
    bias = float((weight * good).sum() / weight.sum())
    table = _Table((words, grams), apart * size, weight)
    at = table.solve(good - bias)
    second, third = len(words.used), len(words.used) + len(grams.used)
    return TextModel(
        words=words.weighed(at[:second]),
        grams=grams.weighed(at[second:third]),
        manner=manner,
        of_manner=plain @ at[third:] * size,
        bias=bias - float(middle @ at[third:]) * size,
        steps=np.array([-math.inf]),
        shares=np.array([bias]),
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

    def weighed(self, at: Floats) -> Weighed:
        weights = np.zeros(self.width, np.float32)
        weights[self.used] = at * self.share
        return Weighed(rarity=self.rarity, weights=weights)


class _Table:
    """Weighted rows of views, beside numbers of each row."""

    def __init__(
        self, views: tuple[_View, ...], numbers: Floats, weight: Floats
    ) -> None:
        self.views, self.numbers, self.weight = views, numbers, weight
        widths = [len(view.used) for view in views]
        self.ends = np.cumsum(widths)
        self.width = int(self.ends[-1]) + numbers.shape[1]

    def solve(self, apart: Floats) -> Floats:
        """Return the weights of ridge regression, by conjugate gradients."""
        at = np.zeros(self.width)
        left = way = self._turned(self.weight * apart)
        size = float(left @ left)
        enough = 1e-8 * size
        for _ in range(_STEPS):
            if size <= enough:
                break
            curved = self._turned(self.weight * self._found(way)) + _PENALTY * way
            step = size / float(way @ curved)
            at = at + step * way
            left = left - step * curved
            before, size = size, float(left @ left)
            way = left + size / before * way
        return at

    def _found(self, at: Floats) -> Floats:
        *parts, rest = np.split(at, self.ends)
        found = self.numbers @ rest
        for view, part in zip(self.views, parts, strict=True):
            each = view.values * part[view.columns]
            found += np.bincount(view.rows, each, len(self.weight))
        return found

    def _turned(self, each: Floats) -> Floats:
        parts = [
            np.bincount(v.columns, v.values * each[v.rows], len(v.used))
            for v in self.views
        ]
        return np.concatenate([*parts, self.numbers.T @ each])


def isotonic(scores: Floats, good: Floats) -> tuple[Floats, Floats]:
    """Return the ascending steps that fit outcomes best (pool adjacent violators).

    Args:
        scores: One per task, any scale.
        good: What became of it.

    Returns:
        Scores from which on each share holds, and the shares, both ascending.
    """
    order = np.argsort(scores, kind="stable")
    blocks: list[list[Any]] = []
    for place in order:
        blocks.append([float(scores[place]), float(good[place]), 1.0])
        while len(blocks) > 1 and blocks[-2][1] >= blocks[-1][1]:
            _, share, count = blocks.pop()
            last = blocks[-1]
            last[1] = (last[1] * last[2] + share * count) / (last[2] + count)
            last[2] += count
    return np.array([b[0] for b in blocks]), np.array([b[1] for b in blocks])
