"""What the collector and its worker process say to each other."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from fleetspan_collector.processors.batch import RunBatch
from fleetspan_collector.processors.rows import AnalysisRows

LENGTH: Final = struct.Struct("<Q")
AT_WORK: Final = struct.Struct("<qqd")
"""Number of the run, number of the processor (-1: none), and since when (monotonic)."""


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
