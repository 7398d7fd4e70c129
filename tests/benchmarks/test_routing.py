"""The benchmark of routing: its figures are what they are said to be."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from fleetspan_routing.text_model import read
from tests.benchmarks import _routing_fits as fits
from tests.benchmarks import routing, routing_cascade, routing_learning, routing_speed
from tests.benchmarks._routing_arms import Arm
from tests.benchmarks._scale import TINY

WORDS: Final = [f"word{n}" for n in range(60)]


def made(number: int, *, told: bool, seed: int = 1, name: str = "A") -> Arm:
    """Tasks of which one half is easy; their texts tell which, or nothing."""
    draw = np.random.default_rng(seed)
    easy = draw.random(number) < 0.5
    said = easy if told else draw.random(number) < 0.5
    return Arm(
        name=name,
        about="made",
        texts=tuple(
            f"{'list files' if s else 'prove it'} {' '.join(draw.choice(WORDS, 8))}"
            for s in said
        ),
        weak=(draw.random(number) < np.where(easy, 0.9, 0.2)).astype(np.float64),
        strong=(draw.random(number) < 0.9).astype(np.float64),
        weak_usd=np.full(number, 0.1),
        strong_usd=np.ones(number),
    )


def test_the_curve_of_a_router_that_knows_and_of_one_that_does_not() -> None:
    """The oracle spends least; a constant is about the diagonal."""
    arm = made(600, told=True)
    oracle = routing.curve_of(arm, arm.strong - arm.weak)
    coin = routing.curve_of(arm, np.zeros(600))
    assert oracle.apgr > 0.8
    assert coin.apgr == pytest.approx(0.5, abs=0.06)
    assert oracle.cpt50 < oracle.cpt80 < coin.cpt80
    assert oracle.c95 < coin.c95 <= 1


def test_standard_errors_are_as_far_as_other_tasks_move_a_figure() -> None:
    """Told from one draw of tasks, and seen over many."""
    draws = [made(300, told=True, seed=seed) for seed in range(60)]
    seen = [routing.curve_of(arm, -arm.weak).apgr for arm in draws]
    told = [routing.errors_of(arm, -arm.weak).apgr for arm in draws[:5]]
    assert np.mean(told) == pytest.approx(np.std(seen), rel=0.35)


def test_ours_finds_what_texts_tell_and_nothing_else() -> None:
    """Far above a coin, or within its noise: no task is in the fit that rates it."""
    for told, low, high in ((True, 0.65, 1.0), (False, 0.4, 0.6)):
        arm = made(400, told=told)
        scores = fits.cross_validated(arm, 1, fits.ours_of(arm))
        assert low < routing.curve_of(arm, scores).apgr < high


def test_ours_finds_what_places_tell() -> None:
    """Where the texts tell nothing, and the repository does."""
    arm = made(400, told=False)
    draw = np.random.default_rng(2)
    easy = draw.random(400) < 0.5
    arm = replace(
        arm,
        weak=(draw.random(400) < np.where(easy, 0.9, 0.2)).astype(np.float64),
        places=tuple("docs" if each else "engine" for each in easy),
    )
    scores = fits.cross_validated(arm, 1, fits.ours_of(arm))
    assert routing.curve_of(arm, scores).apgr > 0.65


def test_a_replay_is_what_arithmetic_says() -> None:
    """With a verifier that is always right, and with one that is a coin."""
    arm = made(300, told=True)
    kept, cost, escalated = routing_cascade.replay(arm, 1.0, 2)
    good = np.where(arm.weak > 0, 1.0, arm.strong).sum()
    assert kept == pytest.approx(good / arm.strong.sum())
    assert escalated == pytest.approx(1 - arm.weak.mean())
    assert cost == pytest.approx(0.1 + 1 - arm.weak.mean())
    kept, cost, escalated = routing_cascade.replay(arm, 0.5, 40)
    middle = (arm.weak.mean() + arm.strong.mean()) / 2 / arm.strong.mean()
    assert kept == pytest.approx(middle, abs=0.02)
    assert escalated == pytest.approx(0.5, abs=0.02)
    assert cost == pytest.approx(0.6, abs=0.02)


def test_learning_spares_only_what_it_may() -> None:
    """Nothing on few outcomes; the unguarded one does, and loses more."""
    arm = made(900, told=True, name="C")
    texts = read(arm.texts)
    few = routing_learning.draw(arm, texts, routing_learning.ours, 50, 1)
    assert few == (1.0, 1.0)
    kept, cost = routing_learning.draw(arm, texts, routing_learning.ours, 800, 1)
    assert kept > 0.9
    assert cost < 0.9
    bare = [
        routing_learning.draw(arm, texts, routing_learning.unguarded, 50, seed)[0]
        for seed in range(20)
    ]
    assert min(bare) < 0.95


def test_without_data_each_part_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And has no rows."""
    monkeypatch.delenv("FLEETSPAN_PUBLIC_DATA", raising=False)
    for part in (routing, routing_cascade, routing_learning):
        result = part.measure(TINY, Path())
        assert list(result.rows) == []
        assert "absent, and passed over" in result.notes[0]


def test_the_time_of_a_pick_has_a_baseline() -> None:
    """The original's score, in the same run."""
    result = routing_speed.measure(TINY, Path())
    names = [row[0] for row in result.rows]
    assert names == ["original score", "3 models", "60 models", "3 models, by text"]
    assert result.rows[0][3] == 1


def test_public_questions_go_through_all_of_it(tmp_path: Path) -> None:
    """A table like RouteLLM's has rows of each router, and of what is learnt."""
    arm = made(240, told=True)
    folder = tmp_path / "routellm" / "mmlu" / "responses"
    folder.mkdir(parents=True)
    with (folder / "mmlu_made.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        models = ("mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview")
        rows.writerow(["prompt", *models])
        for text, weak, strong in zip(arm.texts, arm.weak, arm.strong, strict=True):
            rows.writerow([text, bool(weak), bool(strong)])
    result = routing.measure(TINY, tmp_path, tmp_path)
    assert {row[0] for row in result.rows} == {"D"}
    assert result.raw["D ours"]["apgr"] > result.raw["D random"]["apgr"]
    learnt = routing_learning.measure(TINY, tmp_path, tmp_path)
    assert [row[2] for row in learnt.rows] == [50, 200] * 2
