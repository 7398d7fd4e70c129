"""The live stream: from the end of a span in an agent's process until clients have it.

A program records about ten agents a second with our SDK as it is by default. Clients
listen over WebSocket, all in one process. Beside them another process sends 1,000 spans
a second over gRPC, as in the freshness part, and every client gets those, too. A span's
age is counted from the moment its ``with`` block was left until the moment a client had
the frame with it; each span and client is one age. The CPU of the collector is that of
the same load with no client, with one, and with a hundred.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from tests.benchmarks._processes import usage_of
from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale
from tests.benchmarks.freshness import SPANS_PER_S
from tests.collector_processor.running import Collector, environment

_AIM_MS: Final = 500
_CASES: Final = ((0, True), (1, True), (100, True), (100, False))
_PATIENCE_S: Final = 120.0
_ARRIVES_S: Final = 2.0


def measure(scale: Scale, folder: Path) -> Result:
    """Listen to a loaded collector, each time to one of its own."""
    found = {}
    for clients, loaded in _CASES:
        name = f"{clients} {'client' if clients == 1 else 'clients'}"
        name += "" if loaded else ", no other load"
        with Collector(folder / name.replace(" ", "-")) as collector:
            found[name] = _listen(collector, clients, scale, loaded=loaded)
    return Result(
        part="stream",
        title=f"end of a span to live client, beside {SPANS_PER_S:,} spans/s",
        columns=(
            *("clients", "spans", "ages", "p50 ms", "p99 ms", "max ms"),
            *("missed", "CPU %", "clients' CPU %"),
        ),
        rows=[_row(name, each) for name, each in found.items()],
        settings={"spans_per_s": SPANS_PER_S, "seconds": scale.freshness_s},
        raw=found,
        notes=[f"aim: p99 under {_AIM_MS} ms. CPU: of one core."],
    )


def _listen(
    collector: Collector, clients: int, scale: Scale, *, loaded: bool
) -> dict[str, Any]:
    seconds = scale.freshness_s
    url = f"ws://{collector.endpoint('web')}/api/v1/live/ws"
    listeners = start("_stream_listeners", url, str(clients))
    assert listeners.stdout is not None
    assert listeners.stdout.readline() == "ready\n"
    load_s = scale.freshness_warm_up_s + seconds + 2 * _ARRIVES_S
    load = (
        start("freshness", collector.endpoint("otlp_grpc"), str(load_s))
        if loaded
        else None
    )
    time.sleep(scale.freshness_warm_up_s)
    before = usage_of([collector.process.pid, listeners.pid])
    own = usage_of([collector.process.pid])
    agent = start(
        *("_stream_agent", str(seconds)),
        FLEETSPAN_ENDPOINT=f"http://{collector.endpoint('otlp_http')}",
    )
    sent = json.loads(agent.communicate(timeout=_PATIENCE_S)[0])
    after = usage_of([collector.process.pid])
    both = usage_of([collector.process.pid, listeners.pid])
    time.sleep(_ARRIVES_S)
    heard = json.loads(listeners.communicate("", timeout=_PATIENCE_S)[0])
    if load is not None:
        load.communicate(timeout=_PATIENCE_S)
    took_s = after.at_s - own.at_s
    cpu_s = after.cpu_s - own.cpu_s
    ages = [
        at_s - sent["ended"][name]
        for name, times in heard["seen"].items()
        for at_s in times
    ]
    if clients and len(ages) != clients * len(sent["ended"]) and not heard["missed"]:
        raise RuntimeError(f"{len(ages)} ages of {len(sent['ended'])} spans")
    return {
        "clients": clients,
        "spans": len(sent["ended"]),
        "ages_s": ages,
        "missed": heard["missed"],
        "bytes": heard["bytes"],
        "frames": heard["frames"],
        "cpu_share": cpu_s / took_s,
        "clients_cpu_share": (both.cpu_s - before.cpu_s - cpu_s) / took_s,
        "agent_cpu_s": sent["cpu_s"],
    }


def start(module: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start a module of the benchmarks with pipes to it."""
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )


def _row(name: str, report: dict[str, Any]) -> list[object]:
    ages = report["ages_s"]
    return [
        name,
        report["spans"],
        len(ages),
        1000 * percentile(ages, 50) if ages else None,
        1000 * percentile(ages, 99) if ages else None,
        1000 * max(ages) if ages else None,
        report["missed"],
        100 * report["cpu_share"],
        100 * report["clients_cpu_share"],
    ]
