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
import sys
import time
from typing import BinaryIO, Final

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.analysis import OWN_PARTS, Clock, analyse
from fleetspan_collector.processors.messages import (
    AT_WORK,
    Answer,
    Hello,
    Request,
    receive,
    send,
)
from fleetspan_collector.processors.registry import make_processors
from fleetspan_collector.processors.rows import rows_of

_LOW_PRIORITY: Final = 5


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
