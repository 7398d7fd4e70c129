"""Programs that the crash tests run and kill.

``python victim.py load DIR`` appends for ever, from many tasks at once, and seals now
and then. ``python victim.py steps DIR PHASE`` opens a journal, prints the id of the
thread to be traced, waits for a line, and does one segment's whole life.
``python victim.py limit DIR BYTES`` appends under a limit on the size of files. Each
acknowledged payload is one line on stdout, written after its acknowledgement.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import threading
import time
from pathlib import Path

from fleetspan_collector._errors import Refused
from fleetspan_collector._signals import Signal, Submission
from fleetspan_collector.journal import Journal, JournalSettings, read_records

SETTINGS = JournalSettings(
    min_free_bytes=0, reserve_bytes=4096, segment_bytes=64 * 1024
)


def say(line: str) -> None:
    """Write one line past every buffer."""
    os.write(1, line.encode() + b"\n")


def spans(payload: bytes) -> Submission:
    """Return a submission of traces."""
    return Submission(signal=Signal.TRACES, tenant="t", payload=payload, rows=1)


async def load(directory: Path) -> None:
    """Append until killed; every third request is sent twice."""
    with Journal(directory, settings=SETTINGS) as journal:
        prefix = os.urandom(8).hex()

        async def client(number: int) -> None:
            count = 0
            while True:
                count += 1
                text = f"{prefix}-{number}-{count}"
                submission = spans(text.encode().ljust(1 + count % 700, b"."))
                sent = [journal.accept(submission)]
                if count % 3 == 0:
                    sent.append(journal.accept(submission))
                await asyncio.gather(*sent)
                say(submission.payload.decode())
                if count % 50 == 0:
                    await asyncio.to_thread(journal.seal)

        await asyncio.gather(*map(client, range(16)))


def steps(directory: Path, phase: str) -> None:
    """Append, seal, take, remove, retry; trace this thread or the journal's own."""
    if phase == "caller":
        say(f"thread {threading.get_native_id()}")
        sys.stdin.readline()
    with Journal(directory, settings=SETTINGS) as journal:
        if phase == "writer":
            (writer,) = (
                thread
                for thread in threading.enumerate()
                if thread.name == "fleetspan-journal"
            )
            say(f"thread {writer.native_id}")
            sys.stdin.readline()
        take(journal)
        for payload in (b"first", b"second", b"first", b"third"):
            append(journal, payload)
        take(journal)
        append(journal, b"second")
        append(journal, b"fourth")
    say("end")


def reopen(directory: Path) -> None:
    """Recover a journal while this thread is traced."""
    say(f"thread {threading.get_native_id()}")
    sys.stdin.readline()
    Journal(directory, settings=SETTINGS).close()
    say("end")


def limit(directory: Path, file_bytes: int) -> None:
    """Append twenty records where no file may be longer than ``file_bytes``."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))
    with Journal(directory, settings=SETTINGS) as journal:
        for number in range(20):
            append(journal, b"%02d" % number + b"x" * 1800)


def append(journal: Journal, payload: bytes) -> None:
    """Append until acknowledged, for some seconds, and say what became of it."""
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        try:
            journal.append(spans(payload))
        except Refused as refused:
            say(f"refused {refused.reason} {payload.decode()}")
            time.sleep(0.02)
        else:
            say(f"acked {payload.decode()}")
            return


def take(journal: Journal) -> None:
    """Ingest everything: a line for each record stands for its row in the store."""
    journal.seal()
    for segment in journal.sealed():
        for index, item in enumerate(read_records(segment)):
            say(f"row {segment.batch_id} {index} {bytes(item.payload).decode()}")
        journal.remove(segment)


if __name__ == "__main__":
    if sys.argv[1] == "load":
        asyncio.run(load(Path(sys.argv[2])))
    elif sys.argv[1] == "limit":
        limit(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[3] == "reopen":
        reopen(Path(sys.argv[2]))
    else:
        steps(Path(sys.argv[2]), sys.argv[3])
