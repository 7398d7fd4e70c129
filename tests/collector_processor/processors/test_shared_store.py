"""Two collectors of one store share its runs."""

from __future__ import annotations

import contextlib
from pathlib import Path

from fleetspan_collector.processors.sharing import Peers
from tests.collector_processor.embedded import embedded
from tests.collector_processor.fleet import traces
from tests.collector_processor.processors.analysing import Analysing
from tests.collector_processor.processors.looping import looping


def test_each_run_once(tmp_path: Path) -> None:
    """Each analyses its own runs; together they have analysed all."""
    with embedded(tmp_path) as store, contextlib.ExitStack() as closing:
        # The first has to have been there before, or the second would not know it.
        Peers(store.engine, "left", seen_s=600.0).look()
        both = []
        for name in ("right", "left"):
            engine = closing.enter_context(contextlib.closing(store.engine.another()))
            peers = Peers(engine, name, seen_s=600.0)
            both.append(Analysing(store, tmp_path, peers=peers))
            closing.callback(both[-1].scheduler.stop)
        for one in both:
            one.scheduler.look_for_peers()
        store.take(*(traces(looping(0x300 + number, 3)) for number in range(24)))
        counts = []
        for one in both:
            one.analyse()
            counts.append(one.count("fleetspan_analysed_runs_total"))
        assert sum(counts) == 24
        assert min(counts) > 0
        assert len(store.rows("run_analyses")) == 24
