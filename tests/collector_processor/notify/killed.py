"""A process that finds something, writes it down, begins to tell of it and is killed.

``python -m tests.collector_processor.notify.killed DATA URL``: prints ``told`` once it has
handed the finding over, and waits.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import prometheus_client

from fleetspan_collector.notify.announcer import Announcer
from tests.collector_processor.embedded import embedded
from tests.collector_processor.notify.conftest import settings_of
from tests.collector_processor.notify.telling import batch, finding, store


def main() -> None:
    """Run until somebody ends it."""
    data, url = sys.argv[1:]
    hooks = {"pager": {"url": url, "timeout_s": 60}}
    with embedded(Path(data)) as stored:
        registry = prometheus_client.CollectorRegistry()
        announcer = Announcer(stored.engine, settings_of(hooks), registry)
        announcer.start()
        rows = batch(finding(), finding("f-2"))
        store(stored.engine, rows)
        announcer.announce(rows)
        sys.stdout.write("told\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
