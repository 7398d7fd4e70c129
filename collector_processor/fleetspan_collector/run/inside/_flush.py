"""Sends what is left when the process ends, and never waits for it for long."""

from __future__ import annotations

import atexit
import os
import queue
import signal
import threading
from collections.abc import Callable
from typing import Any

from ._guard import guard

_DEFAULT_S = 3.0

_senders: list[Any] = []
_tasks: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] | None = None
_handles_sigterm = False


def patience_s() -> float:
    """Return how long the exit may take, in seconds."""
    try:
        return max(0.0, float(os.environ["FLEETSPAN_EXIT_TIMEOUT_S"]))
    except (KeyError, ValueError):
        return _DEFAULT_S


def add(sender: Any, *, first: bool = False) -> None:
    """Have a span processor or a provider flushed at the end.

    Args:
        sender: It has ``force_flush`` and ``shutdown``.
        first: Before the others, which may use the time up.
    """
    if not _senders:
        # Now: at the interpreter's exit no thread can be started any more.
        _start_thread()
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)
        _watch_multiprocessing()
    _senders.insert(0 if first else len(_senders), sender)


def flush(timeout_s: float | None = None) -> bool:
    """Send what there is, and say whether that was done in time."""
    return _do(lambda sender: sender.force_flush(), timeout_s)


def flush_on_sigterm() -> None:
    """Flush before SIGTERM ends the process, where the program leaves it its default."""
    global _handles_sigterm
    if _handles_sigterm or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    _handles_sigterm = True
    signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: object) -> None:
    flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _at_exit() -> None:
    with guard("flush at exit"):
        _do(lambda sender: sender.shutdown(), None)


def _do(act: Callable[[Any], object], timeout_s: float | None) -> bool:
    """Act on every sender, on a thread of ours: OpenTelemetry's own timeouts are not kept."""
    if _tasks is None or not _senders:
        return True
    timeout_s = patience_s() if timeout_s is None else timeout_s
    done = threading.Event()

    def act_on_all() -> None:
        for sender in _senders.copy():
            with guard("flush"):
                act(sender)

    _tasks.put((act_on_all, done))
    return done.wait(timeout_s)


def _work(tasks: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]]) -> None:
    while True:
        task, done = tasks.get()
        with guard("flush"):
            task()
        done.set()


def _start_thread() -> None:
    global _tasks
    _tasks = queue.SimpleQueue()
    threading.Thread(
        target=_work, args=(_tasks,), name="fleetspan-run", daemon=True
    ).start()


def _after_fork() -> None:
    with guard("go on after a fork"):
        _start_thread()


def _watch_multiprocessing() -> None:
    """A forked child of multiprocessing leaves without its exit handlers."""
    with guard("watch multiprocessing"):
        from multiprocessing import util

        util.register_after_fork(_start_thread, lambda _: _finalise_child())


def _finalise_child() -> None:
    from multiprocessing.util import Finalize

    Finalize(None, _at_exit, exitpriority=10)
