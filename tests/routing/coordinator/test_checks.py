"""What makes no workflow is refused when it is written, and not when it would run."""

from __future__ import annotations

from typing import Any

import pytest

from fleetspan_routing.coordinator import GraphError, Limits, Retry, Step, Workflow
from tests.routing.coordinator.workflows import timed


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([timed("a", 1, "b")], "needs 'b', which is unknown"),
        ([timed("scout", 1), timed("a", 1, "scuot")], "is 'scout' meant?"),
        ([timed("a", 1), timed("a", 1)], "'a' is there twice"),
        ([timed("a", 1, "a")], "'a' needs 'a'"),
        (
            [
                timed("x", 1, "a"),
                timed("a", 1, "b"),
                timed("b", 1, "c"),
                timed("c", 1, "a"),
            ],
            "'a' needs 'b' needs 'c' needs 'a'",
        ),
        ([timed("a", 1, resources=("gpu",))], "'gpu', which is unknown"),
    ],
)
def test_steps_that_make_no_workflow_are_refused(steps: list[Step], said: str) -> None:
    """When the workflow is made, naming what is wrong, why, and what to try."""
    with pytest.raises(GraphError) as caught:
        Workflow(name="test", steps=steps)
    assert said in str(caught.value)
    assert caught.value.error
    assert caught.value.because
    assert caught.value.suggestion


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", " "),
        ("phase", "deploy"),
        ("handler", "build"),
        ("needs", "scout"),
        ("needs", (1,)),
        ("timeout_s", 0),
        ("timeout_s", float("inf")),
        ("expected_s", -1),
        ("expected_s", True),
        ("grow", list),
    ],
)
def test_a_step_with_a_bad_value_is_refused(key: str, value: object) -> None:
    """Where it is written, and not when it would run."""
    good: dict[str, Any] = {"name": "a", "phase": "build", "handler": print}
    with pytest.raises(GraphError):
        Step(**{**good, key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attempts", 0),
        ("attempts", 1.5),
        ("factor", 0.5),
        ("first_wait_s", -1),
        ("most_wait_s", float("nan")),
        ("jitter", 1.5),
        ("jitter", -0.1),
    ],
)
def test_a_retry_with_a_bad_value_is_refused(key: str, value: object) -> None:
    """It names the field."""
    options: dict[str, Any] = {key: value}
    with pytest.raises(GraphError, match=key):
        Retry(**options)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("total", 0),
        ("total", True),
        ("other_resources", -1),
        ("phases", {"deploy": 1}),
        ("phases", {"build": 0}),
        ("resources", {"gpu": 1.5}),
    ],
)
def test_limits_with_a_bad_value_are_refused(key: str, value: object) -> None:
    """It names the field."""
    options: dict[str, Any] = {key: value}
    with pytest.raises(GraphError, match=key):
        Limits(**options)


def test_an_unknown_policy_is_refused() -> None:
    """What happens on a failure is said in so many words."""
    options: dict[str, Any] = {"on_failure": "ignore"}
    with pytest.raises(GraphError, match="one of stop, continue"):
        Workflow(name="test", steps=[timed("a", 1)], **options)
