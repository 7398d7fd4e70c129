"""Verifiers: is an answer good enough, or does a stronger model have to have the task?

A command, a function or a JSON schema that the user gives. One that hangs, crashes or is
not there gives no verdict on the answer, and says so: what then happens is the cascade's
policy, not an accident.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final, Protocol

from fleetspan_routing._errors import VerifierError

_MOST_SAID: Final = 2_000
_CANNOT_RUN: Final = frozenset({126, 127})
"""What a shell returns for a program that it may not run, or does not find."""
_MOST_HANGING: Final = 8
_TIMEOUT_S: Final = 60.0


class Broken(StrEnum):
    """Why there is no verdict."""

    TIMEOUT = "timeout"
    CRASHED = "crashed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verifier says of an answer.

    Attributes:
        passed: Whether it is good enough; ``False`` where there is no verdict.
        said: The end of what it printed, or why it does not pass.
        took_s: Seconds that it took.
        broken: Why there is no verdict; ``None`` when there is one.
    """

    passed: bool
    said: str = ""
    took_s: float = 0.0
    broken: Broken | None = None


class Verifier(Protocol):
    """Says whether an answer will do; never raises."""

    def verify(self, answer: str) -> Verdict:
        """Return what it says of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that reads the answer from its input and exits with 0 if it will do.

    It and all that it started are killed when its time is over, and when it has ended.

    Attributes:
        arguments: The program and its arguments; no shell is involved.
        timeout_s: Seconds that it may take.
        folder: Where it runs; ``None`` for here.
    """

    arguments: Sequence[str]
    timeout_s: float = _TIMEOUT_S
    folder: Path | None = None

    def __post_init__(self) -> None:
        _check_time(self.timeout_s)
        if isinstance(self.arguments, str) or not self.arguments:
            raise VerifierError(
                "the command cannot verify",
                because=f"{self.arguments!r} is not a list of a program and arguments",
                suggestion='Command(arguments=["make", "test"])',
            )

    def verify(self, answer: str) -> Verdict:
        """Run it with an answer."""
        began = time.monotonic()
        # Files, because a pipe ends only when the last of its holders is gone.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(answer.encode("utf-8", "replace"))
            given.seek(0)
            try:
                program = subprocess.Popen(  # noqa: S603 - the user's own command
                    list(self.arguments),
                    stdin=given,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                return _no(Broken.MISSING, str(error), began)
            try:
                code = program.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                _end(program)
                text = f"no answer within {self.timeout_s:g} s; {_tail(said)}"
                return _no(Broken.TIMEOUT, text, began)
            finally:
                _end(program)
            text = _tail(said)
        if code < 0:
            return _no(Broken.CRASHED, f"ended by signal {-code}; {text}", began)
        if code in _CANNOT_RUN:
            return _no(Broken.MISSING, f"exit code {code}; {text}", began)
        return Verdict(passed=code == 0, said=text, took_s=time.monotonic() - began)


def _end(program: subprocess.Popen[bytes]) -> None:
    """Kill what is left of its process group; it is the leader of one."""
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    program.wait()


def _tail(said: IO[bytes]) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(size - _MOST_SAID, 0))
    return said.read(_MOST_SAID).decode("utf-8", "replace").strip()


@dataclass(slots=True, kw_only=True)
class Function:
    """A function that says of an answer whether it will do.

    It runs in a thread of its own. Python cannot end a thread, so that one that hangs is
    left behind; with eight of them the function is not called any more.

    Attributes:
        function: Of the answer; ``True`` when it will do.
        timeout_s: Seconds that it may take.
    """

    function: Callable[[str], bool]
    timeout_s: float = _TIMEOUT_S
    _hanging: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        _check_time(self.timeout_s)

    def verify(self, answer: str) -> Verdict:
        """Call it with an answer."""
        began = time.monotonic()
        self._hanging = [each for each in self._hanging if each.is_alive()]
        if len(self._hanging) >= _MOST_HANGING:
            said = f"not called: {len(self._hanging)} earlier calls still hang"
            return _no(Broken.TIMEOUT, said, began)
        found: list[bool | BaseException] = []

        def call() -> None:
            try:
                found.append(bool(self.function(answer)))
            except BaseException as error:  # noqa: BLE001 - any of the user's
                found.append(error)

        thread = threading.Thread(target=call, name="verifier", daemon=True)
        thread.start()
        thread.join(self.timeout_s)
        if not found:
            self._hanging.append(thread)
            said = f"no answer within {self.timeout_s:g} s"
            return _no(Broken.TIMEOUT, said, began)
        if isinstance(found[0], BaseException):
            said = f"{type(found[0]).__name__}: {found[0]}"[:_MOST_SAID]
            return _no(Broken.CRASHED, said, began)
        return Verdict(passed=found[0], took_s=time.monotonic() - began)


class Schema:
    """A JSON schema that the answer, as JSON, has to fit; needs ``jsonschema``."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Take a schema.

        Raises:
            VerifierError: When it is not one, or ``jsonschema`` is not installed.
        """
        try:
            # Here, because most have no use for it.
            import jsonschema
            import referencing
        except ImportError as error:
            raise VerifierError(
                "the schema cannot verify",
                because=f"{error.name} is not installed",
                suggestion="pip install jsonschema",
            ) from None
        kind = jsonschema.validators.validator_for(
            schema, default=jsonschema.Draft202012Validator
        )
        try:
            kind.check_schema(dict(schema))
        except jsonschema.SchemaError as error:
            raise VerifierError(
                "the schema cannot verify",
                because=f"it is not a JSON schema: {error.message}",
                suggestion="correct it, or check it with check-jsonschema",
            ) from None
        # A registry of its own, or a reference to elsewhere would be fetched.
        self._validator = kind(schema, registry=referencing.Registry())

    def verify(self, answer: str) -> Verdict:
        """Check an answer."""
        began = time.monotonic()
        try:
            document = json.loads(answer)
        except (ValueError, RecursionError) as error:
            said = f"not JSON: {error}"
            return Verdict(passed=False, said=said, took_s=time.monotonic() - began)
        try:
            wrong = next(self._validator.iter_errors(document), None)
        except Exception as error:  # noqa: BLE001 - a reference that leads nowhere
            said = f"{type(error).__name__}: {error}"[:_MOST_SAID]
            return _no(Broken.CRASHED, said, began)
        said = f"{wrong.json_path}: {wrong.message}"[:_MOST_SAID] if wrong else ""
        return Verdict(passed=not wrong, said=said, took_s=time.monotonic() - began)


def _no(broken: Broken, said: str, began: float) -> Verdict:
    took_s = time.monotonic() - began
    return Verdict(passed=False, said=said, took_s=took_s, broken=broken)


def _check_time(timeout_s: float) -> None:
    if not 0 < timeout_s < threading.TIMEOUT_MAX:
        raise VerifierError(
            "nothing can be verified",
            because=f"the timeout is {timeout_s!r} seconds",
            suggestion="give it more than 0 seconds",
        )
