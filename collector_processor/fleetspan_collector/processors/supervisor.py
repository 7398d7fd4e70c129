"""Keeps the worker process, and sets aside what hangs in it or ends it.

A processor that does not come back from a run within its time, or takes the process with
it, is skipped for that run, and named; the batch is begun again without it. One that has
done so on `_STRIKES` runs is switched off until the collector starts again.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, cast

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.config import ProcessorSettings, of_processors
from fleetspan_collector.processors.batch import RunBatch
from fleetspan_collector.processors.messages import (
    AT_WORK,
    Answer,
    Hello,
    Request,
    receive,
    send,
)
from fleetspan_collector.processors.metrics import ProcessorMetrics
from fleetspan_collector.processors.patience import Patience
from fleetspan_collector.processors.registry import check_names

logger = logging.getLogger("fleetspan.processors")

_STRIKES: Final = 3
_START_S: Final = 60.0
_LOOK_S: Final = 0.1
_IDLE_S: Final = 60.0
"""After so long without work the process is ended; it takes a second to start."""


_ENDING_S: Final = 5.0
_UNATTENDED_S: Final = 120.0
"""For reading a request and writing an answer, while no processor is at work."""


class WorkerDiedError(Exception):
    """The process ended by itself, or did not answer, while no processor was at work."""


class Supervisor:
    """Analyses batches in a process of its own.

    Args:
        settings: Goes to the processors.
        metrics: Where time, failures and what is set aside are counted.

    Raises:
        UsageError: When they switch off what is not there.

    Attributes:
        off: Processors that are switched off, with the reason.
        broken: Plugins that could not be made, with the reason.
    """

    def __init__(self, settings: ProcessorSettings, metrics: ProcessorMetrics) -> None:
        check_names(settings)
        # These alone: what else the collector is set to may hold secrets.
        self._settings = of_processors(settings)
        self._metrics = metrics
        self._process: subprocess.Popen[bytes] | None = None
        self._shared_file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._shared_file.truncate(AT_WORK.size)
        self._shared = mmap.mmap(self._shared_file.fileno(), AT_WORK.size)
        self._names: list[str] = []
        self._strikes: dict[str, int] = {}
        self._used_at = 0.0
        self._stopped = False
        self.off: dict[str, str] = {}
        self.broken: Mapping[str, str] = {}

    def analyse(self, batch: RunBatch, now_ns: int) -> Answer:
        """Look at runs with every processor.

        Args:
            batch: The runs.
            now_ns: The present, Unix nanoseconds.

        Raises:
            CollectorError: When the process cannot be started, or `stop` was called.
            WorkerDiedError: When it did not survive the batch and nobody is to blame.
        """
        skipped: dict[int, list[str]] = {}
        while True:
            request = Request(
                batch=batch, now_ns=now_ns, skipped=skipped, off=sorted(self.off)
            )
            if self._stopped:
                raise CollectorError(
                    "runs were not analysed",
                    because="the collector is stopping",
                    suggestion="fleetspan up: it takes them up again",
                )
            answer = self._ask(request)
            self._used_at = time.monotonic()
            if answer is not None:
                self._count(answer)
                return answer
            self._set_aside(batch, skipped)

    def ready(self) -> None:
        """Have the process at hand before there is work for it.

        Raises:
            CollectorError: When it cannot be started.
        """
        self._running()

    def rest(self) -> None:
        """End the process when it has had nothing to do for a while."""
        if self._process is not None and time.monotonic() - self._used_at > _IDLE_S:
            self._end()

    def stop(self) -> None:
        """Give up on what is being analysed; called from another thread."""
        self._stopped = True

    def close(self) -> None:
        """End the process; safe to call twice."""
        self._end()
        self._shared.close()
        self._shared_file.close()

    def _ask(self, request: Request) -> Answer | None:
        """Ask the process; None when a processor hung or ended it."""
        process = self._running()
        AT_WORK.pack_into(self._shared, 0, -1, -1, time.monotonic())
        try:
            send(cast(BinaryIO, process.stdin), request)
        except OSError:
            return None
        if not self._answers(process):
            return None
        try:
            answer = receive(cast(BinaryIO, process.stdout))
        except EOFError:
            # It is about to end, if it has not: whoever asks is to know that it did.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_ENDING_S)
            return None
        if not isinstance(answer, Answer):
            raise TypeError(f"expected an Answer, got {type(answer).__name__}")
        return answer

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait for the answer; tell whether there is one, before anybody's time is up."""
        stream = cast(BinaryIO, process.stdout)
        patience = Patience(process.pid)
        while not _readable(stream, _LOOK_S):
            step = self._at_work()
            _, processor, since_s = step
            working = processor >= 0
            most_s = self._settings.processor_timeout_s if working else _UNATTENDED_S
            if self._stopped or patience.is_over(step, since_s, most_s):
                return False
        return True

    def _at_work(self) -> tuple[int, int, float]:
        return AT_WORK.unpack_from(self._shared, 0)

    def _set_aside(self, batch: RunBatch, skipped: dict[int, list[str]]) -> None:
        """Name who hung or ended the process, and go on without it."""
        run, processor, _ = self._at_work()
        process = self._process
        ended = process is not None and process.poll() is not None
        self._end()
        if self._stopped:
            return
        if processor < 0 or run < 0:
            raise WorkerDiedError("the process ended, or did not answer in time")
        name = self._names[processor]
        what = (
            "ended the process"
            if ended
            else (f"did not end within {self._settings.processor_timeout_s:g} s")
        )
        logger.error("processor %s %s on run %s", name, what, batch.facts[run].run_id)
        self._metrics.failures.labels(name, "crash" if ended else "hang").inc()
        skipped.setdefault(run, []).append(name)
        self._strikes[name] = self._strikes.get(name, 0) + 1
        if self._strikes[name] >= _STRIKES and name not in self.off:
            self.off[name] = f"it {what} on {_STRIKES} runs"
            self._metrics.off.labels(name).set(1)
            logger.error("processor %s is switched off until the next start", name)

    def _count(self, answer: Answer) -> None:
        for name, seconds in answer.seconds.items():
            self._metrics.seconds.labels(name).inc(seconds)
        for name, message in answer.failures:
            self._metrics.failures.labels(name, "error").inc()
            logger.warning("processor %s: %s", name, message)
        self._metrics.dropped.inc(answer.dropped)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        descriptor = self._shared_file.fileno()
        os.set_inheritable(descriptor, True)
        self._process = process = subprocess.Popen(  # noqa: S603 - our own program
            [
                sys.executable,
                "-m",
                "fleetspan_collector.processors.worker",
                str(descriptor),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(descriptor,),
        )
        hello: Any = None
        try:
            send(cast(BinaryIO, process.stdin), self._settings)
            stream = cast(BinaryIO, process.stdout)
            if _readable(stream, _START_S):
                hello = receive(stream)
        except (EOFError, OSError):
            hello = None
        if not isinstance(hello, Hello):
            self._end()
            raise CollectorError(
                "runs could not be analysed",
                because="the process of the processors did not start",
                suggestion="the log of the collector has what it wrote",
            )
        self._names = list(hello.names)
        self.broken = hello.broken
        for name in hello.broken:
            self._metrics.off.labels(name).set(1)
        self._used_at = time.monotonic()
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    # What was not sent to it any more is not missed.
                    continue


def _readable(stream: BinaryIO, within_s: float) -> bool:
    """Tell whether something can be read, or the end has come, before the time is up."""
    # Not select(): it refuses descriptors of 1024 and more, and a collector may have many.
    with selectors.DefaultSelector() as waiting:
        waiting.register(stream, selectors.EVENT_READ)
        return bool(waiting.select(within_s))
