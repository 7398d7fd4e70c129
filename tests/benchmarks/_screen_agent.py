"""An agent program whose tools are awaited on a screen.

``python -m tests.benchmarks._screen_agent SECONDS`` begins an agent, prints its trace id,
waits for a line, records a tool about ten times a second inside of it, and prints when
each ended, in Unix seconds, by span id.
"""

from __future__ import annotations

import json
import random
import sys
import time

from opentelemetry import trace

import fleetspan


def main(seconds: float) -> None:
    """Record tools and print when they ended."""
    fleetspan.configure()
    chance = random.Random(11)
    ended: dict[str, float] = {}
    with fleetspan.agent("watched"):
        context = trace.get_current_span().get_span_context()
        print(f"{context.trace_id:032x}", flush=True)
        sys.stdin.readline()
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            with fleetspan.tool("watched-tool"):
                span_id = trace.get_current_span().get_span_context().span_id
                time.sleep(chance.uniform(0.0, 0.02))
            ended[f"{span_id:016x}"] = time.time()
            time.sleep(chance.uniform(0.0, 0.18))
    fleetspan.shutdown()
    print(json.dumps({"ended": ended}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
