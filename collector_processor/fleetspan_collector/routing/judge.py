"""The process in which texts are judged: ``python -m fleetspan_collector.routing.judge``.

It reads one list of questions from standard input, and writes verdicts by workload.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from fleetspan_collector.processors.messages import receive, send
from fleetspan_collector.routing.texts import answered

_LOW_PRIORITY: Final = 10


def main() -> None:
    """Judge what is asked."""
    if hasattr(os, "nice"):
        os.nice(_LOW_PRIORITY)
    asked = receive(sys.stdin.buffer)
    if not isinstance(asked, list):
        raise TypeError(f"expected a list, got {type(asked).__name__}")
    send(sys.stdout.buffer, answered(asked))


if __name__ == "__main__":
    main()
