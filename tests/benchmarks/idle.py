"""Idleness: what ``fleetspan up`` costs when nothing, or next to nothing, happens.

After a settling time its CPU time is read, then again after a minute: once with no
client at all, once while 10 spans a second arrive over gRPC (five every half second)
and nobody reads. CPU is in per cent of one core; memory is what is resident at the
end of the minute.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import _systems, _workload
from tests.benchmarks._load import Sender
from tests.benchmarks._processes import usage_of
from tests.benchmarks._report import Result
from tests.benchmarks._scale import Scale

_EVERY_S: Final = 0.5
_SPANS_AT_ONCE: Final = 5
_AIMS: Final = {"idle": 2.0, "trickle": 8.0}


def measure(scale: Scale, folder: Path) -> Result:
    """Watch a collector do nothing, and then next to nothing."""
    found: dict[str, dict[str, Any]] = {}
    with _systems.fleetspan(folder) as system:
        pid = system.collector.process.pid
        time.sleep(scale.idle_settle_s)
        found["idle"] = _watch(pid, scale.idle_s)
        stop = threading.Event()
        trickle = threading.Thread(target=_trickle, args=(system.grpc, stop))
        trickle.start()
        try:
            time.sleep(scale.idle_settle_s)
            found["trickle"] = _watch(pid, scale.idle_s)
        finally:
            stop.set()
            trickle.join()
        found["trickle"]["spans_in_store"] = system.spans()
    return Result(
        part="idle",
        title="`fleetspan up` with nobody looking",
        columns=("what arrives", "CPU % of a core", "aim %", "RSS MB", "peak RSS MB"),
        rows=[
            [
                name,
                100 * each["cpu_share"],
                _AIMS[name],
                each["rss_bytes"] / 1e6,
                each["peak_rss_bytes"] / 1e6,
            ]
            for name, each in found.items()
        ],
        settings={
            "seconds": scale.idle_s,
            "settle_s": scale.idle_settle_s,
            "trickle_spans_per_s": _SPANS_AT_ONCE / _EVERY_S,
        },
        raw=found,
    )


def _watch(pid: int, seconds: float) -> dict[str, Any]:
    before = usage_of([pid])
    time.sleep(seconds)
    after = usage_of([pid])
    return {
        "cpu_share": (after.cpu_s - before.cpu_s) / (after.at_s - before.at_s),
        "rss_bytes": after.rss_bytes,
        "peak_rss_bytes": after.peak_rss_bytes,
    }


def _trickle(target: str, stop: threading.Event) -> None:
    sender = Sender(target, 4)
    fleet = _workload.Fleet(9, time.time_ns())
    while not stop.is_set():
        spans = fleet.trace("trickle")
        for first in range(0, len(spans), _SPANS_AT_ONCE):
            some = spans[first : first + _SPANS_AT_ONCE]
            sender.send(_workload.request("trickle", some).SerializeToString())
            if stop.wait(_EVERY_S):
                break
    sender.finish()
