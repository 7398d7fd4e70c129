"""An agent program whose spans are awaited at the other end of the live stream.

``python -m tests.benchmarks._stream_agent SECONDS`` records an agent with our SDK, as it
is set up by default, about ten times a second, and prints when each ended, in monotonic
seconds.
"""

from __future__ import annotations

import json
import random
import sys
import time

import fleetspan
from tests.benchmarks._stream_listeners import MARK


def main(seconds: float) -> None:
    """Record agents and print when they ended."""
    fleetspan.configure()
    chance = random.Random(11)
    ended: dict[str, float] = {}
    began_s = time.monotonic()
    while time.monotonic() < began_s + seconds:
        name = f"{MARK}{len(ended)}"
        with fleetspan.agent(name):
            time.sleep(chance.uniform(0.0, 0.02))
        ended[name] = time.monotonic()
        time.sleep(chance.uniform(0.0, 0.18))
    fleetspan.shutdown()
    print(json.dumps({"ended": ended, "cpu_s": time.process_time()}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
