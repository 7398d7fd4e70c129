"""Complexity of a task: four factors, each visible, that add up."""

from __future__ import annotations

from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetspan_routing.complexity import (
    HARDNESS,
    Complexity,
    TaskKind,
    failure_share,
    original_score,
    score,
)

KINDS = st.sampled_from(TaskKind)
TOKENS = st.none() | st.floats(0, 1e9)
FILES = st.none() | st.integers(0, 10**6)
SHARES = st.none() | st.floats(0, 1)

T = TypeVar("T", int, float)


def test_the_factors_add_up() -> None:
    """Each factor is seen, and the total is their sum."""
    assert score(50_000, TaskKind.BUG_FIX, 4, 0.25) == Complexity(
        total=6.4,
        task_kind=TaskKind.BUG_FIX,
        context=2.0,
        kind=2.4,
        files=1.0,
        failures=1.0,
    )


def test_what_is_not_known_is_none_and_adds_nothing() -> None:
    """No factor is made up; without any there is no total."""
    assert score(None, TaskKind.UNKNOWN, None, None) == Complexity()
    only_files = score(None, TaskKind.UNKNOWN, 11, None)
    assert (only_files.total, only_files.kind, only_files.context) == (2.0, None, None)


@pytest.mark.parametrize(
    ("tokens", "points"),
    [(0, 0.0), (1_000, 0.0), (10_000, 1.0), (50_000, 2.0), (100_000, 3.0), (1e9, 3.0)],
)
def test_context_has_the_thresholds_of_the_original(
    tokens: float, points: float
) -> None:
    """At the original's thresholds ours has its points, without a jump between them."""
    assert score(tokens, TaskKind.UNKNOWN, None, None).context == points


def test_context_grows_between_the_thresholds() -> None:
    """Half way on the logarithm is half way in points."""
    assert score(31_622.8, TaskKind.UNKNOWN, None, None).context == pytest.approx(
        1.715, abs=0.001
    )


def test_a_security_review_is_beyond_a_middling_model_by_its_kind() -> None:
    """The original capped kinds at 4 of 10, so that a security review scored 4."""
    assert score(500, TaskKind.SECURITY_REVIEW, 1, None).total == 7.2
    assert original_score(500, "security_review", 1) == 4
    assert score(500, TaskKind.LOG_SUMMARY, 1, None).total == 0.8


@given(KINDS, TOKENS, TOKENS, FILES, FILES, SHARES, SHARES)
def test_more_is_never_less(
    kind: TaskKind,
    tokens: float | None,
    more_tokens: float | None,
    files: int | None,
    more_files: int | None,
    share: float | None,
    more_share: float | None,
) -> None:
    """The total is 0 to 10 and never falls when something that is known grows."""
    low = score(
        _less(tokens, more_tokens),
        kind,
        _less(files, more_files),
        _less(share, more_share),
    )
    high = score(
        _more(tokens, more_tokens),
        kind,
        _more(files, more_files),
        _more(share, more_share),
    )
    if low.total is not None:
        assert high.total is not None
        assert 0 <= low.total <= high.total <= 10


def _less(one: T | None, two: T | None) -> T | None:
    return None if one is None or two is None else min(one, two)


def _more(one: T | None, two: T | None) -> T | None:
    return None if one is None or two is None else max(one, two)


def test_every_kind_has_its_hardness() -> None:
    """1 to 10, and none for what is not known."""
    assert set(HARDNESS) == set(TaskKind) - {TaskKind.UNKNOWN}
    assert min(HARDNESS.values()) == 1
    assert max(HARDNESS.values()) == 10


@pytest.mark.parametrize(
    ("failures", "tasks", "share"),
    [(0, 0, None), (0, 1, 0.0), (1, 1, 0.27), (2, 2, 0.425), (50, 100, 0.419)],
)
def test_one_failure_says_little_and_many_say_much(
    failures: int, tasks: int, share: float | None
) -> None:
    """The lower end of Wilson's interval, one-sided, 95 %."""
    found = failure_share(failures, tasks)
    assert found == (share if share is None else pytest.approx(share, abs=0.001))


@pytest.mark.parametrize(
    ("tokens", "kind", "files", "failures", "points"),
    [
        (0, "log_summary", 0, 0, 1),
        (10_000, "log_summary", 3, 1, 1),
        (10_001, "log_summary", 4, 2, 4),
        (100_001, "production_critical", 11, 2, 10),
        (50_001, "something else", 0, 0, 5),
        (0, "strategic_decision", 0, 0, 4),
    ],
)
def test_the_original_is_kept_as_it_was(
    tokens: int, kind: str, files: int, failures: int, points: int
) -> None:
    """Its steps, its cap at 4, its 3 for a kind that it does not know."""
    assert original_score(tokens, kind, files, failures) == points
