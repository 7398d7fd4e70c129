"""The text model: it learns what can be learnt, says what happens, and refuses the rest."""

from __future__ import annotations

import math
import random
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from fleetspan_routing._text_views import MARKS
from fleetspan_routing.text_model import BUCKETS, TextModel, Texts, fit, read

HARD: Final = ("prove the theorem", "derive a bound", "integrate by parts")
EASY: Final = ("list the files", "rename a variable", "fix the typo")


Floats = npt.NDArray[np.float64]


def tasks(number: int, seed: int) -> tuple[list[str], Floats]:
    """Texts of which the easy ones go well nine times in ten, the hard ones once."""
    chance = random.Random(seed)
    texts, good = [], []
    for _ in range(number):
        hard = chance.random() < 0.5
        text = f"{chance.choice(HARD if hard else EASY)} {chance.randrange(1000)}"
        texts.append(text)
        good.append(float(chance.random() < (0.1 if hard else 0.9)))
    return texts, np.array(good)


def of_one(texts: Texts, good: Floats) -> TextModel:
    """Fit to the outcomes of one model."""
    return fit(texts, good[:, None])


def likely_of(model: TextModel, texts: list[str]) -> Floats:
    """Return the chances of the first model."""
    return model.likely(read(texts))[:, 0]


def test_it_learns_words_and_says_what_happens() -> None:
    """On tasks that it has not seen, and as probabilities."""
    texts, good = tasks(600, 1)
    asked, truth = tasks(400, 2)
    likely = likely_of(of_one(read(texts), good), asked)
    hard = np.array([text.startswith(HARD) for text in asked])
    assert likely[hard].mean() < 0.25
    assert likely[~hard].mean() > 0.75
    assert abs(likely.mean() - truth.mean()) < 0.06
    assert ((likely > 0) & (likely < 1)).all()


def test_each_model_by_its_own_outcomes() -> None:
    """Where there is none its text counts for nothing; many count as so many."""
    texts, good = tasks(600, 1)
    draw = np.random.default_rng(1)
    had = draw.random(600) < 0.5
    both = np.stack([good, 1 - good], axis=1)
    counts = np.stack([had, ~had], axis=1).astype(np.float64)
    wrong = np.where(counts > 0, both, 1 - both)
    model = fit(read(texts), wrong, counts=counts)
    asked, _ = tasks(400, 2)
    hard = np.array([text.startswith(HARD) for text in asked])
    first, second = model.likely(read(asked)).T
    assert max(first[hard].mean(), second[~hard].mean()) < 0.3
    assert min(first[~hard].mean(), second[hard].mean()) > 0.7
    once = fit(read(texts + texts), np.tile(good, 2)[:, None])
    twice = fit(read(texts), good[:, None], counts=np.full((600, 1), 2.0))
    assert likely_of(once, asked).mean() == pytest.approx(
        likely_of(twice, asked).mean(), abs=0.02
    )


def test_marks_tell_what_no_text_does() -> None:
    """Who has the task, and nothing of it where there are none."""
    draw = np.random.default_rng(9)
    roles = draw.choice(["role scout", "role lead"], 600)
    good = (draw.random(600) < np.where(roles == "role scout", 0.9, 0.2)).astype(float)
    texts, _ = tasks(600, 9)
    asked, _ = tasks(200, 10)
    model = of_one(read(texts, [[role] for role in roles]), good)
    scout, lead, nobody, other = (
        model.likely(read(asked, [marks] * 200)).mean()
        for marks in (["role scout"], ["role lead"], [], ["role unheard of"])
    )
    assert scout > 0.75
    assert lead < 0.35
    assert lead < nobody < scout
    assert nobody == other


def test_what_never_goes_wrong_is_no_certainty() -> None:
    """However many outcomes are the same, and however few there are of a model."""
    texts, _ = tasks(600, 11)
    always = np.ones((600, 2))
    counts = np.zeros((600, 2))
    counts[:, 0], counts[0, 1] = 50.0, 1.0
    likely = fit(read(texts), always, counts=counts).likely(read(texts))
    assert likely[:, 0].mean() > 0.99
    assert likely.max() < 1 - 1 / 60_001 / 2
    assert ((likely[:, 1] > 0.6) & (likely[:, 1] < 0.9)).all()


def test_noise_teaches_nothing() -> None:
    """Outcomes that no word foretells: what it says is close to their share."""
    texts, _ = tasks(600, 3)
    good = np.random.default_rng(3).random(600).round()
    asked, _ = tasks(400, 4)
    likely = likely_of(of_one(read(texts), good), asked)
    assert np.abs(likely - good.mean()).mean() < 0.12


def test_the_same_twice() -> None:
    """A fit depends on nothing but its outcomes."""
    texts, good = tasks(100, 5)
    first, second = (of_one(read(texts), good) for _ in range(2))
    assert (first.words.weights == second.words.weights).all()
    assert (first.of_manner == second.of_manner).all()
    assert (first.bias == second.bias).all()


def test_rows_can_be_chosen() -> None:
    """In any order, each as it was."""
    texts = ["one two", "", "three three"]
    marks = [["role scout"], [], ["role lead", "repository core"]]
    whole, some = read(texts, marks), read(texts, marks).some(np.array([2, 0]))
    assert len(whole) == 3
    assert len(some) == 2
    again = read([texts[2], texts[0]], [marks[2], marks[0]])
    for view in ("words", "grams", "marks"):
        one, other = getattr(some, view), getattr(again, view)
        assert (one.columns == other.columns).all()
        assert (one.values == other.values).all()
        assert (one.starts == other.starts).all()
    assert (some.measures == again.measures).all()
    assert (some.characters == again.characters).all()
    assert whole.words.starts[1] == whole.words.starts[2]
    assert whole.words.columns.max() < BUCKETS
    assert whole.marks.columns.max() < MARKS
    assert np.diff(whole.marks.starts).tolist() == [1, 0, 2]


def test_counts_go_by_their_logarithm() -> None:
    """Three words and the two pairs between them; runs of two to four characters."""
    words, grams = read(["go go go"]).words, read(["go go go"]).grams
    assert sorted(words.values.tolist()) == pytest.approx(
        [1 + math.log(2), 1 + math.log(3)]
    )
    assert sum(np.exp(grams.values - 1)) == pytest.approx(7 + 6 + 5)


@pytest.mark.parametrize("text", ["", "a", "ab", "abc", "\udc80", "naïve 漢字 ٣", "\n"])
def test_any_text_is_read(text: str) -> None:
    """However short or strange, and scored."""
    model = of_one(read([*tasks(20, 6)[0]]), tasks(20, 6)[1])
    assert np.isfinite(model.likely(read([text], [[text]]))).all()


def test_one_text_is_scored_as_among_many() -> None:
    """A pick has a shorter way to the same number."""
    texts, good = tasks(200, 7)
    marks = [(text[:4],) for text in texts]
    model = of_one(read(texts, marks), good)
    alone = [
        model.likely(read([text], [mark]))[0, 0]
        for text, mark in zip(texts, marks, strict=True)
    ]
    among = model.likely(read(texts, marks))[:, 0]
    assert alone == pytest.approx(among.tolist(), abs=1e-5)


def test_how_it_is_written_may_tell() -> None:
    """Neither long nor short, but in between: no weight of a word says that."""
    chance = random.Random(8)
    lengths = [chance.randrange(1, 60) for _ in range(400)]
    texts = [" ".join(f"{chance.random():.6f}"[2:] for _ in range(n)) for n in lengths]
    good = np.array([float(10 < n < 30) for n in lengths])
    likely = likely_of(of_one(read(texts[:300]), good[:300]), texts[300:])
    assert likely[good[300:] > 0].mean() > likely[good[300:] == 0].mean() + 0.3


@pytest.mark.parametrize("number", [0, 7])
def test_too_few_are_refused(number: int) -> None:
    """Rather than fitted."""
    with pytest.raises(ValueError, match="cannot be fitted"):
        fit(read(["a"] * number), np.zeros((number, 1)))
    with pytest.raises(ValueError, match="cannot be fitted"):
        fit(read(["a"] * 9), np.zeros((8, 1)))
    with pytest.raises(ValueError, match="without any outcome"):
        fit(read(["a"] * 9), np.zeros((9, 2)), counts=np.eye(9, 2) * [0, 1])
