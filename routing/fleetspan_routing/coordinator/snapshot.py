"""The document in which a workflow's state is kept: written whole, or not at all.

::

    {"format": "fleetspan.workflow", "version": 1, "workflow": NAME,
     "fingerprint": SHA256 of the steps it begins with, "status": "running",
     "saved_at": "2026-01-01T00:00:00Z",
     "steps": {NAME: {"phase": …, "needs": […], "version": …, "grown_by": …,
                      "status": …, "attempts": …, "result": …, "error": …}}}

A step that has not ended has the status ``waiting``.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleetspan_routing.coordinator._errors import (
    OtherGraphError,
    ResultError,
    SnapshotError,
)
from fleetspan_routing.coordinator.graph import fingerprint
from fleetspan_routing.coordinator.result import Status

FORMAT: Final = "fleetspan.workflow"
VERSION: Final = 1
WAITING: Final = "waiting"
RUNNING: Final = "running"

_STEP_STATUSES: Final = frozenset({WAITING, *Status})
_MOST_DIFFERENCES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptStep:
    """A step in a snapshot.

    Attributes:
        shape: What makes it the same step, as `graph.shape` returns it.
        grown_by: The plan that it came from, or None.
        status: How it ended, or ``waiting``.
        attempts: How often it was tried.
        result: Its result, when it is completed.
        error: What it failed with, or ``""``.
    """

    shape: Mapping[str, Any]
    grown_by: str | None
    status: str
    attempts: int
    result: Any
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of a workflow.

    Attributes:
        path: Where it was read.
        workflow: The workflow's name.
        status: Its status.
        steps: Its steps by name.
    """

    path: Path
    workflow: str
    status: str
    steps: Mapping[str, KeptStep]


def encoded(step: str, result: object) -> str:
    """Return a result as JSON, from which the very same result can be read again.

    Raises:
        ResultError: When JSON cannot hold it, or would change it.
    """
    try:
        bad = _unfit(result, "the result")
        text = "" if bad else json.dumps(result, allow_nan=False)
    except RecursionError:
        bad = "the result contains itself, or is nested too deeply"
    except (TypeError, ValueError) as error:
        bad = f"JSON cannot hold it: {error}"
    if bad:
        raise ResultError(
            f"the result of step {step!r} cannot be kept in the snapshot",
            because=bad,
            suggestion="return texts, finite numbers, true, false, None, and lists and"
            " dictionaries (with texts as keys) of these; or run without a snapshot",
        )
    return text


def read(path: Path) -> Snapshot:
    """Read a snapshot.

    Raises:
        SnapshotError: When it is none, or of a newer version.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"it is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _unreadable(path, f"it does not say that its format is {FORMAT!r}")
    if document.get("version") != VERSION:
        raise _unreadable(
            path,
            f"it has version {document.get('version')!r}, this reads {VERSION}",
            "a release of Fleetspan that is as new as the one that wrote it",
        )
    try:
        return _parsed(path, document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(path, f"it is damaged: {error!r}") from None


def write(path: Path, text: str) -> None:
    """Put a document in a file's place, on the disk, in one step.

    Raises:
        OSError: When it may not be there; the file is then as it was.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            _sync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def refuse_other(
    snapshot: Snapshot, workflow: str, shapes: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse a snapshot of another workflow.

    Args:
        snapshot: What was read.
        workflow: The name of the workflow that is to be resumed.
        shapes: The steps that it begins with.

    Raises:
        OtherGraphError: With every difference.
    """
    kept = {n: s.shape for n, s in snapshot.steps.items() if s.grown_by is None}
    found = []
    if snapshot.workflow != workflow:
        found.append(f"it is of workflow {snapshot.workflow!r}, not {workflow!r}")
    if fingerprint(kept) != fingerprint(shapes):
        found += _differences(kept, shapes)
    if found:
        raise OtherGraphError(str(snapshot.path), _shortened(found))


def refuse_other_growth(
    snapshot: Snapshot, plan: str, shapes: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse a snapshot in which a plan made other steps than it makes now.

    Raises:
        OtherGraphError: With every difference.
    """
    kept = {n: s.shape for n, s in snapshot.steps.items() if s.grown_by == plan}
    found = [f"plan {plan!r}: {each}" for each in _differences(kept, shapes)]
    if found:
        raise OtherGraphError(str(snapshot.path), _shortened(found))


def _parsed(path: Path, document: Mapping[str, Any]) -> Snapshot:
    steps = {}
    for name, each in document["steps"].items():
        kept = KeptStep(
            shape={key: each[key] for key in ("phase", "needs", "version")},
            grown_by=each["grown_by"],
            status=each["status"],
            attempts=int(each["attempts"]),
            result=each["result"] if each["status"] == Status.COMPLETED else None,
            error=str(each["error"]),
        )
        if kept.status not in _STEP_STATUSES:
            raise ValueError(f"step {name!r} has the status {kept.status!r}")
        steps[name] = kept
    begun = {name: kept.shape for name, kept in steps.items() if kept.grown_by is None}
    if fingerprint(begun) != document["fingerprint"]:
        raise ValueError("its fingerprint is not that of its steps")
    return Snapshot(
        path=path,
        workflow=str(document["workflow"]),
        status=str(document["status"]),
        steps=steps,
    )


def _differences(
    kept: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    found = [f"step {n!r} is only in the snapshot" for n in kept if n not in now]
    found += [f"step {n!r} is not in the snapshot" for n in now if n not in kept]
    for name in kept:
        for key in kept[name] if name in now else ():
            if kept[name][key] != now[name][key]:
                found.append(
                    f"step {name!r}: {key} is {kept[name][key]!r} in the snapshot,"
                    f" {now[name][key]!r} here"
                )
    return found


def _shortened(found: list[str]) -> list[str]:
    more = len(found) - _MOST_DIFFERENCES
    if more <= 0:
        return found
    return [*found[:_MOST_DIFFERENCES], f"{more} more differences"]


def _unfit(value: object, where: str) -> str:
    """Return what JSON would lose of a value, and where; ``""`` for nothing."""
    if value is None or isinstance(value, str | int):
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{where} is {value!r}"
    parts: Iterable[tuple[object, object]]
    if isinstance(value, list):
        parts = enumerate(value)
    elif isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                return f"{where} has the key {key!r}, which is no text"
        parts = value.items()
    else:
        return f"{where} is a {type(value).__name__}"
    for key, each in parts:
        if bad := _unfit(each, f"{where}[{key!r}]"):
            return bad
    return ""


def _unreadable(path: Path, because: str, suggestion: str = "") -> SnapshotError:
    return SnapshotError(
        f"{path} cannot be read as a snapshot of a workflow",
        because=because,
        suggestion=suggestion or "another file, or run() to begin anew",
    )


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        # fsync on macOS leaves the data in the drive's volatile cache.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)
