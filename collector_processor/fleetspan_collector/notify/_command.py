"""A hook that is a command: it gets a finding on its standard input."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Final

from fleetspan_collector.config._hook import Hook
from fleetspan_collector.notify._destination import (
    MOST_ANSWER_CHARACTERS,
    Outcome,
    Verdict,
    Wanted,
    clip,
)
from fleetspan_collector.notify._notice import Notice
from fleetspan_collector.processors.finding import Severity

_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")
_TERM_GRACE_S: Final = 1.0
_CHUNK: Final = 64 * 1024
_LOOK_S: Final = 0.05
_MOST_VALUE_CHARACTERS: Final = 1000


class Command:
    """Runs a program for each finding: no shell, a clean environment, a group of its own.

    Args:
        hook: What to run, and for what.
        variables: More of its environment.
    """

    together = 1

    def __init__(self, hook: Hook, variables: Mapping[str, str]) -> None:
        self.name = hook.name
        self.wanted = Wanted(
            detectors=hook.detectors, rank=Severity(hook.min_severity).rank
        )
        self.attempts: int | None = hook.attempts
        self._command = list(hook.command)
        self._timeout_s = hook.timeout_s
        self._environment = {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            **variables,
        }
        self._interrupted = threading.Event()

    def deliver(self, notices: Sequence[Notice], attempt: int) -> Sequence[Verdict]:
        """Run the command for a finding."""
        return [self._deliver(notice, attempt) for notice in notices]

    def interrupt(self) -> None:
        """End at once what is under way."""
        self._interrupted.set()

    def _deliver(self, notice: Notice, attempt: int) -> Verdict:
        try:
            process = subprocess.Popen(  # noqa: S603 - what the user's settings say, no shell
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environment_for(notice, attempt),
                start_new_session=True,
            )
        except OSError as error:
            problem = f"it cannot be started: {error.strerror or error}"
            return Verdict(outcome=Outcome.RETRY, answer=problem, unreachable=True)
        with process:
            output, in_time = self._talk(process, notice.body)
        text = clip(output.decode("utf-8", "replace"))
        code = process.returncode
        if not in_time:
            why = "interrupted" if self._interrupted.is_set() else "timeout"
            text = clip(f"ended after {self._timeout_s:g} s ({why}). {text}")
            return Verdict(outcome=Outcome.RETRY, code=code, answer=text)
        outcome = Outcome.DELIVERED if code == 0 else Outcome.RETRY
        return Verdict(outcome=outcome, code=code, answer=text)

    def _environment_for(self, notice: Notice, attempt: int) -> dict[str, str]:
        about = {
            "ID": notice.subject,
            "DETECTOR": notice.detector,
            "SEVERITY": str(notice.severity),
            "RUN_ID": notice.run_id,
            "HOOK": self.name,
            "DELIVERY": notice.delivery_id(self.name),
            "ATTEMPT": str(attempt),
        }
        return self._environment | {
            f"FLEETSPAN_FINDING_{name}": _as_variable(value)
            for name, value in about.items()
        }

    def _talk(
        self, process: subprocess.Popen[bytes], document: bytes
    ) -> tuple[bytes, bool]:
        """Feed it and keep the beginning of what it says, until it ends or its time is up.

        Returns:
            What it said, and whether it ended by itself in time.
        """
        conversation = _Conversation(process, document)
        until_s = time.monotonic() + self._timeout_s
        in_time = True
        while process.poll() is None:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or self._interrupted.is_set():
                in_time = False
                _end(process)
                break
            conversation.step(min(left_s, _LOOK_S))
        # What it left in the pipe; a child of its own may still hold the other end.
        conversation.step(0)
        conversation.close()
        return conversation.output, in_time


class _Conversation:
    """The pipes of a process, none of which is ever waited for."""

    def __init__(self, process: subprocess.Popen[bytes], document: bytes) -> None:
        if process.stdin is None or process.stdout is None:
            raise TypeError("expected a process with pipes")
        self.output = b""
        self._input: IO[bytes] = process.stdin
        self._left = memoryview(document)
        self._selector = selectors.DefaultSelector()
        for pipe, event in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
        ):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, event)

    def step(self, wait_s: float) -> None:
        """Move what can be moved."""
        if not self._selector.get_map():
            # Both ends are closed: only its end is waited for.
            time.sleep(wait_s)
            return
        for key, _ in self._selector.select(wait_s):
            if key.fileobj is self._input:
                self._write()
            else:
                self._read(key.fd, key.fileobj)

    def close(self) -> None:
        """Let go of what is watched."""
        self._close_input()
        self._selector.close()

    def _write(self) -> None:
        try:
            written = os.write(self._input.fileno(), self._left[:_CHUNK])
        except BlockingIOError:
            return
        except OSError:
            # It does not want to read, which is its own affair.
            written = len(self._left)
        self._left = self._left[written:]
        if not self._left:
            self._selector.unregister(self._input)
            self._close_input()

    def _close_input(self) -> None:
        with contextlib.suppress(OSError):
            self._input.close()

    def _read(self, descriptor: int, pipe: object) -> None:
        try:
            read = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        if not read:
            self._selector.unregister(descriptor)
            return
        room = 4 * MOST_ANSWER_CHARACTERS - len(self.output)
        self.output += read[: max(room, 0)]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything that it has started in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_TERM_GRACE_S)
    # Whether or not it has ended: what it started may be there still.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _as_variable(value: str) -> str:
    """What the environment can hold of a text: no NUL, and not too much."""
    return value.replace("\0", "")[:_MOST_VALUE_CHARACTERS]
