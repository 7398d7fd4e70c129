"""The text model: it learns what can be learnt, says what happens, and refuses the rest."""

from __future__ import annotations

import math
import random
from typing import Final

import numpy as np
import pytest

from fleetspan_routing.text_model import BUCKETS, fit, isotonic, read

HARD: Final = ("prove the theorem", "derive a bound", "integrate by parts")
EASY: Final = ("list the files", "rename a variable", "fix the typo")


def tasks(
    number: int, seed: int
) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Texts of which the easy ones go well nine times in ten, the hard ones once."""
    chance = random.Random(seed)
    texts, good = [], []
    for _ in range(number):
        hard = chance.random() < 0.5
        text = f"{chance.choice(HARD if hard else EASY)} {chance.randrange(1000)}"
        texts.append(text)
        good.append(float(chance.random() < (0.1 if hard else 0.9)))
    return texts, np.array(good)


def test_it_learns_words_and_says_what_happens() -> None:
    """On tasks that it has not seen, and as probabilities."""
    texts, good = tasks(600, 1)
    model = fit(read(texts), good)
    asked, truth = tasks(400, 2)
    likely = model.likely(read(asked))
    hard = np.array([text.startswith(HARD) for text in asked])
    assert likely[hard].mean() < 0.25
    assert likely[~hard].mean() > 0.75
    assert abs(likely.mean() - truth.mean()) < 0.06
    assert ((likely >= 0) & (likely <= 1)).all()


def test_noise_teaches_nothing() -> None:
    """Outcomes that no word foretells: what it says is close to their share."""
    texts, _ = tasks(600, 3)
    good = np.random.default_rng(3).random(600).round()
    model = fit(read(texts), good)
    asked, _ = tasks(400, 4)
    assert np.abs(model.likely(read(asked)) - good.mean()).mean() < 0.12


def test_the_same_twice() -> None:
    """A fit depends on nothing but its outcomes."""
    texts, good = tasks(100, 5)
    first, second = (fit(read(texts), good) for _ in range(2))
    assert (first.words.weights == second.words.weights).all()
    assert (first.of_manner == second.of_manner).all()
    assert (first.shares == second.shares).all()


def test_rows_can_be_chosen() -> None:
    """In any order, each as it was."""
    texts = ["one two", "", "three three"]
    whole, some = read(texts), read(texts).some(np.array([2, 0]))
    assert len(whole) == 3
    assert len(some) == 2
    again = read([texts[2], texts[0]])
    for one, other in ((some.words, again.words), (some.grams, again.grams)):
        assert (one.columns == other.columns).all()
        assert (one.values == other.values).all()
        assert (one.starts == other.starts).all()
    assert (some.measures == again.measures).all()
    assert (some.characters == again.characters).all()
    assert whole.words.starts[1] == whole.words.starts[2]
    assert whole.words.columns.max() < BUCKETS


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
    model = fit(read([*tasks(20, 6)[0]]), tasks(20, 6)[1], calibrated=False)
    assert np.isfinite(model.scores(read([text]))).all()


def test_one_text_is_scored_as_among_many() -> None:
    """A pick has a shorter way to the same number."""
    texts, good = tasks(200, 7)
    model = fit(read(texts), good, calibrated=False)
    alone = [model.scores(read([text]))[0] for text in texts]
    assert alone == pytest.approx(model.scores(read(texts)).tolist(), abs=1e-5)


def test_how_it_is_written_may_tell() -> None:
    """Neither long nor short, but in between: no weight of a word says that."""
    chance = random.Random(8)
    lengths = [chance.randrange(1, 60) for _ in range(400)]
    texts = [" ".join(f"{chance.random():.6f}"[2:] for _ in range(n)) for n in lengths]
    good = np.array([float(10 < n < 30) for n in lengths])
    scores = fit(read(texts[:300]), good[:300], calibrated=False).scores(
        read(texts[300:])
    )
    assert scores[good[300:] > 0].mean() > scores[good[300:] == 0].mean() + 0.3


def test_steps_ascend_and_keep_the_sum() -> None:
    """Adjacent violators are pooled."""
    scores = np.array([3.0, 1.0, 2.0, 4.0])
    steps, shares = isotonic(scores, np.array([0.0, 0.0, 1.0, 1.0]))
    assert steps.tolist() == [1.0, 2.0, 4.0]
    assert shares.tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("number", [0, 7])
def test_too_few_are_refused(number: int) -> None:
    """Rather than fitted."""
    with pytest.raises(ValueError, match="cannot be fitted"):
        fit(read(["a"] * number), np.zeros(number))
    with pytest.raises(ValueError, match="cannot be fitted"):
        fit(read(["a"] * 9), np.zeros(8))
