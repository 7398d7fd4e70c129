"""The process in which processors run: ``python -m fleetspan_collector.processors.worker``.

A process of its own, because a processor may hang, or end the process, and because
analysing must not take the interpreter from the receivers. It reads requests from
standard input and writes answers to what was its standard output, each a length and a
pickle; it ends with its input. What processors print goes to standard error.

Who is at work, on which run and since when stands in a small shared file, so that the
collector can name who hangs.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.analysis import OWN_PARTS, Clock, analyse
from fleetspan_collector.processors.batch import RunBatch
from fleetspan_collector.processors.registry import make_processors
from fleetspan_collector.processors.rows import AnalysisRows, rows_of

LENGTH: Final = struct.Struct("<Q")
AT_WORK: Final = struct.Struct("<qqd")
"""Number of the run, number of the processor (-1: none), and since when (monotonic)."""

_LOW_PRIORITY: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Runs to be analysed.

    Attributes:
        batch: The runs.
        now_ns: The present, Unix nanoseconds.
        skipped: By number of the run the processors that have hung on it, or killed the
            process, before.
        off: Processors that have done so too often.
    """

    batch: RunBatch
    now_ns: int
    skipped: Mapping[int, Sequence[str]] = field(default_factory=dict)
    off: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was said of them.

    Attributes:
        rows: To be written.
        seconds: How long each processor has worked.
        failures: What processors have raised: name and message.
        dropped: Findings beyond what one processor may say of one run.
    """

    rows: AnalysisRows
    seconds: Mapping[str, float]
    failures: Sequence[tuple[str, str]]
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What the process says of itself when it begins.

    Attributes:
        names: The processors by number.
        broken: Plugins that could not be made, with the reason.
    """

    names: Sequence[str]
    broken: Mapping[str, str]


def send(stream: BinaryIO, message: object) -> None:
    """Write a message."""
    data = pickle.dumps(message, protocol=5)
    stream.write(LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO) -> object:
    """Read a message.

    Raises:
        EOFError: When the other side has ended.
    """
    header = stream.read(LENGTH.size)
    if len(header) < LENGTH.size:
        raise EOFError
    (size,) = LENGTH.unpack(header)
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    # Between a process and its child, over a pipe that nobody else has.
    return pickle.loads(data)  # noqa: S301


def serve(settings: ProcessorSettings, shared: mmap.mmap, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    made = make_processors(settings)
    names = [*OWN_PARTS, *(processor.name for processor in made.processors)]
    number_of = {name: number for number, name in enumerate(names)} | {"": -1}
    send(answers, Hello(names=names, broken=made.broken))
    while True:
        try:
            request = receive(sys.stdin.buffer)
        except EOFError:
            return
        if not isinstance(request, Request):
            raise TypeError(f"expected a Request, got {type(request).__name__}")
        clock, analyses = Clock(), []
        processors = [each for each in made.processors if each.name not in request.off]
        for number, run in enumerate(request.batch.runs()):

            def watch(name: str, number: int = number) -> None:
                AT_WORK.pack_into(shared, 0, number, number_of[name], time.monotonic())

            analyses.append(
                analyse(
                    run,
                    processors,
                    clock,
                    skipped=request.skipped.get(number, ()),
                    watch=watch,
                )
            )
        send(
            answers,
            Answer(
                rows=rows_of(analyses, request.now_ns),
                seconds=clock.seconds,
                failures=clock.failures,
                dropped=clock.dropped,
            ),
        )


def main() -> None:
    """Run the worker."""
    shared_file = int(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb")
    # What a processor prints must not get among the answers.
    os.dup2(2, 1)
    os.nice(_LOW_PRIORITY)
    with mmap.mmap(shared_file, AT_WORK.size) as shared:
        settings = receive(sys.stdin.buffer)
        if not isinstance(settings, ProcessorSettings):
            raise TypeError(f"expected settings, got {type(settings).__name__}")
        serve(settings, shared, answers)


if __name__ == "__main__":
    main()
