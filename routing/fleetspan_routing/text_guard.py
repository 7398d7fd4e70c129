"""Whether the text of a task may decide, and from which score on; needs numpy.

A text model always finds something. It may decide between two models only where that was
seen to hold on outcomes that it was not fitted to:

::

    outcomes of one workload, each with its text and its chance
      ─► parts; each part's tasks scored by a model fitted to the other parts
      ─► for ever larger shares to the weak model: is it, with confidence, better than as
         many at random, and is enough of the strong model's quality kept?
      ─► the last share for which both hold, before the first for which one does not

Shares are tried in a fixed order up to the first that fails, so that trying many does not
find one by luck (fixed-sequence testing, as in Learn then Test, Angelopoulos et al. 2021).
Effects are estimated doubly robust from decisions that were made by chance; the same text
counts as one, however often it comes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing._likelihood import quantile
from fleetspan_routing.text_model import TextModel, Texts, fit, read

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_FOLDS: Final = 5
_SHARES: Final = tuple(n / 20 for n in range(2, 20))
"""Of tasks to the weak model, in the order in which they are tried."""
_LEAST: Final = 200
_LEAST_OF_EACH: Final = 20
_TWO_SIDED: Final = 0.97
"""Its lower end is missed once in 67; measured on texts that tell nothing, once in 18.

Parts that are scored by fits to each other are not independent, and intervals of them too
narrow (Bates, Hastie and Tibshirani 2024): more is asked than is said.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of a task that one of the two models had.

    Attributes:
        text: What it says.
        marks: What it is of, as `outcomes.Task.marks` returns it.
        strong: Whether the strong model had it.
        quality: How good the result is, 0 to 1.
        propensity: With which chance the strong model would have had it, of the two;
            ``None`` where it was drawn without a look at the task, as often as it had it.
    """

    text: str
    strong: bool
    quality: float
    propensity: float | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the text may decide, and how.

    Attributes:
        weak: The model that is spared for.
        strong: The model that has the task otherwise.
        may: Whether the text may decide.
        reason: Why, or why not, with the figures.
        outcomes: How many there are.
        share: The share of tasks that goes to the weak model.
        gain: By how much the quality exceeds that of as many at random; held out.
        gain_at_least: With 95 % confidence.
        kept_at_least: The share of the strong model's quality that is kept, likewise.
    """

    weak: str
    strong: str
    may: bool
    reason: str
    outcomes: int
    share: float = 0.0
    gain: float = 0.0
    gain_at_least: float = -math.inf
    kept_at_least: float = -math.inf
    _model: TextModel | None = None
    _below: float = -math.inf

    def spares(self, text: str, marks: Sequence[str] = ()) -> bool:
        """Return whether the weak model may have a task, by its text and marks."""
        return bool(self.may and self.spared(read([text], [marks]))[0])

    def spared(self, texts: Texts) -> npt.NDArray[np.bool_]:
        """Return the same for many texts."""
        if not self.may or self._model is None:
            return np.zeros(len(texts), np.bool_)
        return np.asarray(_better(self._model, texts) <= self._below)


def judge(
    seen: Sequence[Seen],
    *,
    weak: str,
    strong: str,
    target: float = 0.95,
    least: int = _LEAST,
    seed: int = 0,
) -> Verdict:
    """Find out whether texts may decide between two models.

    Args:
        seen: Outcomes of one workload.
        weak: Name of the weak model.
        strong: Name of the strong one.
        target: Share of the strong model's quality that is to be kept.
        least: How many outcomes there have to be.
        seed: Of how they are dealt out.
    """

    def no(reason: str) -> Verdict:
        return Verdict(
            weak=weak, strong=strong, may=False, reason=reason, outcomes=len(seen)
        )

    if len(seen) < least:
        return no(f"{len(seen)} outcomes with texts, of {least} needed")
    of_strong = sum(each.strong for each in seen)
    if min(of_strong, len(seen) - of_strong) < _LEAST_OF_EACH:
        return no(f"{of_strong} of {len(seen)} outcomes are {strong}'s: too one-sided")
    effects = _Effects(seen)
    if effects.number < least / 2:
        return no(f"{effects.number} different texts, of {least / 2:.0f} needed")
    if effects.least < _LEAST_OF_EACH:
        return no(
            f"which model had it was a matter of chance for {effects.least} texts of one, "
            f"of {_LEAST_OF_EACH} needed"
        )
    parts = np.random.default_rng(seed).permutation(effects.number) % _FOLDS
    scores, ranks = effects.held_out(parts)
    found = None
    for share in _SHARES:
        tried = effects.tried(ranks < share, share, target)
        if min(tried[1], tried[2] - target) <= 0:
            break
        found = share, tried
    if not found:
        return no(
            f"on {len(seen)} outcomes, with the {_SHARES[0]:.0%} that it would spare, "
            f"it is not surely better than chance (at least {tried[1]:+.3f}) with "
            f"{target:.0%} of the quality (at least {tried[2]:.1%})"
        )
    share, (gain, gain_at_least, kept) = found
    model = effects.fit(np.arange(effects.number))
    own = _better(model, effects.texts)
    return Verdict(
        weak=weak,
        strong=strong,
        may=True,
        reason=f"held out on {len(seen)} outcomes, {share:.0%} of tasks by their text are"
        f" {gain:+.3f} (at least {gain_at_least:+.3f}) better than as many at random, and"
        f" keep at least {kept:.1%} of {strong}'s quality",
        outcomes=len(seen),
        share=share,
        gain=gain,
        gain_at_least=gain_at_least,
        kept_at_least=kept,
        _model=model,
        # Scores of what a model was fitted to are further apart than those to come, and
        # those of smaller parts nearer: the lower of the two spares no more than was held.
        _below=float(min(np.quantile(own, share), np.quantile(scores, share))),
    )


class _Effects:
    """What the strong model does better, text by text, as far as outcomes tell."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        numbers: dict[tuple[str, tuple[str, ...]], int] = {}
        self.text_of = np.array(
            [numbers.setdefault((s.text, s.marks), len(numbers)) for s in seen]
        )
        self.number = len(numbers)
        self.texts: Texts = read(*zip(*numbers, strict=True))
        strong = np.array([float(each.strong) for each in seen])
        quality = np.array([each.quality for each in seen])
        mean = float(strong.mean())
        chance = np.array(
            [mean if s.propensity is None else s.propensity for s in seen], np.float64
        )
        by_chance = (chance > 0) & (chance < 1)
        # What had no chance tells nothing of the difference: left out, as a whole.
        self.text_of, strong = self.text_of[by_chance], strong[by_chance]
        quality, chance = quality[by_chance], chance[by_chance]
        # What a fit is taught: what became of each text with the weak and the strong one.
        had = 1 - strong, strong
        self.had = np.stack([self._sums(each) for each in had], axis=1)
        reached = np.stack([self._sums(each * quality) for each in had], axis=1)
        self.taught = reached / np.maximum(self.had, 1)
        self.least = int((self.had > 0).sum(axis=0).min())
        if self.least < _LEAST_OF_EACH:
            return
        means = [
            float(np.average(quality, weights=part / odds))
            for part, odds in ((1 - strong, 1 - chance), (strong, chance))
        ]
        own = np.where(strong > 0, means[1], means[0])
        weight = strong / chance - (1 - strong) / (1 - chance)
        self.counts = self.had.sum(axis=1)
        self.there = self.counts > 0
        per_text = np.maximum(self.counts, 1)
        # Doubly robust: the difference of means, corrected by what each outcome adds.
        effect = means[1] - means[0] + weight * (quality - own)
        self.effect = self._sums(effect) / per_text
        of_strong = means[1] + strong / chance * (quality - own)
        self.strong = self._sums(of_strong) / per_text

    def _sums(self, values: Floats) -> Floats:
        """Add up what outcomes have, text by text."""
        return np.asarray(np.bincount(self.text_of, values, self.number))

    def fit(self, some: Ints) -> TextModel:
        """Fit a model to some texts."""
        some = some[self.there[some]]
        return fit(self.texts.some(some), self.taught[some], counts=self.had[some])

    def held_out(self, parts: Ints) -> tuple[Floats, Floats]:
        """Return each text's score by a fit to the other parts, and its place in its own.

        Scores of different fits are not quite of one scale; places, 0 to 1, are.
        """
        scores, places = np.zeros(self.number), np.zeros(self.number)
        for part in range(_FOLDS):
            inside, outside = (
                np.flatnonzero(parts != part),
                np.flatnonzero(parts == part),
            )
            scores[outside] = _better(self.fit(inside), self.texts.some(outside))
            order = np.argsort(
                np.argsort(scores[outside], kind="stable"), kind="stable"
            )
            places[outside] = (order + 0.5) / len(outside)
        return scores, places

    def tried(
        self, spared: npt.NDArray[np.bool_], share: float, target: float
    ) -> tuple[float, float, float]:
        """Return the gain over chance, what it is at least, and what is kept at least."""
        where = self.there
        counts, effect = self.counts[where], self.effect[where]
        share = float(np.average(spared[where], weights=counts))
        gain, least = _at_least((share - spared[where]) * effect, counts)
        strong = float(np.average(self.strong[where], weights=counts))
        spare = (1 - target) * self.strong[where] - spared[where] * effect
        kept = target + _at_least(spare, counts)[1] / max(strong, 1e-9)
        return gain, least, kept


def _better(model: TextModel, texts: Texts) -> Floats:
    """By how much likelier the strong model is to do each task than the weak one."""
    weak, strong = model.likely(texts).T
    return np.asarray(strong - weak)


def _at_least(values: Floats, counts: Floats) -> tuple[float, float]:
    """The mean of texts' values, and its lower bound; a text's outcomes are not apart."""
    mean = float(np.average(values, weights=counts))
    apart = (values - mean) * counts / counts.mean()
    wide = quantile(_TWO_SIDED, apart, bounded=False)
    return mean, mean - wide * float(apart.std(ddof=1)) / math.sqrt(len(apart))
