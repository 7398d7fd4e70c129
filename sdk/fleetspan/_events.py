"""The kinds of event: the five of the original system with its fields, and outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from fleetspan import _semconv as semconv
from fleetspan._content import readable
from fleetspan._guard import complain, guard, note

FileOperation = Literal["create", "modify", "delete", "rename", "read"]
Severity = Literal["low", "medium", "high", "critical"]
Verdict = Literal["pass", "fail", "warning", "skipped"]

# kind -> field -> how it is written
FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "file_operation": {
        "agent": "text",
        "operation": "text",
        "file_path": "text",
        "lines_changed": "int",
        "diff": "content",
        "git_hash_before": "text",
        "git_hash_after": "text",
        "file_size_bytes": "int",
        "language": "text",
    },
    "decision": {
        "agent": "text",
        "question": "text",
        "options": "texts",
        "selected": "text",
        "rationale": "text",
        "confidence": "share",
        "alternative_considered": "text",
    },
    "error": {
        "agent": "text",
        "error_type": "text",
        "error_message": "text",
        "severity": "text",
        "context": "json",
        "stack_trace": "text",
        "attempted_fix": "text",
        "fix_successful": "bool",
        "recovery_time_ms": "float",
    },
    "context_snapshot": {
        "tokens_before": "int",
        "tokens_after": "int",
        "tokens_consumed": "int",
        "tokens_remaining": "int",
        "tokens_total_budget": "int",
        "files_in_context": "texts",
        "files_in_context_count": "int",
        "memory_mb": "float",
        "agent": "text",
    },
    "validation": {
        "agent": "text",
        "task": "text",
        "validation_type": "text",
        "checks": "json",
        "result": "text",
        "failures": "texts",
        "warnings": "texts",
        "metrics": "json",
    },
    "outcome": {
        "agent": "text",
        "task": "text",
        "quality": "share",
        "verifier": "text",
        "rationale": "text",
    },
}

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "file_operation.operation": ("create", "modify", "delete", "rename", "read"),
    "error.severity": ("low", "medium", "high", "critical"),
    "validation.result": ("pass", "fail", "warning", "skipped"),
}
_NAMES: Final = {
    (kind, name): f"{semconv.EVENT_PREFIX}{kind}.{name}"
    for kind, names in FIELDS.items()
    for name in names
}


def event_attributes(
    kind: str, values: Mapping[str, object], *, capture_content: bool
) -> dict[str, Any]:
    """Return the attributes of an event; what cannot be used is logged once and left out.

    Args:
        kind: One of `FIELDS`.
        values: Fields by name; None is unknown and not written.
        capture_content: Whether a diff may be written.
    """
    attributes: dict[str, Any] = {}
    for name, how in FIELDS[kind].items():
        value = values.get(name)
        if value is None or (how == "content" and not capture_content):
            continue
        about = f"{kind}.{name}"
        try:
            attributes[_NAMES[kind, name]] = _written(value, how)
        except (TypeError, ValueError, OverflowError) as expected:
            complain(about, f"left out, got {_shown(value)}, expected {expected}")
            continue
        except Exception as failure:  # noqa: BLE001 - the value's own __str__ may raise
            note(f"write {about}", failure)
            continue
        words = _WORDS.get(about)
        if words and value not in words:
            expected_words = "expected one of " + ", ".join(words)
            complain(about, f"kept as it is, got {_shown(value)}, {expected_words}")
    return attributes


def _shown(value: object) -> str:
    with guard("show a bad value"):
        return repr(value)[:80]
    return f"<{type(value).__name__}>"


def _written(value: Any, how: str) -> Any:
    if how == "texts":
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise TypeError("a list of texts")
        return [str(each) for each in value]
    if how == "bool":
        if not isinstance(value, bool):
            raise TypeError("true or false")
        return value
    if how in {"int", "float", "share"}:
        return _number(value, how)
    return readable(value) if how in {"json", "content"} else str(value)


def _number(value: Any, how: str) -> int | float:
    problem = {
        "int": "a whole number, 0 or more",
        "float": "a number, 0 or more",
        "share": "a number from 0 to 1",
    }[how]
    if isinstance(value, bool):
        raise TypeError(problem)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(problem) from None
    if not math.isfinite(number) or number < 0 or (how == "share" and number > 1):
        raise ValueError(problem)
    if how == "int":
        return value if isinstance(value, int) else int(number)
    return number


class Events:
    """Methods that record the five kinds of event. Every field is optional."""

    def _record_event(self, kind: str, values: Mapping[str, object]) -> None:
        raise NotImplementedError

    def file_operation(
        self,
        operation: FileOperation | str,
        file_path: str,
        *,
        lines_changed: int | None = None,
        diff: str | None = None,
        git_hash_before: str | None = None,
        git_hash_after: str | None = None,
        file_size_bytes: int | None = None,
        language: str | None = None,
        agent: str | None = None,
    ) -> None:
        """Record that a file was created, modified, deleted, renamed or read.

        Args:
            operation: ``create``, ``modify``, ``delete``, ``rename`` or ``read``.
            file_path: Which file.
            lines_changed: Lines added and removed.
            diff: The change; written only when content is captured.
            git_hash_before: Object id before.
            git_hash_after: Object id after.
            file_size_bytes: Size afterwards, in bytes.
            language: Programming language.
            agent: Who; by default the agent at work.
        """
        self._record_event("file_operation", _fields(locals()))

    def decision(
        self,
        question: str,
        *,
        options: Iterable[str] | None = None,
        selected: str | None = None,
        rationale: str | None = None,
        confidence: float | None = None,
        alternative_considered: str | None = None,
        agent: str | None = None,
    ) -> None:
        """Record a decision and why it was taken.

        Args:
            question: What was to be decided.
            options: What could have been chosen.
            selected: What was chosen.
            rationale: Why.
            confidence: From 0 to 1.
            alternative_considered: The runner-up.
            agent: Who; by default the agent at work.
        """
        self._record_event("decision", _fields(locals()))

    def error(
        self,
        error_type: str,
        error_message: str = "",
        *,
        severity: Severity | str | None = None,
        context: Mapping[str, object] | str | None = None,
        stack_trace: str | None = None,
        attempted_fix: str | None = None,
        fix_successful: bool | None = None,
        recovery_time_ms: float | None = None,
        agent: str | None = None,
    ) -> None:
        """Record an error that was met, and perhaps mended; the span does not fail by it.

        Args:
            error_type: Class of the error.
            error_message: What it said.
            severity: ``low``, ``medium``, ``high`` or ``critical``.
            context: What was going on; a mapping is written as JSON.
            stack_trace: Where.
            attempted_fix: What was tried.
            fix_successful: Whether that helped.
            recovery_time_ms: How long it took, in milliseconds.
            agent: Who; by default the agent at work.
        """
        self._record_event("error", _fields(locals()))

    def context_snapshot(
        self,
        *,
        tokens_before: int | None = None,
        tokens_after: int | None = None,
        tokens_consumed: int | None = None,
        tokens_remaining: int | None = None,
        tokens_total_budget: int | None = None,
        files_in_context: Iterable[str] | None = None,
        files_in_context_count: int | None = None,
        memory_mb: float | None = None,
        agent: str | None = None,
    ) -> None:
        """Record how full the context window is.

        Args:
            tokens_before: Tokens before the step.
            tokens_after: Tokens after it.
            tokens_consumed: Tokens that the step took.
            tokens_remaining: Tokens left.
            tokens_total_budget: Tokens that fit.
            files_in_context: Paths of the files held.
            files_in_context_count: How many; by default the length of that list.
            memory_mb: Memory of the process, in megabytes.
            agent: Whose; by default the agent at work.
        """
        values = _fields(locals())
        if files_in_context is not None and not isinstance(files_in_context, str):
            with guard("count files_in_context"):
                values["files_in_context"] = list(files_in_context)
                if files_in_context_count is None:
                    values["files_in_context_count"] = len(values["files_in_context"])
        self._record_event("context_snapshot", values)

    def validation(
        self,
        validation_type: str,
        result: Verdict | str,
        *,
        task: str | None = None,
        checks: Mapping[str, object] | None = None,
        failures: Iterable[str] | None = None,
        warnings: Iterable[str] | None = None,
        metrics: Mapping[str, object] | None = None,
        agent: str | None = None,
    ) -> None:
        """Record the outcome of a check of the work.

        Args:
            validation_type: Such as ``tests`` or ``review``.
            result: ``pass``, ``fail``, ``warning`` or ``skipped``.
            task: What was checked.
            checks: Outcome by check; written as JSON.
            failures: What failed.
            warnings: What is doubtful.
            metrics: Numbers by name; written as JSON.
            agent: Who; by default the agent at work.
        """
        self._record_event("validation", _fields(locals()))

    def outcome(
        self,
        quality: float,
        verifier: str | None = None,
        *,
        task: str | None = None,
        rationale: str | None = None,
        agent: str | None = None,
    ) -> None:
        """Say how good the result is; routing learns from it which model to choose.

        Of several the last one counts, before validations and tests.

        Args:
            quality: 0 (of no use) to 1 (all that was asked for).
            verifier: Who or what says so, such as ``pytest``, ``schema`` or ``reviewer``;
                without one it is the program itself.
            task: What was done.
            rationale: Why.
            agent: Whose result; by default the agent at work.
        """
        self._record_event("outcome", _fields(locals()))


def _fields(arguments: dict[str, Any]) -> dict[str, Any]:
    del arguments["self"]
    return arguments
