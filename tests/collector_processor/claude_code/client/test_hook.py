"""The command form of the hook."""

from __future__ import annotations

import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleetspan_hook import spool as spool_module
from fleetspan_hook.deliver import checked_traceparent
from tests.collector_processor.claude_code.client.hooks import (
    HOOK,
    SCRIPT,
    Receiver,
    assert_unnoticed,
    free_port,
    run_hook,
    spool_at,
)
from tests.collector_processor.running import poll

BODY = b'{"hook_event_name":"SessionStart","session_id":"s-1"}'
PARENT = "00-bd46b1782b3bd3392aa74cc3e01a3864-23cc95f2e9cb0354-01"


def test_a_hook_is_delivered_as_the_client_wrote_it(tmp_path: Path) -> None:
    """Body, trace context, a delivery id and the time arrive; the spool is empty then."""
    before_ns = time.time_ns()
    with Receiver() as receiver:
        done = run_hook(tmp_path, receiver.endpoint, BODY, TRACEPARENT=PARENT)
        assert_unnoticed(done)
        poll(lambda: receiver.requests, "the hook has arrived")
        (request,) = receiver.requests
        spool = spool_at(tmp_path, receiver.endpoint)
        poll(lambda: not spool.names(), "the spool is empty")
    assert request.path == "/v1/claude-code/hooks"
    assert request.body == BODY
    assert request.headers["traceparent"] == PARENT
    assert len(request.headers["x-fleetspan-delivery-id"]) == 32
    stamp = int(request.headers["x-fleetspan-event-time"])
    assert before_ns < stamp < time.time_ns()


def test_only_the_trace_context_leaves(tmp_path: Path) -> None:
    """No variable of the hook's environment is sent or kept, the client's token least."""
    with Receiver(status=503) as receiver:
        done = run_hook(
            tmp_path,
            receiver.endpoint,
            BODY,
            CLAUDE_CODE_MESSAGING_TOKEN="capability-of-this-session",  # noqa: S106
            TRACEPARENT="not one\r\nx-evil: 1",
        )
        assert_unnoticed(done)
        poll(lambda: receiver.requests, "the hook has arrived")
        (request,) = receiver.requests
    assert set(request.headers) == {
        "host",
        "content-type",
        "content-length",
        "connection",
        "x-fleetspan-delivery-id",
        "x-fleetspan-event-time",
    }
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) >= 2
    assert not [text for text in kept if b"capability" in text or b"evil" in text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PARENT, PARENT),
        (f" {PARENT}\n", PARENT),
        ("", ""),
        (PARENT.upper(), ""),
        ("00-" + "0" * 32 + "-23cc95f2e9cb0354-01", ""),
        (PARENT + "-extra", ""),
    ],
)
def test_a_trace_context_is_checked(text: str, expected: str) -> None:
    """What is no W3C traceparent makes no header."""
    assert checked_traceparent(text) == expected


def test_without_a_collector_the_hook_is_kept_for_its_owner(tmp_path: Path) -> None:
    """A dead collector: the hook returns, and what it had is in a private file."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    assert_unnoticed(run_hook(tmp_path, endpoint, BODY, TRACEPARENT=PARENT))
    spool = spool_at(tmp_path, endpoint)
    (name,) = spool.names()
    delivery = spool.take(name)
    assert delivery is not None
    assert (delivery.traceparent, delivery.body) == (PARENT, BODY)
    path = Path(spool.folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("body", [b"not json", b"\xff\xfe\x00", b"[]", b"{" * 100_000])
def test_what_is_no_json_is_delivered_too(tmp_path: Path, body: bytes) -> None:
    """The hook does not judge: the collector counts what is malformed."""
    with Receiver() as receiver:
        assert_unnoticed(run_hook(tmp_path, receiver.endpoint, body))
        poll(lambda: receiver.requests, "it has arrived")
        assert receiver.requests[0].body == body


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_nothing_is_not_delivered(tmp_path: Path, body: bytes) -> None:
    """An empty input leaves no trace."""
    assert_unnoticed(run_hook(tmp_path, "http://127.0.0.1:9", body))
    assert list(tmp_path.iterdir()) == []


def test_a_hook_that_is_too_long_is_counted(tmp_path: Path) -> None:
    """16 MiB is the longest; all of it is read, so that the client's pipe holds."""
    endpoint = "http://127.0.0.1:9"
    body = b"x" * (spool_module.BODY_AT_MOST + 1)
    assert_unnoticed(run_hook(tmp_path, endpoint, body))
    spool = spool_at(tmp_path, endpoint)
    assert (spool.names(), spool.dropped) == ([], 1)


def test_a_closed_input_is_not_noticed(tmp_path: Path) -> None:
    """Started without standard streams at all, it ends well."""
    line = f"{' '.join(HOOK)} <&- >&- 2>&-; echo $?"
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        capture_output=True,
        check=True,
        timeout=30,
        env={"FLEETSPAN_SPOOL": str(tmp_path)},
    )
    assert (done.stdout, done.stderr) == (b"0\n", b"")


def test_a_closed_output_is_not_noticed(tmp_path: Path) -> None:
    """With standard output and error closed it delivers all the same."""
    with Receiver() as receiver:
        line = f"{' '.join(HOOK)} --endpoint {receiver.endpoint} >&- 2>&-"
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            input=BODY,
            check=False,
            timeout=30,
            env={"FLEETSPAN_SPOOL": str(tmp_path)},
        )
        assert done.returncode == 0
        poll(lambda: receiver.requests, "it has arrived")


def test_an_input_that_is_never_closed_is_not_waited_for(tmp_path: Path) -> None:
    """After 2 s what has come counts, and the client has its hook back."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [*HOOK, "--endpoint", endpoint],
        stdin=subprocess.PIPE,
        env={"FLEETSPAN_SPOOL": str(tmp_path)},
    )
    assert process.stdin is not None
    process.stdin.write(BODY)
    process.stdin.flush()
    assert process.wait(30) == 0
    process.stdin.close()
    assert len(spool_at(tmp_path, endpoint).names()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_well(tmp_path: Path, number: int) -> None:
    """Stopped while it waits for its input, it exits with 0."""
    process = subprocess.Popen(
        HOOK, stdin=subprocess.PIPE, env={"FLEETSPAN_SPOOL": str(tmp_path)}
    )
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        process.kill()
        process.communicate()
        pytest.skip("needs /proc to see that the handler is set")

    def handles_it() -> bool:
        line = next(x for x in status.read_text().splitlines() if "SigCgt" in x)
        return bool(int(line.split()[1], 16) >> (number - 1) & 1)

    poll(handles_it, "it handles the signal")
    process.send_signal(number)
    assert process.wait(30) == 0
    process.communicate()


def test_an_unwritable_spool_does_not_stop_the_delivery(tmp_path: Path) -> None:
    """What cannot be kept is sent from memory."""
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    with Receiver() as receiver:
        assert_unnoticed(run_hook(in_the_way, receiver.endpoint, BODY))
        poll(lambda: receiver.requests, "it has arrived")
    # And with no collector either there is nothing left to do but to end well.
    assert_unnoticed(run_hook(in_the_way, receiver.endpoint, BODY))
    assert in_the_way.read_bytes() == b""


def test_a_full_disk_does_not_stop_the_delivery(tmp_path: Path) -> None:
    """A write that fails leaves no half file, and the hook is sent from memory."""
    with Receiver() as receiver:
        done = subprocess.run(
            [*HOOK, "--endpoint", receiver.endpoint],
            input=BODY,
            capture_output=True,
            check=False,
            timeout=30,
            env={"FLEETSPAN_SPOOL": str(tmp_path)},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )
        assert_unnoticed(done)
        poll(lambda: receiver.requests, "it has arrived")
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert not [name for name in names if "draft" in name or name[0].isdigit()]


def test_a_collector_that_never_answers_is_not_noticed(tmp_path: Path) -> None:
    """The hook's process is gone while its child still waits for the answer."""
    import socket

    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        endpoint = f"http://127.0.0.1:{mute.getsockname()[1]}"
        # `run` returns only when the pipes are closed too: the child has let go of them.
        assert_unnoticed(run_hook(tmp_path, endpoint, BODY))
        connection, _ = mute.accept()
        with connection:
            assert len(spool_at(tmp_path, endpoint).names()) == 1


def test_it_runs_by_path_too_and_imports_little(tmp_path: Path) -> None:
    """Neither OpenTelemetry nor fleetspan nor a heavy module of the standard library."""
    source = (
        "import sys\n"
        f"sys.argv = ['x']; sys.path.append({str(SCRIPT.parents[1])!r})\n"
        "import fleetspan_hook.main, fleetspan_hook.deliver\n"
        "from fleetspan_hook.send import send\n"
        "from fleetspan_hook.spool import Delivery\n"
        "send('http://127.0.0.1:9', Delivery(1, 'id', '', b'{}'))\n"
        "print(sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", source],
        capture_output=True,
        text=True,
        check=True,
    )
    for heavy in (
        "opentelemetry",
        "'fleetspan'",
        "'json'",
        "'socket'",
        "'enum'",
        "'re'",
    ):
        assert heavy not in done.stdout
    endpoint = f"http://127.0.0.1:{free_port()}"
    plain = subprocess.run(
        [sys.executable, "-S", "-E", str(SCRIPT), "--endpoint", endpoint],
        input=BODY,
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env={"FLEETSPAN_SPOOL": str(tmp_path / "spool")},
    )
    assert_unnoticed(plain)
    assert len(spool_at(tmp_path / "spool", endpoint).names()) == 1


def test_the_endpoint_comes_from_the_environment_too(tmp_path: Path) -> None:
    """Without the option the variable says where the collector is."""
    with Receiver() as receiver:
        done = subprocess.run(
            HOOK,
            input=BODY,
            capture_output=True,
            check=False,
            env={
                "FLEETSPAN_SPOOL": str(tmp_path),
                "FLEETSPAN_HOOK_ENDPOINT": receiver.endpoint,
            },
        )
        assert_unnoticed(done)
        poll(lambda: receiver.requests, "it has arrived")


def test_many_hooks_at_once_all_arrive(tmp_path: Path) -> None:
    """Parallel hooks do not lose one another's deliveries."""
    with Receiver() as receiver:
        processes = [
            subprocess.Popen(
                [*HOOK, "--endpoint", receiver.endpoint],
                stdin=subprocess.PIPE,
                env={"FLEETSPAN_SPOOL": str(tmp_path)},
            )
            for _ in range(20)
        ]
        for process in processes:
            process.communicate(BODY)
        assert {process.returncode for process in processes} == {0}
        spool = spool_at(tmp_path, receiver.endpoint)
        poll(lambda: not spool.names(), "the spool is empty")
        assert len(set(receiver.ids)) == 20
