"""A client in a process of its own: sends prepared OTLP requests over gRPC.

``python -m tests.benchmarks._load FILE HOST:PORT IN_FLIGHT`` sends what
`_workload.write_file` wrote, several requests at a time, and prints a JSON object:
when the first was sent and the last acknowledged (monotonic seconds), how many were
refused and sent again, and the latency of each acknowledgement.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import grpc

from tests.benchmarks import _workload

EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TRANSIENT: Final = frozenset(
    (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
)
_PAUSE_S: Final = 0.1
_TIMEOUT_S: Final = 60.0


class Sender:
    """Sends requests until each is acknowledged.

    Args:
        target: ``host:port`` of an OTLP gRPC receiver.
        in_flight: How many requests may wait for their answer at a time.
    """

    def __init__(self, target: str, in_flight: int) -> None:
        self._channel = grpc.insecure_channel(target)
        grpc.channel_ready_future(self._channel).result(timeout=_TIMEOUT_S)
        self._export: Any = self._channel.unary_unary(EXPORT)
        self._slots = threading.Semaphore(in_flight)
        self._in_flight = in_flight
        self._lock = threading.Lock()
        self._again: list[bytes] = []
        self._failure: str | None = None
        self.refused = 0
        self.latencies_s: list[float] = []

    def send(self, payload: bytes) -> None:
        """Send a request as soon as there is a free place.

        Raises:
            RuntimeError: When an earlier one failed for good, or was accepted in part.
        """
        self._slots.acquire()
        with self._lock:
            again, self._again = self._again, []
        for each in again:
            time.sleep(_PAUSE_S)
            self._start(each)
            self._slots.acquire()
        if self._failure is not None:
            raise RuntimeError(self._failure)
        self._start(payload)

    def finish(self) -> None:
        """Return when everything is acknowledged.

        Raises:
            RuntimeError: When a request failed for good.
        """
        while True:
            for _ in range(self._in_flight):
                self._slots.acquire()
            for _ in range(self._in_flight):
                self._slots.release()
            with self._lock:
                again, self._again = self._again, []
            if self._failure is not None:
                raise RuntimeError(self._failure)
            if not again:
                self._channel.close()
                return
            for each in again:
                self.send(each)

    def _start(self, payload: bytes) -> None:
        began = time.monotonic()
        call = self._export.future(payload, timeout=_TIMEOUT_S)
        call.add_done_callback(lambda done: self._answered(done, payload, began))

    def _answered(self, call: Any, payload: bytes, began: float) -> None:
        code = call.code()
        with self._lock:
            if code is grpc.StatusCode.OK:
                self.latencies_s.append(time.monotonic() - began)
                if call.result():
                    self._failure = f"accepted in part: {call.result()!r}"
            elif code in TRANSIENT:
                self.refused += 1
                self._again.append(payload)
            else:
                self._failure = f"{code}: {call.details()}"
        self._slots.release()


def main(file: Path, target: str, in_flight: int) -> None:
    """Send a file and print what happened."""
    sender = Sender(target, in_flight)
    spans = 0
    began_s, cpu_s = time.monotonic(), time.process_time()
    for count, payload in _workload.read_file(file):
        sender.send(payload)
        spans += count
    sender.finish()
    report = {
        "spans": spans,
        "requests": len(sender.latencies_s),
        "refused": sender.refused,
        "began_s": began_s,
        "acknowledged_s": time.monotonic(),
        "cpu_s": time.process_time() - cpu_s,
        "latencies_s": sorted(sender.latencies_s),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
