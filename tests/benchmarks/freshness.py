"""Freshness: from the export of a span until a query shows it.

A process sends 1,000 spans a second over gRPC as SDKs do: a request of 100, 150 or
200 spans, whole traces of 50, as often as that makes 1,000 a second. Meanwhile a
poller asks ``fleetspan up`` through ``POST /api/v1/sql`` every 100 ms which traces it
can see, whether or not it has got its last answers (at most 8 at a time). A request's
age is counted from the moment before it was sent until the moment an answer that
shows it has arrived, so the poller's own interval (50 ms on average) and its query
are part of it.

``raw`` asks ``otel_traces``; ``runs`` asks the canonical table and counts a run only
when all of its model calls are in it. One after the other, each on a collector of its
own, after two seconds that are sent and asked but not counted.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import _systems, _workload
from tests.benchmarks._processes import usage_of
from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale
from tests.collector_processor.running import Collector

SPANS_PER_S: Final = 1000
_ASK_EVERY_S: Final = 0.1
_MOST_QUESTIONS: Final = 8
_LATEST_S: Final = 30.0
_AIM_MS: Final = 500
_QUERIES: Final = {
    "raw": "SELECT DISTINCT TraceId AS id FROM otel.otel_traces"
    " WHERE SpanName = 'invoke_workflow freshness'",
    "runs": "SELECT TraceId AS id FROM otel.runs WHERE Name = 'freshness'"
    f" AND LlmCalls = {_workload.CALLS_OF_A_TRACE}",
}


def measure(scale: Scale, folder: Path) -> Result:
    """Watch spans arrive, in the raw and then in a canonical table."""
    found = {}
    for name, query in _QUERIES.items():
        with _systems.fleetspan(folder / name) as system:
            found[name] = _watch(system.collector, query, scale)
    return Result(
        part="freshness",
        title=f"export to queryable at {SPANS_PER_S:,} spans/s",
        columns=(
            *("rows", "requests", "p50 ms", "p99 ms", "max ms"),
            *("ack p99 ms", "answer p50 ms", "CPU %"),
        ),
        rows=[_row(name, each) for name, each in found.items()],
        settings={
            "spans_per_s": SPANS_PER_S,
            "seconds": scale.freshness_s,
            "ask_every_s": _ASK_EVERY_S,
            "warm_up_s": scale.freshness_warm_up_s,
            "queries": _QUERIES,
        },
        raw=found,
        notes=[f"aim: raw p99 under {_AIM_MS} ms. CPU: of one core, with the polling."],
    )


def _watch(collector: Collector, query: str, scale: Scale) -> dict[str, Any]:
    before = usage_of([collector.process.pid])
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.benchmarks.freshness"),
            *(
                collector.endpoint("otlp_grpc"),
                str(scale.freshness_warm_up_s + scale.freshness_s),
            ),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as sender:
        seen, answers_s = _poll(lambda: _ids(collector, query), sender)
        assert sender.stdout is not None
        sent = json.loads(sender.stdout.read())
    after = usage_of([collector.process.pid])
    counting_from_s = sent["requests"][0]["sent_s"] + scale.freshness_warm_up_s
    counted = [e for e in sent["requests"] if e["sent_s"] >= counting_from_s]
    missing = [each for each in sent["requests"] if not set(each["ids"]) <= set(seen)]
    deadline_s = time.monotonic() + _LATEST_S
    while missing:
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{len(missing)} requests were never seen: {missing[0]}")
        now = _ids(collector, query)
        seen |= {each: time.monotonic() for each in now - seen.keys()}
        missing = [e for e in missing if not set(e["ids"]) <= set(seen)]
    return {
        "ages_s": [max(seen[i] for i in e["ids"]) - e["sent_s"] for e in counted],
        "acks_s": [each["acknowledged_s"] - each["sent_s"] for each in counted],
        "answers_s": answers_s,
        "cpu_share": (after.cpu_s - before.cpu_s) / (after.at_s - before.at_s),
    }


def _poll(
    ask: Callable[[], set[str]], sender: subprocess.Popen[str]
) -> tuple[dict[str, float], list[float]]:
    """Ask until the sender has ended; when was each id seen, how long took answers."""
    seen: dict[str, float] = {}
    answers_s = []
    lock = threading.Lock()
    free = threading.Semaphore(_MOST_QUESTIONS)

    def look() -> None:
        began = time.monotonic()
        try:
            ids = ask()
        finally:
            free.release()
        now = time.monotonic()
        with lock:
            answers_s.append(now - began)
            for each in ids:
                seen[each] = min(now, seen.get(each, now))

    with ThreadPoolExecutor(_MOST_QUESTIONS) as pool:
        questions = []
        while sender.poll() is None:
            free.acquire()
            questions.append(pool.submit(look))
            time.sleep(_ASK_EVERY_S)
    for each in questions:
        each.result()
    return seen, answers_s


def _ids(collector: Collector, query: str) -> set[str]:
    return {row["id"] for row in collector.sql(query)}


def _row(name: str, report: dict[str, Any]) -> list[object]:
    ages = report["ages_s"]
    return [
        name,
        len(ages),
        1000 * percentile(ages, 50),
        1000 * percentile(ages, 99),
        1000 * max(ages),
        1000 * percentile(report["acks_s"], 99),
        1000 * percentile(report["answers_s"], 50),
        100 * report["cpu_share"],
    ]


def send(target: str, seconds: float) -> None:
    """Send 1,000 spans a second and print what was sent when; the sender's process."""
    import grpc

    from tests.benchmarks._load import EXPORT

    channel = grpc.insecure_channel(target)
    grpc.channel_ready_future(channel).result(timeout=60)
    export: Any = channel.unary_unary(EXPORT)
    chance = random.Random(7)
    fleet = _workload.Fleet(7, time.time_ns())
    report = []
    next_s = began_s = time.monotonic()
    while next_s < began_s + seconds:
        traces = [fleet.trace("freshness") for _ in range(chance.randrange(2, 5))]
        spans = [span for trace in traces for span in trace]
        payload = _workload.request("freshness", spans).SerializeToString()
        time.sleep(max(0.0, next_s - time.monotonic()))
        sent_s = time.monotonic()
        answer = export(payload, timeout=60)
        if answer:
            raise RuntimeError(f"accepted in part: {answer!r}")
        report.append(
            {
                "ids": [trace[-1].trace_id.hex() for trace in traces],
                "sent_s": sent_s,
                "acknowledged_s": time.monotonic(),
            }
        )
        next_s += len(spans) / SPANS_PER_S
    print(json.dumps({"requests": report}))


if __name__ == "__main__":
    send(sys.argv[1], float(sys.argv[2]))
