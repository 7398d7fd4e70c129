"""Routers that are fitted to outcomes, and rate only what they have not seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing.text_model import Texts, fit, read
from tests.benchmarks._routing_arms import Arm

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Fitted = Callable[[Ints, Ints], Floats]
"""Of the tasks to fit to, and those to rate: numbers for the latter."""

FOLDS: Final = 5
_LARGE: Final = 3_000


def ours_of(arm: Arm) -> Fitted:
    """Return the text model, told which repository or subject each task is of.

    It rates by how much likelier the strong model is to do it.
    """
    texts = read(arm.texts, arm.marks)
    return lambda inside, outside: better_of(arm, texts, inside)(texts.some(outside))


def better_of(arm: Arm, texts: Texts, inside: Ints) -> Callable[[Texts], Floats]:
    """Return what tells how much likelier the strong model is to do tasks.

    Args:
        arm: Whose outcomes it is fitted to.
        texts: All of its tasks.
        inside: Those that it is fitted to.
    """
    good = np.stack([arm.weak, arm.strong], axis=1)[inside]
    model = fit(texts.some(inside), good)
    return lambda asked: np.asarray(model.likely(asked) @ (-1.0, 1.0))


def measures_of(arm: Arm) -> Fitted:
    """Return ridge regression on a dozen measures of the text, and on the repository or subject."""
    measures = read(arm.texts).measures
    if arm.places:
        names = sorted(set(arm.places))
        told = np.array([[each == name for name in names] for each in arm.places])
        measures = np.hstack([measures, told])

    def rated(inside: Ints, outside: Ints) -> Floats:
        centre, spread = measures[inside].mean(axis=0), measures[inside].std(axis=0)
        rows = (measures - centre) / np.maximum(spread, 1e-9)
        better = (arm.strong - arm.weak)[inside]
        known = rows[inside]
        curved = known.T @ known + len(inside) * 0.03 * np.eye(known.shape[1])
        weights = np.linalg.solve(curved, known.T @ (better - better.mean()))
        return np.asarray(rows[outside] @ weights)

    return rated


def peers_of(arm: Arm) -> Fitted | None:
    """Return scikit-learn's TF-IDF and logistic regression, one for each model.

    It rates by how much likelier the strong model is to do it, and has what each task is
    of as its first word; ``None`` where scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return None

    places = arm.places or ("",) * len(arm.texts)
    texts = [f"{place} {text}" for place, text in zip(places, arm.texts, strict=True)]

    def rated(inside: Ints, outside: Ints) -> Floats:
        reading = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        known = reading.fit_transform([texts[each] for each in inside])
        asked = reading.transform([texts[each] for each in outside])
        found = np.zeros(len(outside))
        for good, sign in ((arm.strong, 1.0), (arm.weak, -1.0)):
            if len(set(good[inside])) > 1:
                fitted = LogisticRegression(max_iter=1000).fit(known, good[inside])
                found += sign * fitted.predict_proba(asked)[:, 1]
        return found

    return rated


def cross_validated(arm: Arm, times: int, rated: Fitted) -> Floats:
    """Return where each task stands among those of its fold, the mean over some times."""
    number = len(arm.texts)
    total = np.zeros(number)
    for time in range(1 if number > _LARGE else times):
        folds = np.random.default_rng(time).integers(0, FOLDS, number)
        for fold in range(FOLDS):
            outside = np.flatnonzero(folds == fold)
            scores = rated(np.flatnonzero(folds != fold), outside)
            order = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
            total[outside] += order / max(len(outside), 1)
    return total
