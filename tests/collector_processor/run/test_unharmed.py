"""What a program must not notice."""

import json
import os
import pty
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.collector_processor.run.conftest import RUN, Runner
from tests.collector_processor.running import environment, poll

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SPAN_THEN_WAIT = """
import time
from opentelemetry import trace
with trace.get_tracer("t").start_as_current_span("before the end"):
    pass
print("ready", flush=True)
time.sleep(60)
"""

COUNTS_SIGINT = """
import os, signal, sys, time
got = []
signal.signal(signal.SIGINT, lambda *_: got.append(1))
print("tty", *(os.isatty(each) for each in (0, 1, 2)), flush=True)
while not got:
    signal.pause()
# A second one would come at once.
deadline = time.monotonic() + 0.5
while time.monotonic() < deadline:
    time.sleep(0.05)
print("sigint", len(got), flush=True)
sys.exit(7)
"""

WITH_TERMINAL = """
import fcntl, os, sys, termios
# Its standard input becomes the terminal that its session is controlled by.
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

OUTLIVES_THE_COLLECTOR = """
import json, os, pathlib, signal, sys
from opentelemetry import trace
pid = json.loads(pathlib.Path(sys.argv[1], "endpoints.json").read_text())["pid"]
os.kill(pid, signal.SIGKILL)
with trace.get_tracer("t").start_as_current_span("lost"):
    pass
print("done")
sys.exit(5)
"""


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_the_exit_code_is_the_programs(runner: Runner, script: str, code: int) -> None:
    """And 128 and the signal's number when one ended it, as in a shell."""
    assert runner.briefly("sh", "-c", script).code == code


def test_streams_are_the_programs(runner: Runner) -> None:
    """Standard input reaches it, a pipe ends it, and its output is its own."""
    script = "cat; yes | head -1; echo oops >&2"
    # An engine in this process blocks the signal, and children inherit that.
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPIPE})
    try:
        ran = runner.briefly("bash", "-c", script, stdin="in\n")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert (ran.out, ran.err) == ("in\ny\n", "oops\n")


def test_a_program_that_cannot_be_run(runner: Runner) -> None:
    """127 when it is not found, 126 when it cannot be executed; three lines say why."""
    missing = runner("no-such-program")
    assert missing.code == 127
    assert missing.err == (
        "error: there is no program 'no-such-program'\n"
        "because: it is in no folder of PATH\n"
        "try: check its name, or give its path\n"
    )
    (runner.folder / "agent.py").write_text("print(1)")
    script = runner("./agent.py")
    assert (script.code, script.err.splitlines()[1]) == (
        *(126, "because: it is not executable"),
    )
    assert runner("/tmp").code == 126  # noqa: S108 - a folder


def test_a_script_without_an_interpreter_is_the_shells(runner: Runner) -> None:
    """As when it is typed into a shell."""
    script = runner.folder / "script"
    script.write_text('echo "$1"\n')
    script.chmod(0o755)
    assert runner.briefly("./script", "hello").out == "hello\n"


def test_sigterm_is_passed_on_and_nothing_is_lost(runner: Runner) -> None:
    """The program ends by the signal, after it has sent its spans."""
    (runner.folder / "agent.py").write_text(SPAN_THEN_WAIT)
    report = runner.folder / "report.json"
    with subprocess.Popen(
        [
            *(*RUN, f"--data={runner.data}", f"--report={report}"),
            *("--", sys.executable, "agent.py"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=runner.folder,
        env=environment(OTEL_BSP_SCHEDULE_DELAY="60000"),
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 143
    assert json.loads(report.read_text())["spans"] == 1


def test_a_terminal_stays_one_and_ctrl_c_comes_once(runner: Runner) -> None:
    """The program has the terminal, and Ctrl-C reaches it as without us."""
    (runner.folder / "agent.py").write_text(COUNTS_SIGINT)
    terminal, theirs = pty.openpty()
    command = [*RUN, f"--data={runner.data}", "--", sys.executable, "agent.py"]
    child = subprocess.Popen(
        [sys.executable, "-c", WITH_TERMINAL, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=runner.folder,
        env=environment(),
        start_new_session=True,
    )
    os.close(theirs)
    said = b""

    def read_on() -> bool:
        nonlocal said
        try:
            said += os.read(terminal, 4096)
        except OSError:
            # The other end is closed.
            return True
        return False

    poll(lambda: read_on() or b"True\r\n" in said, "the program has started")
    os.write(terminal, b"\x03")
    poll(read_on, "the run has ended")
    code = child.wait(60)
    os.close(terminal)
    text = said.decode()
    assert "tty True True True" in text
    assert "sigint 1\r\n" in text
    assert code == 7
    assert "\ncost " in text


def test_a_program_outlives_its_collector(runner_alone: Runner) -> None:
    """It ends as it would, and the summary says what happened."""
    ran = runner_alone.python(OUTLIVES_THE_COLLECTOR, str(runner_alone.data))
    assert (ran.code, ran.out) == (5, "done\n")
    assert len(ran.err.splitlines()) == 5
    assert "does not answer" in ran.document["trouble"]
    assert "fleetspan could not reach the collector at all times" in ran.err


def test_without_a_collector_the_program_runs_all_the_same(
    runner_alone: Runner,
) -> None:
    """Its telemetry is lost, and that is said before and after."""
    ran = runner_alone(
        *("sh", "-c", "echo ran; exit 4"),
        FLEETSPAN_FREE_DISK_FLOOR_BYTES=str(1 << 60),
    )
    assert (ran.code, ran.out) == (4, "ran\n")
    assert ran.err.startswith("error: the disk is too full to accept anything\n")
    assert ran.document["trouble"].startswith("no collector: ")


def test_another_sitecustomize_still_runs(runner: Runner, tmp_path: Path) -> None:
    """It is what ``sitecustomize`` means to the program, and its errors are shown."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "sitecustomize.py").write_text(
        "import os\nos.environ['THEIRS'] = 'ran'\n"
    )
    source = (
        "import os, sys, sitecustomize, fleetspan\n"
        "print(os.environ['THEIRS'], sitecustomize.__file__)\n"
        "print([each for each in sys.path if 'injected' in each])\n"
        "with fleetspan.agent('a'): pass\n"
    )
    ran = runner.python(source, PYTHONPATH=str(theirs))
    assert ran.out == f"ran {theirs}/sitecustomize.py\n[]\n"
    assert ran.document["spans"] == 1


def test_an_environment_without_opentelemetry(runner: Runner, tmp_path: Path) -> None:
    """The program runs unharmed, and the summary says what to install there."""
    folder = tmp_path / "venv"
    venv.create(folder, symlinks=True)
    (runner.folder / "anthropic.py").write_text("")
    (runner.folder / "agent.py").write_text(
        "import anthropic, importlib.util\n"
        "print(importlib.util.find_spec('opentelemetry'), anthropic.__loader__)\n"
    )
    ran = runner(str(folder / "bin" / "python"), "agent.py")
    assert ran.code == 0
    assert ran.out.startswith("None <_frozen_importlib_external.SourceFileLoader")
    lines = ran.err.splitlines()
    assert lines[3] == (
        "stood out  anthropic was imported, and what reports it is not installed"
    )
    assert lines[4] == (
        f"next       {folder}/bin/python -m pip install"
        " opentelemetry-instrumentation-genai-anthropic opentelemetry-sdk"
        " opentelemetry-exporter-otlp-proto-http"
    )


def test_a_library_that_is_only_looked_for_is_not_imported(runner: Runner) -> None:
    """``find_spec`` answers as without us, and what is imported later is still seen."""
    (runner.folder / "anthropic.py").write_text("")
    source = (
        "import importlib.util, sys\n"
        "spec = importlib.util.find_spec('anthropic')\n"
        "print(spec.name, spec.loader.get_source('anthropic') == '')\n"
        "if sys.argv[1:]: import anthropic\n"
    )
    looked = runner.python(source)
    assert looked.out == "anthropic True\n"
    assert looked.document["instrumentation"]["imported"] == []
    imported = runner.python(source, "too")
    assert imported.document["instrumentation"]["imported"] == ["anthropic"]


def test_runs_share_a_collector_and_the_last_one_stops_it(
    runner_alone: Runner,
) -> None:
    """The one that started it may end first; nobody loses anything."""
    data, folder = runner_alone.data, runner_alone.folder
    (folder / "waits.py").write_text(
        "import fleetspan, sys\nprint('ready', flush=True)\nsys.stdin.read()\n"
        "with fleetspan.agent(sys.argv[1]): pass\n"
    )
    running = []
    for name in ("first", "second"):
        report = folder / f"{name}.json"
        process = subprocess.Popen(
            [
                *(*RUN, f"--data={data}", f"--report={report}", "--"),
                *(sys.executable, "waits.py", name),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment(),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        running.append(process)
    for process in running:
        assert (data / "endpoints.json").exists()
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert not (data / "endpoints.json").exists()
    for name in ("first", "second"):
        assert json.loads((folder / f"{name}.json").read_text())["spans"] == 1
