"""The two steps that empty the journal, where one is ahead of the other."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from prometheus_client import CollectorRegistry

from fleetspan_collector.ingest.budget import Budget
from fleetspan_collector.ingest.metrics import IngestMetrics
from fleetspan_collector.ingest.pipeline import Pipeline
from fleetspan_collector.journal import Journal, Segment

from ..embedded import Embedded, embedded
from ..fleet import agent, traces

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for the module."""
    with embedded(tmp_path_factory.mktemp("pipeline")) as store:
        yield store


class Lagging:
    """A journal whose list of segments is as old as the reader's who took it earlier.

    Args:
        journal: The journal.
        listed: What was listed before it was removed; shown for three more readings.
    """

    def __init__(self, journal: Journal, listed: list[Segment]) -> None:
        self._journal = journal
        self._left = [listed] * 3

    def sealed(self) -> list[Segment]:
        """Return the old list, until it is read again."""
        return self._left.pop(0) if self._left else self._journal.sealed()

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)


def _pipeline(store: Embedded, journal: object) -> Pipeline:
    return Pipeline(
        journal,  # type: ignore[arg-type]
        [store.writer],
        store.derivation,
        (Budget(1, 1), Budget(1, 1)),
        IngestMetrics(CollectorRegistry()),
    )


def test_a_segment_that_is_gone_is_not_inserted_again(store: Embedded) -> None:
    """Listed, then inserted, derived from and deleted by the others: nothing to do."""
    listed = store.segments([traces([agent(1, 1)])])
    pipeline = _pipeline(store, store.journal)
    pipeline.drain()
    assert store.journal.sealed() == []
    _pipeline(store, Lagging(store.journal, listed)).drain()
    assert store.rows("otel_traces", columns="count() AS n") == [{"n": 1}]
