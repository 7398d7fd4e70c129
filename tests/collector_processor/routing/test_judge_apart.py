"""The process in which texts are judged."""

from __future__ import annotations

import subprocess

import pytest

from fleetspan_collector.routing.texts import JudgeApart, Question


def test_few_texts_are_judged() -> None:
    """The verdict comes back, and says why not."""
    asked = Question(workload="w", weak="small", strong="large", seen=(), target=0.95)
    found = JudgeApart()([asked])
    assert not found["w"].may
    assert "0 outcomes" in found["w"].reason


def test_it_fails() -> None:
    """That is an error, and not no verdict."""
    with pytest.raises(subprocess.CalledProcessError):
        JudgeApart()(["no question"])  # type: ignore[list-item]


def test_it_is_stopped() -> None:
    """Nothing is judged any more, and nobody is told of an error."""
    judge = JudgeApart()
    judge.stop()
    assert judge([]) == {}
