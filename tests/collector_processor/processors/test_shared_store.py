"""Two collectors of one store share its runs."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from fleetspan_collector.processors.sharing import Peers
from tests.collector_processor.embedded import embedded
from tests.collector_processor.fleet import traces
from tests.collector_processor.processors.analysing import Analysing
from tests.collector_processor.processors.looping import looping


@contextlib.contextmanager
def two(folder: Path) -> Generator[list[Analysing]]:
    """Open a store and let two collectors share it, which know each other."""
    with embedded(folder) as store, contextlib.ExitStack() as closing:
        # The first has to have been there before, or the second would not know it.
        Peers(store.engine, "left", seen_s=600.0).look()
        both = []
        for name in ("right", "left"):
            engine = closing.enter_context(contextlib.closing(store.engine.another()))
            peers = Peers(engine, name, seen_s=600.0)
            both.append(Analysing(store, folder, peers=peers))
            closing.callback(both[-1].scheduler.stop)
        for one in both:
            one.scheduler.look_for_peers()
        yield both


def test_each_run_once(tmp_path: Path) -> None:
    """Each analyses its own runs; together they have analysed all."""
    with two(tmp_path) as both:
        store = both[0].store
        store.take(*(traces(looping(0x300 + number, 3)) for number in range(24)))
        counts = []
        for one in both:
            one.analyse()
            counts.append(one.count("fleetspan_analysed_runs_total"))
        assert sum(counts) == 24
        assert min(counts) > 0
        assert len(store.rows("run_analyses")) == 24


def test_a_run_that_another_one_took_back(tmp_path: Path) -> None:
    """When one derives that a run goes by another name, the other forgets the old one's rows.

    Until its root is there a run is named after its trace.
    """
    with two(tmp_path) as both:
        first, second = both
        fleet = [looping(0x400 + number, 4) for number in range(12)]
        first.take(*(traces(spans[1:]) for spans in fleet))
        second.analyse()
        assert len(first.rows("run_analyses")) == 12
        second.take(*(traces(spans[:1]) for spans in fleet))
        first.analyse()
        assert len(first.rows("runs")) == 12
        for table in ("run_analyses", "findings", "agent_rollups"):
            left = first.rows(table, "RunId NOT IN (SELECT RunId FROM otel.runs)")
            assert left == [], table
        assert len(first.rows("run_analyses")) == 12
