"""What the command is told about this process: a small file, kept up to date.

It is written whenever there is news, not at the end: a process may be killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import uuid
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._libraries import OWN, PACKAGES

if TYPE_CHECKING:
    from ._imports import AfterImport

DIRECTORY = "_FLEETSPAN_RUN"
_MAX_NOTES = 100

_lock = threading.RLock()
_notes: dict[str, Any] = {
    "python": sys.executable,
    "imported": [],
    "switched_on": [],
    "left_out": [],
    "problems": [],
    "sending": None,
}
_name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}.json"


def watch(imports: AfterImport) -> None:
    """Note which libraries of models and agents the program imports."""
    for name in (*PACKAGES, *OWN):
        imports.when(name, _imported)


def _imported(module: ModuleType) -> None:
    if _notes["sending"] is None and not can_send():
        _notes["sending"] = "nothing"
    _add("imported", module.__name__)


def can_send() -> bool:
    """Whether OpenTelemetry's SDK and an exporter are installed; imports neither."""
    try:
        if find_spec("opentelemetry.sdk") is None:
            return False
        return any(
            find_spec(f"opentelemetry.exporter.otlp.proto.{protocol}") is not None
            for protocol in ("http", "grpc")
        )
    except ImportError:
        # Their parent is missing.
        return False


def switched_on(library: str, package: str) -> None:
    """Note that an instrumentation is at work."""
    _add("switched_on", {"library": library, "package": package})


def left_out(library: str, package: str, chosen: str) -> None:
    """Note that two packages watch the same library, and which one was taken."""
    _add("left_out", {"library": library, "package": package, "chosen": chosen})


def problem(text: str) -> None:
    """Note what went wrong."""
    _add("problems", text[:500])


def sending(how: str | None) -> None:
    """Note whether spans can be sent; None: an exporter or the SDK is missing."""
    with _lock:
        _notes["sending"] = how or "nothing"
        _write()


def _add(what: str, note: Any) -> None:
    with _lock:
        if note not in _notes[what] and len(_notes[what]) < _MAX_NOTES:
            _notes[what].append(note)
            _write()


def _write() -> None:
    directory = os.environ.get(DIRECTORY)
    if not directory:
        return
    path = os.path.join(directory, _name)
    # The run may be over and the directory gone, or another user's.
    with contextlib.suppress(OSError):
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(_notes, file)
        os.replace(path + ".new", path)


def _after_fork() -> None:
    global _lock, _name
    _lock = threading.RLock()
    _name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}.json"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
