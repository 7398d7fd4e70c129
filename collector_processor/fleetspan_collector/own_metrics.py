"""A collector's own metrics, beside what it collects: for dashboards and alert rules.

They are what ``/metrics`` shows, under the same names, as rows of ``otel_metrics_sum`` and
``otel_metrics_gauge`` without a tenant. They do not pass the journal: a sample that is
lost while the store is away is of no use afterwards, and counters go on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import prometheus_client
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector.store._engine import Engine

logger = logging.getLogger("fleetspan")

SERVICE: Final = "fleetspan-collector"
_CUMULATIVE: Final = 2
_MAP: Final = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """One value of the registry.

    Attributes:
        counts: Whether it only grows, while the collector runs.
    """

    name: str
    about: str
    labels: dict[str, str]
    value: float
    counts: bool


class OwnMetrics:
    """Writes the metrics of a registry into the store, now and then.

    Args:
        engine: A connection that this object alone uses.
        registry: What is written.
        collector_id: Names this collector among those of the store.
        every_s: Seconds between two samples.
    """

    def __init__(
        self,
        engine: Engine,
        registry: prometheus_client.CollectorRegistry,
        collector_id: str,
        every_s: float,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._resource = {
            "service.name": SERVICE,
            "service.instance.id": collector_id,
        }
        self._every_s = every_s
        self._since_s = int(time.time())
        self._failing = False

    async def work(self) -> None:
        """Write a sample every so often, until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await asyncio.to_thread(self.write)

    def write(self) -> None:
        """Write one sample; a store that does not take it is only logged."""
        samples = list(_samples(self._registry))
        try:
            for table, counts in (
                ("otel_metrics_sum", True),
                ("otel_metrics_gauge", False),
            ):
                some = [each for each in samples if each.counts is counts]
                self._engine.insert_arrow(table, self._rows(some, counts=counts))
        except (ClickHouseError, OSError) as error:
            if not self._failing:
                reason = str(error).splitlines()[0]
                logger.warning("own metrics are not stored for now: %s", reason)
            self._failing = True
        else:
            self._failing = False

    def _rows(self, samples: list[_Sample], *, counts: bool) -> pa.Table:
        number = len(samples)
        now_s = pa.array([int(time.time())] * number, pa.uint32())
        columns = {
            "ResourceAttributes": pa.array(
                [list(self._resource.items())] * number, _MAP
            ),
            "ScopeName": pa.array(["fleetspan"] * number),
            "ServiceName": pa.array([SERVICE] * number),
            "MetricName": pa.array([each.name for each in samples]),
            "MetricDescription": pa.array([each.about for each in samples]),
            "Attributes": pa.array(
                [list(each.labels.items()) for each in samples], _MAP
            ),
            "StartTimeUnix": pa.array([self._since_s] * number, pa.uint32()),
            "TimeUnix": now_s,
            "Value": pa.array([each.value for each in samples]),
        }
        if counts:
            columns["AggregationTemporality"] = pa.array(
                [_CUMULATIVE] * number, pa.int32()
            )
            columns["IsMonotonic"] = pa.array([True] * number)
        return pa.table(columns)


def _samples(registry: prometheus_client.CollectorRegistry) -> Iterator[_Sample]:
    """Yield counters, gauges, and sums and counts of histograms; no buckets."""
    for family in registry.collect():
        for sample in family.samples:
            if sample.name.endswith(("_created", "_bucket")):
                continue
            yield _Sample(
                name=sample.name,
                about=family.documentation,
                labels=dict(sample.labels),
                value=float(sample.value),
                counts=family.type in {"counter", "histogram", "summary"},
            )
