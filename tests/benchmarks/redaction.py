"""Redaction: what it costs a request on its way to the journal.

Each row goes through some traffic as the intake does: the pre-filter over the raw bytes
and, where that finds something, the closer look and the rewriting. MB/s are of CPU time of
one core, the best of some rounds. Beside each stand two plain ways over the very same
bytes in the same run: `hashlib.sha256`, and Python's ``re`` with one alternation of the
literals of all shapes, which finds less.

Clean: OTLP of the demo's kind; transcripts and hooks of real sessions of Claude Code,
repeated. Rewritten: the same spans with a token in one of a hundred, and in each.
Almost: 16 MB in one request of what begins like a secret and is none, and the same of
planted secrets; their seconds are what one such request can cost (in a thread).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from fleetspan._redaction import find_secrets
from fleetspan._secret_kinds import KINDS
from fleetspan_collector._claude_inputs import TranscriptLines
from fleetspan_collector._signals import Signal
from fleetspan_collector.redact import (
    Protection,
    RedactionMetrics,
    RedactionSettings,
)
from tests.benchmarks import _workload
from tests.benchmarks._report import Result
from tests.benchmarks._scale import Scale
from tests.collector_processor.claude_code import captures
from tests.collector_processor.fleet import span, traces
from tests.collector_processor.redact.corpus import planted

_AIM_MB_S: Final = 50.0
_ROUNDS: Final = 3
_LINES: Final = 50
_LITERALS: Final = re.compile(
    b"|".join(
        re.escape(literal.encode())
        for kind in KINDS
        for literal in kind.literals
        if len(literal) > 2
    )
)
_ALMOST: Final = (
    "gh"
    + "p_0123456789 password=x api_key=none sk-"
    + "ant-012 token=aaaaaaaaaaaaaaaa "
)


def measure(scale: Scale, folder: Path) -> Result:
    """Go through clean traffic, rewritten traffic and the worst that can be sent."""
    protection = Protection(
        RedactionSettings(), b"k" * 32, RedactionMetrics(CollectorRegistry())
    )
    size = min(scale.throughput_spans * 64, 16 << 20)
    token = "gh" + "p_" + "A1b2C3d4E5f6" * 3
    rows: dict[str, tuple[Signal, Sequence[bytes]]] = {
        "OTLP, clean": (Signal.TRACES, _spans(scale)),
        "transcripts, clean": (Signal.TRANSCRIPT_LINES, _transcripts(size)),
        "OTLP, a secret in 1 of 100 spans": (Signal.TRACES, _with(token, size, 100)),
        "OTLP, a secret in each span": (Signal.TRACES, _with(token, size, 1)),
        "one request of almost-secrets": (Signal.TRACES, [_full_of([_ALMOST], size)]),
        "one request of secrets": (
            Signal.TRACES,
            [_full_of([each.text for each in planted(20)], size)],
        ),
    }
    raw: dict[str, Any] = {}
    for name, (signal, payloads) in rows.items():
        raw[name] = _compare(protection, signal, payloads)
    text = b"\n".join(_transcripts(1 << 20))[: 1 << 20]
    raw["SDK, captured text, clean"] = {
        "bytes": len(text),
        "seconds": _best(lambda: find_secrets(text)),
    }
    return Result(
        part="redaction",
        title="redaction before the journal",
        columns=("traffic", "MB", "MB/s", "x sha256", "x plain re", "seconds"),
        rows=[[name, *_cells(each)] for name, each in raw.items()],
        settings={"rounds": _ROUNDS, "shapes": len(KINDS)},
        raw=raw,
        notes=(
            f"Aim: {_AIM_MB_S:.0f} MB/s of a core on clean traffic.",
            "x sha256, x plain re: times the MB/s of each over the same bytes.",
        ),
    )


def _cells(each: dict[str, Any]) -> list[float | None]:
    def speed(name: str) -> float | None:
        seconds = each.get(name)
        return each["bytes"] / 1e6 / seconds if seconds else None

    own, sha, plain = speed("seconds"), speed("sha256_s"), speed("plain_re_s")
    return [
        each["bytes"] / 1e6,
        own,
        own / sha if own and sha else None,
        own / plain if own and plain else None,
        each["seconds"],
    ]


def _compare(
    protection: Protection, signal: Signal, payloads: Sequence[bytes]
) -> dict[str, Any]:
    def protect() -> None:
        for payload in payloads:
            if protection.wants(payload):
                protection.apply(signal, payload, lambda text: text)

    def plain() -> None:
        for payload in payloads:
            for _ in _LITERALS.finditer(payload):
                pass

    def sha() -> None:
        for payload in payloads:
            hashlib.sha256(payload).digest()

    return {
        "bytes": sum(map(len, payloads)),
        "requests": len(payloads),
        "seconds": _best(protect),
        "sha256_s": _best(sha),
        "plain_re_s": _best(plain),
    }


def _best(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
    return max(best, 1e-6)


def _spans(scale: Scale) -> list[bytes]:
    count = min(scale.throughput_spans, 30_000)
    return [each for _, each in _workload.requests(count, 3, time.time_ns())]


def _transcripts(size: int) -> list[bytes]:
    given = captures.deliveries("tree", "transcripts", lines_at_once=_LINES)
    once = [
        TranscriptLines(path="/t.jsonl", lines=each.body).SerializeToString()
        for each in given
    ]
    repeats = max(1, size // sum(map(len, once)))
    return once * repeats


def _with(secret: str, size: int, every: int) -> list[bytes]:
    note = "an ordinary note of some words, nothing to see in it at all " * 6
    requests = []
    for first in range(1, max(size // 200_000, 1) + 1):
        spans = [
            span(first, n, note=note, extra=f"x {secret}" if n % every == 0 else "x")
            for n in range(1, 401)
        ]
        requests.append(traces(spans).SerializeToString())
    return requests


def _full_of(texts: Sequence[str], size: int) -> bytes:
    note = "\n".join(texts)
    note *= max(1, 4_000 // len(note))
    count = max(1, size // len(note))
    return traces(
        [span(1, n, note=note) for n in range(1, count + 1)]
    ).SerializeToString()
