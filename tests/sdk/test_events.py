"""The five kinds of event."""

from __future__ import annotations

import pytest

import fleetspan
from fleetspan import _events
from fleetspan.testing import Recorded

# reference: the original system's seven kinds; the other two are spans here.
ORIGINAL_FIELDS = {
    "file_operation": "agent operation file_path lines_changed diff git_hash_before "
    "git_hash_after file_size_bytes language",
    "decision": "agent question options selected rationale confidence "
    "alternative_considered",
    "error": "agent error_type error_message severity context stack_trace attempted_fix "
    "fix_successful recovery_time_ms",
    "context_snapshot": "tokens_before tokens_after tokens_consumed tokens_remaining "
    "tokens_total_budget files_in_context files_in_context_count memory_mb agent",
    "validation": "agent task validation_type checks result failures warnings metrics",
}
ADDED_FIELDS = {"outcome": "agent task quality verifier rationale"}


def test_the_fields_are_those_of_the_original() -> None:
    """No kind has a field more or less."""
    fields = {kind: " ".join(names) for kind, names in _events.FIELDS.items()}
    assert fields == ORIGINAL_FIELDS | ADDED_FIELDS


def test_an_outcome_is_a_quality_or_a_word(recorded: Recorded) -> None:
    """Of an agent either; one that is no share of one is logged and left out."""
    with fleetspan.agent("coder") as agent:
        fleetspan.outcome(0.8, "pytest", rationale="4 of 5 pass")
        agent.outcome(1.0, verifier="reviewer")
        agent.outcome("completed")
        fleetspan.outcome(7)
    span = recorded.spans()[0]
    assert span["attributes"]["fleetspan.agent.outcome"] == "completed"
    prefix = "fleetspan.outcome."
    assert [
        {key.removeprefix(prefix): value for key, value in event["attributes"].items()}
        for event in span["events"]
    ] == [
        {
            "agent": "coder",
            "quality": 0.8,
            "verifier": "pytest",
            "rationale": "4 of 5 pass",
        },
        {"agent": "coder", "quality": 1.0, "verifier": "reviewer"},
        {"agent": "coder"},
    ]


def test_each_kind_is_a_span_event_of_the_activity_at_work(recorded: Recorded) -> None:
    """Functions of the package go to whatever is at work; the agent is filled in."""
    with fleetspan.agent("coder"):
        fleetspan.file_operation("modify", "a.py", lines_changed=3, language="python")
        fleetspan.decision("which?", options=("a", "b"), selected="a", confidence=0.9)
        fleetspan.error("Timeout", "slow", severity="low", context={"try": 1})
        fleetspan.context_snapshot(tokens_before=10, files_in_context=["a.py", "b.py"])
        fleetspan.validation("tests", "pass", checks={"unit": True}, failures=[])
    events = recorded.spans()[0]["events"]
    assert [(event["name"], event["attributes"]) for event in events] == [
        (
            "fleetspan.file_operation",
            {
                "fleetspan.file_operation.agent": "coder",
                "fleetspan.file_operation.operation": "modify",
                "fleetspan.file_operation.file_path": "a.py",
                "fleetspan.file_operation.lines_changed": 3,
                "fleetspan.file_operation.language": "python",
            },
        ),
        (
            "fleetspan.decision",
            {
                "fleetspan.decision.agent": "coder",
                "fleetspan.decision.question": "which?",
                "fleetspan.decision.options": ["a", "b"],
                "fleetspan.decision.selected": "a",
                "fleetspan.decision.confidence": 0.9,
            },
        ),
        (
            "fleetspan.error",
            {
                "fleetspan.error.agent": "coder",
                "fleetspan.error.error_type": "Timeout",
                "fleetspan.error.error_message": "slow",
                "fleetspan.error.severity": "low",
                "fleetspan.error.context": '{"try": 1}',
            },
        ),
        (
            "fleetspan.context_snapshot",
            {
                "fleetspan.context_snapshot.tokens_before": 10,
                "fleetspan.context_snapshot.files_in_context": ["a.py", "b.py"],
                "fleetspan.context_snapshot.files_in_context_count": 2,
                "fleetspan.context_snapshot.agent": "coder",
            },
        ),
        (
            "fleetspan.validation",
            {
                "fleetspan.validation.agent": "coder",
                "fleetspan.validation.validation_type": "tests",
                "fleetspan.validation.checks": '{"unit": true}',
                "fleetspan.validation.result": "pass",
                "fleetspan.validation.failures": [],
            },
        ),
    ]


def test_bad_fields_are_logged_once_and_never_raise(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A field that cannot be used is left out; an unknown word is kept."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("broken")

        __str__ = __repr__

    with fleetspan.agent("a") as agent:
        for _ in range(2):
            agent.decision("q", confidence=1.5, options=7)  # type: ignore[arg-type]
            agent.file_operation("chmod", "a.py", lines_changed=float("nan"))  # type: ignore[arg-type]
            agent.error("E", Broken())  # type: ignore[arg-type]
            agent.context_snapshot(tokens_before=True, memory_mb=-1)
    names = [
        sorted(name.rpartition(".")[2] for name in event["attributes"])
        for event in recorded.spans()[0]["events"]
    ]
    assert (
        names
        == [
            ["agent", "question"],
            ["agent", "file_path", "operation"],
            ["agent", "error_type"],
            ["agent"],
        ]
        * 2
    )
    said = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert said.count("decision.confidence") == 1
    assert said.count("decision.options") == 1
    assert said.count("file_operation.lines_changed") == 1
    assert said.count("file_operation.operation") == 1


def test_an_event_outside_of_everything_is_harmless(recorded: Recorded) -> None:
    """With no span at all, an event reaches the subscribers only."""
    fleetspan.decision("q")
    assert [notice.kind for notice in recorded.notices] == ["decision"]
    assert recorded.spans() == []
