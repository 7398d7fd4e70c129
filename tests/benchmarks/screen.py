"""The page: from the end of a span in an agent's process to its bar on the screen.

A program records tools about ten times a second, inside one agent, with our SDK as it is
by default. Headless Chromium shows the agent's run and follows it; a bar counts as shown
in the second frame after it is in the document. Beside it 100 more clients listen to the
whole stream, and in one case another process sends 1,000 spans a second. Browser,
clients, load and collector share one machine.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale
from tests.benchmarks.freshness import SPANS_PER_S
from tests.benchmarks.stream import start
from tests.collector_processor import chromium
from tests.collector_processor.running import Collector

CLIENTS: Final = 100
_AIM_MS: Final = 500
_PATIENCE_S: Final = 120.0
_ARRIVES_S: Final = 3.0
# Follows the last rows, as somebody who watches does, and notes when bars are there.
_WATCH: Final = """
() => {
  const shown = {};
  window.fleetspanShown = shown;
  const look = () => {
    const box = document.querySelector("[role=treegrid]");
    if (box) box.scrollTop = box.scrollHeight;
    for (const bar of document.querySelectorAll(".bar[data-span][data-ended]")) {
      const span = bar.dataset.span;
      if (!(span in shown)) {
        shown[span] = 0;
        requestAnimationFrame(() => { shown[span] = Date.now() / 1000; });
      }
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
"""


def measure(scale: Scale, folder: Path) -> Result:
    """Watch a screen, each time of a collector of its own."""
    found = {}
    if chromium.program() is not None:
        for name, loaded in (("quiet", False), (f"{SPANS_PER_S:,} spans/s", True)):
            with Collector(folder / ("loaded" if loaded else "quiet")) as collector:
                found[name] = _watch(collector, scale.freshness_s, loaded=loaded)
    notes = [f"aim: p99 under {_AIM_MS} ms with {CLIENTS} clients connected."]
    if not found:
        notes.append("Chromium is not installed: nothing was measured.")
    return Result(
        part="screen",
        title=f"end of a span to its bar on the screen, beside {CLIENTS} clients",
        columns=("other load", "spans", "p50 ms", "p99 ms", "max ms"),
        rows=[_row(name, each["ages_s"]) for name, each in found.items()],
        settings={"clients": CLIENTS, "seconds": scale.freshness_s},
        raw=found,
        notes=notes,
    )


def _watch(collector: Collector, seconds: float, *, loaded: bool) -> dict[str, Any]:
    web = collector.endpoint("web")
    listeners = start("_stream_listeners", f"ws://{web}/api/v1/live/ws", str(CLIENTS))
    assert listeners.stdout is not None
    assert listeners.stdout.readline() == "ready\n"
    load: subprocess.Popen[str] | None = None
    if loaded:
        grpc = collector.endpoint("otlp_grpc")
        load = start("freshness", grpc, str(seconds + 4 * _ARRIVES_S))
    agent = start(
        *("_screen_agent", str(seconds)),
        FLEETSPAN_ENDPOINT=f"http://{collector.endpoint('otlp_http')}",
    )
    assert agent.stdout is not None
    trace_id = agent.stdout.readline().strip()
    with chromium.launched() as browser:
        window = chromium.Window(browser, web)
        page = window.page
        page.goto(f"{window.address}{_path_of(collector, trace_id)}")
        page.wait_for_selector("main .line .bar")
        page.evaluate(_WATCH)
        ended = json.loads(agent.communicate("\n", timeout=_PATIENCE_S)[0])["ended"]
        time.sleep(_ARRIVES_S)
        shown = page.evaluate("window.fleetspanShown")
        window.close()
    listeners.communicate("", timeout=_PATIENCE_S)
    if load is not None:
        load.communicate(timeout=_PATIENCE_S)
    missing = [span for span in ended if not shown.get(span)]
    if missing:
        raise RuntimeError(f"{len(missing)} of {len(ended)} bars were never shown")
    return {"ages_s": [shown[span] - at_s for span, at_s in ended.items()]}


def _path_of(collector: Collector, trace_id: str) -> str:
    """Return the path of a run on the page, once it is there."""
    until_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until_s:
        rows = collector.sql(
            f"SELECT RunId FROM otel.runs WHERE TraceId = '{trace_id}'"
        )
        if rows:
            return f"/runs/{rows[0]['RunId']}"
        time.sleep(0.2)
    raise RuntimeError("the run was never derived")


def _row(name: str, ages_s: list[float]) -> list[object]:
    return [
        name,
        len(ages_s),
        1000 * percentile(ages_s, 50),
        1000 * percentile(ages_s, 99),
        1000 * max(ages_s),
    ]
