"""Verifiers: a verdict, or plainly none; nothing of theirs is left running."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetspan_routing._errors import VerifierError
from fleetspan_routing.verifiers import Broken, Command, Function, Schema


def python(program: str, timeout_s: float = 30.0) -> Command:
    """A command that runs a few lines."""
    return Command(arguments=[sys.executable, "-c", program], timeout_s=timeout_s)


class TestCommand:
    """A program with an exit code."""

    def test_it_reads_the_answer_and_its_exit_code_is_the_verdict(self) -> None:
        """0 passes, anything else does not; what it printed is kept."""
        checks = python(
            "import sys; t = sys.stdin.read(); print(t); sys.exit(t != 'ok')"
        )
        passed, failed = checks.verify("ok"), checks.verify("no")
        assert (passed.passed, passed.said, passed.broken) == (True, "ok", None)
        assert (failed.passed, failed.said, failed.broken) == (False, "no", None)

    def test_one_that_hangs_is_killed_with_all_that_it_started(
        self, tmp_path: Path
    ) -> None:
        """Its whole process group; the wait does not hang on what holds its output."""
        told = tmp_path / "pid"
        program = (
            "import subprocess, sys, time\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time;"
            " time.sleep(600)'])\n"
            f"open({str(told)!r}, 'w').write(str(child.pid))\n"
            "print('began', flush=True)\n"
            "time.sleep(600)"
        )
        verdict = python(program, timeout_s=5.0).verify("x")
        assert verdict.broken is Broken.TIMEOUT
        assert "no answer within 5 s; began" in verdict.said
        assert _gone(int(told.read_text()))

    def test_what_it_leaves_behind_is_killed(self, tmp_path: Path) -> None:
        """Even when it has ended in order."""
        told = tmp_path / "pid"
        program = (
            "import subprocess, sys\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time;"
            " time.sleep(600)'])\n"
            f"open({str(told)!r}, 'w').write(str(child.pid))"
        )
        assert python(program).verify("x").passed
        assert _gone(int(told.read_text()))

    def test_one_that_crashes_or_is_not_there_gives_no_verdict(self) -> None:
        """Killed by a signal, not found, and a shell's exit codes for that."""
        crash = python("import os, signal; os.kill(os.getpid(), signal.SIGABRT)")
        assert crash.verify("x").broken is Broken.CRASHED
        absent = Command(arguments=["/nowhere/at/all"]).verify("x")
        assert (absent.passed, absent.broken) == (False, Broken.MISSING)
        shell = Command(arguments=["sh", "-c", "nowhere-at-all"]).verify("x")
        assert shell.broken is Broken.MISSING
        assert "exit code 127" in shell.said

    def test_much_output_and_much_input_do_no_harm(self) -> None:
        """The end is kept; a program that does not read does not block."""
        verdict = python("print('x' * 1_000_000 + 'end')").verify("y" * 1_000_000)
        assert verdict.passed
        assert verdict.said.endswith("end")
        assert len(verdict.said) <= 2_000

    def test_what_is_no_command(self) -> None:
        """Is refused where it is made."""
        with pytest.raises(VerifierError, match="not a list"):
            Command(arguments="make test")
        with pytest.raises(VerifierError, match="timeout is 0"):
            Command(arguments=["true"], timeout_s=0)


class TestFunction:
    """Any Python."""

    def test_its_answer_is_the_verdict(self) -> None:
        """As a truth value."""
        checks = Function(function=lambda text: text == "ok")
        assert checks.verify("ok").passed
        assert not checks.verify("no").passed
        assert checks.verify("no").broken is None

    def test_one_that_raises_gives_no_verdict(self) -> None:
        """Whatever it raises; leaving the program is not up to it."""

        def leave(text: str) -> bool:
            raise SystemExit(text)

        verdict = Function(function=leave).verify("why")
        assert verdict.broken is Broken.CRASHED
        assert verdict.said == "SystemExit: why"

    def test_ones_that_hang_are_left_behind_and_not_piled_up(self) -> None:
        """Eight at most; when they end it is called again."""
        gate = threading.Event()
        calls: list[str] = []

        def wait(text: str) -> bool:
            calls.append(text)
            return gate.wait()

        checks = Function(function=wait, timeout_s=0.02)
        found = [checks.verify("x") for _ in range(10)]
        assert {each.broken for each in found} == {Broken.TIMEOUT}
        assert len(calls) == 8
        assert "earlier calls still hang" in found[-1].said
        gate.set()
        assert _soon(lambda: not any(each.is_alive() for each in checks._hanging))
        assert Function(function=wait).verify("x").passed


class TestSchema:
    """JSON of a shape."""

    def test_what_fits_passes(self) -> None:
        """What does not says where; what is no JSON does not pass either."""
        checks = Schema({"type": "object", "required": ["a"]})
        assert checks.verify('{"a": 1}').passed
        wrong = checks.verify("{}")
        assert not wrong.passed
        assert "'a' is a required property" in wrong.said
        assert checks.verify("hello").said.startswith("not JSON")
        assert not checks.verify("[" * 100_000).passed

    def test_nothing_is_fetched(self) -> None:
        """A reference to elsewhere is no verdict."""
        checks = Schema({"$ref": "http://localhost:9/schema.json"})
        assert checks.verify("1").broken is Broken.CRASHED

    def test_what_is_no_schema(self) -> None:
        """Is refused where it is made."""
        with pytest.raises(VerifierError, match="not a JSON schema"):
            Schema({"type": "nonsense"})

    def test_without_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It says what to install."""
        monkeypatch.setitem(sys.modules, "jsonschema", None)
        with pytest.raises(VerifierError, match="pip install jsonschema"):
            Schema({})


def _gone(process: int) -> bool:
    """Whether a process is, or is soon, no more than an entry to be collected."""

    def ended() -> bool:
        try:
            os.kill(process, 0)
            state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1]
        except (ProcessLookupError, FileNotFoundError):
            return True
        return state.split()[0] in {"Z", "X"}

    return _soon(ended)


def _soon(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.01)
    return False
