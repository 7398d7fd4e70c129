"""The set-up in force: where telemetry goes, and the thread that does what can wait.

Metrics and start events cost as much as a span each, so they are recorded on a thread of
ours: the calling thread only appends to a queue.
"""

# ruff: noqa: BLE001 - nothing of ours may reach the program; note() logs it

from __future__ import annotations

import atexit
import collections
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from fleetspan._config import Config, load
from fleetspan._guard import complain, guard, note
from fleetspan._providers import Providers, make_providers, refresh_process, retire

if TYPE_CHECKING:
    from fleetspan._metrics import Instruments
    from fleetspan._outbox import Outbox

SCOPE_NAME: Final = "fleetspan"
SCOPE_VERSION: Final = "0.1.0"

# How long the worker gathers work before it does it, in seconds: short beside the delay
# of the exporters, long enough not to be woken for every span.
_GATHER_S: Final = 0.02
_MAX_PENDING: Final = 100_000
_BATCH: Final = 1000

Task = Callable[[Any], object]


class Runtime:
    """Where telemetry goes.

    Args:
        config: The settings.
        providers: OpenTelemetry's providers.
        clock: Nanoseconds since the epoch.
        deferred: Record metrics and start events on a thread of ours; False: at once, on
            the calling thread.
        outbox: Where snapshots go; None: to the collector.
    """

    def __init__(
        self,
        config: Config,
        providers: Providers,
        *,
        clock: Callable[[], int] = time.time_ns,
        deferred: bool = True,
        outbox: Outbox | None = None,
    ) -> None:
        self.config = config
        self._given_outbox = outbox
        self.providers = providers
        self.clock = clock
        self.capture_content = config.capture_content
        self.writes_old_names = config.semconv == "both"
        self.tracer = providers.tracer.get_tracer(SCOPE_NAME, SCOPE_VERSION)
        self.logger = (
            providers.logger.get_logger(SCOPE_NAME, SCOPE_VERSION)
            if config.start_events and not config.disabled
            else None
        )
        self.instruments: Instruments | None = None
        if config.metrics and not config.disabled:
            from fleetspan._metrics import Instruments

            meter = providers.meter.get_meter(SCOPE_NAME, SCOPE_VERSION)
            self.instruments = Instruments(meter, with_old=self.writes_old_names)
        self.dropped = 0
        self._deferred = deferred and not config.disabled
        self._reset()

    def _reset(self) -> None:
        self._pending: collections.deque[tuple[Task, Any]] = collections.deque()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closed = False
        self._outbox = self._given_outbox
        self._making_outbox = threading.Lock()
        if self._deferred:
            # A daemon: a program never waits for it, but for its exit handler.
            threading.Thread(target=self._work, name="fleetspan", daemon=True).start()

    @property
    def outbox(self) -> Outbox:
        """Where snapshots go; made for the first one."""
        with self._making_outbox:
            if self._outbox is None:
                from fleetspan._snapshot_delivery import Delivery

                self._outbox = Delivery(self.config)
            return self._outbox

    def defer(self, task: Task, argument: Any) -> None:
        """Have ``task(argument)`` called soon, off the calling thread, guarded."""
        if not self._deferred:
            _do(task, argument)
            self._settle()
            return
        if len(self._pending) >= _MAX_PENDING:
            self.dropped += 1
            complain("the queue of metrics and start events", "is full, dropping")
            return
        self._pending.append((task, argument))
        if not self._wake.is_set():
            self._wake.set()

    def _work(self) -> None:
        pending, wake, hurry = self._pending, self._wake, self._hurry
        while not self._closed:
            wake.wait()
            hurry.wait(_GATHER_S)
            hurry.clear()
            wake.clear()
            while pending:
                for _ in range(min(len(pending), _BATCH)):
                    _do(*pending.popleft())
                self._settle()

    def _settle(self) -> None:
        if self.instruments is not None:
            with guard("record a metric"):
                self.instruments.settle()

    def flush(self, timeout_s: float) -> bool:
        """Send what has been recorded so far, for at most ``timeout_s`` seconds."""
        deadline = time.monotonic() + timeout_s
        done = self._await(self._flush_providers, timeout_s)
        return self._flush_outbox(deadline) and done

    def shut_down(self, timeout_s: float) -> bool:
        """Send what has been recorded, and close what is ours; once is enough."""
        if self._closed:
            return True
        deadline = time.monotonic() + timeout_s
        done = self._await(self._close_providers, timeout_s)
        done = self._flush_outbox(deadline) and done
        if self._outbox is not None:
            self._outbox.close()
        self._closed = True
        self._wake.set()
        retire(self.providers)
        return done

    def _await(self, task: Callable[[float], object], timeout_s: float) -> bool:
        """Do a task after all that is pending, and wait for it, but not for long.

        OpenTelemetry's own flush ignores its timeout, hence the other thread; and at the
        interpreter's exit no new thread can be started, hence that one.
        """
        deadline = time.monotonic() + timeout_s
        if not self._deferred:
            _do(task, deadline)
            return True
        finished = threading.Event()

        def run(until: float) -> None:
            self._settle()
            try:
                task(until)
            finally:
                finished.set()

        self._pending.append((run, deadline))
        self._hurry.set()
        self._wake.set()
        return finished.wait(timeout_s)

    def _flush_outbox(self, deadline: float) -> bool:
        if self._outbox is None:
            return True
        return self._outbox.flush(max(0.0, deadline - time.monotonic()))

    def _flush_providers(self, deadline: float) -> None:
        for provider in (
            self.providers.tracer,
            self.providers.logger,
            self.providers.meter,
        ):
            flush = getattr(provider, "force_flush", None)
            if flush is not None:
                with guard("flush"):
                    flush(max(1, int((deadline - time.monotonic()) * 1000)))

    def _close_providers(self, deadline: float) -> None:
        for provider in self.providers.ours:
            with guard("shut down"):
                provider.shutdown()

    def after_fork_in_child(self) -> None:
        """Start anew in a forked child; what is pending there is the parent's to send."""
        with guard("go on after a fork"):
            self._reset()
            refresh_process(self.providers)


def _do(task: Task, argument: Any) -> None:
    try:
        task(argument)
    except Exception as error:
        note("record a metric or a start event", error)


_current: Runtime | None = None
_setting_up = threading.RLock()
_hooks_are_set = False


def current() -> Runtime:
    """Return the set-up in force; without one, make it from the environment.

    Never raises for a bad setting: that is logged and its default taken.
    """
    return _current or _set_up_quietly()


def replace(runtime: Runtime | None) -> Runtime | None:
    """Put another set-up in force and return the one that was."""
    global _current
    with _setting_up:
        before, _current = _current, runtime
    _set_hooks()
    return before


def in_force() -> Runtime | None:
    """Return the set-up in force, or None when there is none yet."""
    return _current


def _set_up_quietly() -> Runtime:
    global _current
    with _setting_up:
        if _current is not None:
            return _current
        config, problems = load({}, os.environ)
        for problem in problems:
            complain(problem.setting, problem.problem)
        try:
            _current = Runtime(config, make_providers(config, lenient=True))
        except Exception as error:
            note("set up; nothing will be recorded", error)
            off = Config(disabled=True)
            _current = Runtime(off, make_providers(off))
        _set_hooks()
        return _current


def _set_hooks() -> None:
    """Register what happens at exit and after a fork, once."""
    global _hooks_are_set
    with _setting_up:
        if _hooks_are_set:
            return
        _hooks_are_set = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork_in_child)
        with guard("watch multiprocessing"):
            # Its children leave through os._exit, which skips atexit.
            from multiprocessing import parent_process, util

            # Kept weakly: a function of this module lives as long as it does.
            util.register_after_fork(_do, lambda _: _at_child_exit())
            if parent_process() is not None:
                _at_child_exit()


def _at_child_exit() -> None:
    from multiprocessing.util import Finalize

    Finalize(None, _at_exit, exitpriority=10)


def _at_exit() -> None:
    with guard("flush at exit"):
        runtime = _current
        if runtime is not None and runtime.config.exit_timeout_s > 0:
            runtime.shut_down(runtime.config.exit_timeout_s)


def _after_fork_in_child() -> None:
    global _setting_up
    _setting_up = threading.RLock()
    if _current is not None:
        _current.after_fork_in_child()
