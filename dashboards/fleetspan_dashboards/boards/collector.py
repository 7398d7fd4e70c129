"""The collectors themselves: do they take, store and pass on what arrives?"""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Board, Kind, Panel, stat
from fleetspan_dashboards.queries import INSTANCE, OWN, growth

_ROWS: Final = growth(
    "MetricName = 'fleetspan_ingest_inserted_rows_total'", "Attributes['signal']"
)
_REFUSED: Final = growth(
    "MetricName IN ('fleetspan_receiver_refused_requests_total',"
    " 'fleetspan_receiver_rejected_items_total',"
    " 'fleetspan_journal_refused_total', 'fleetspan_journal_quarantined_records_total',"
    " 'fleetspan_access_refused_total')",
    "concat(replaceRegexpAll(MetricName, '^fleetspan_|_total$', ''),"
    " if(Attributes['reason'] = '', '', concat(' ', Attributes['reason'])))",
)
_TAKEN: Final = growth(
    "MetricName = 'fleetspan_receiver_items_total'",
    "concat(Attributes['signal'], ' ', Attributes['protocol'])",
)
_CPU: Final = growth("MetricName = 'process_cpu_seconds_total'", "''")
_FSYNC: Final = growth(
    "MetricName IN ('fleetspan_journal_fsync_seconds_sum',"
    " 'fleetspan_journal_fsync_seconds_count')",
    "MetricName",
)
_DELIVERIES: Final = "FROM deliveries WHERE $__timeFilter(At)"
_SPANS: Final = "FROM otel_traces WHERE $__timeFilter(Timestamp)"


def _gauge(name: str) -> str:
    return f"FROM otel_metrics_gauge WHERE {OWN} AND MetricName = '{name}'"


COLLECTOR: Final = Board(
    name="collector",
    title="Fleetspan / Collector health",
    description="What collectors take, refuse, store and pass on; written by themselves.",
    hours=6,
    panels=(
        stat(
            title="Collectors",
            description="Collectors that wrote of themselves in the last three minutes before the "
            "end of this time; they do so every own_metrics_s seconds.",
            sql=f"SELECT uniqExact({INSTANCE}) AS collectors {_gauge('fleetspan_ingest_lag_seconds')}"
            " AND TimeUnix > $__toTime - INTERVAL 3 MINUTE",
        ),
        stat(
            title="Rows stored",
            description="Spans, records, points, hooks and lines in this time.",
            sql=f"SELECT sum(grown) AS rows FROM ({_ROWS})",
        ),
        stat(
            title="Behind by, at most",
            description="Age of the oldest record that was acknowledged and not readable yet.",
            sql=f"SELECT max(Value) AS lag {_gauge('fleetspan_ingest_lag_seconds')}",
            unit="s",
            thresholds=(("green", None), ("orange", 30.0), ("red", 120.0)),
        ),
        stat(
            title="Refused, rejected, set aside",
            description="Requests refused, items rejected, records in quarantine. Nothing of it "
            "was acknowledged and then lost; the sender was told.",
            sql=f"SELECT sum(grown) AS refused FROM ({_REFUSED})",
            thresholds=(("green", None), ("red", 1.0)),
        ),
        stat(
            title="Waiting in journals",
            description="Bytes that are safe on the disk and not in the store yet.",
            sql="SELECT sum(waiting) AS bytes FROM (SELECT argMax(Value, TimeUnix) AS waiting"
            f" {_gauge('fleetspan_journal_waiting_bytes')} GROUP BY {INSTANCE})",
            unit="bytes",
        ),
        stat(
            title="Values cut",
            description="Values longer than value_limit_bytes; kept whole in large_values.",
            sql="SELECT count() AS cut FROM large_values WHERE $__timeFilter(ReceivedAt)",
        ),
        Panel(
            title="Rows stored by signal",
            description="Rows in each interval.",
            kind=Kind.TIME_SERIES,
            sql=f"SELECT $__timeInterval(at) AS time, label, sum(grown) AS rows FROM ({_ROWS})"
            " GROUP BY time, label ORDER BY time",
            stacked=True,
        ),
        Panel(
            title="Taken by protocol",
            description="Items in accepted requests, in each interval.",
            kind=Kind.TIME_SERIES,
            sql=f"SELECT $__timeInterval(at) AS time, label, sum(grown) AS items FROM ({_TAKEN})"
            " GROUP BY time, label ORDER BY time",
            stacked=True,
        ),
        Panel(
            title="Refused by reason",
            description="Requests, items and records that were not taken, in each interval.",
            kind=Kind.TIME_SERIES,
            sql=f"SELECT $__timeInterval(at) AS time, label, sum(grown) AS refused FROM ({_REFUSED})"
            " GROUP BY time, label HAVING refused > 0 ORDER BY time",
            stacked=True,
            may_be_empty="nothing was refused",
        ),
        Panel(
            title="Behind by",
            description="Age of the oldest unreadable record, by collector.",
            kind=Kind.TIME_SERIES,
            sql=f"SELECT $__timeInterval(TimeUnix) AS time, {INSTANCE} AS collector,"
            f" max(Value) AS lag {_gauge('fleetspan_ingest_lag_seconds')}"
            " GROUP BY time, collector ORDER BY time",
            unit="s",
        ),
        Panel(
            title="Late spans, p95",
            description="From the end of a span to its arrival, by service: batching, a slow "
            "network, or a wrong clock.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(Timestamp) AS time, toString(ServiceName) AS service,"
            " quantile(0.95)(greatest(toUnixTimestamp64Nano(ReceivedAt)"
            " - toUnixTimestamp64Nano(Timestamp) - toInt64(Duration), 0)) * 1e-9 AS late"
            f" {_SPANS} GROUP BY time, service ORDER BY time",
            unit="s",
        ),
        Panel(
            title="Processor time",
            description="Cores in use, by collector.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(at) AS time, instance, sum(grown) / $__interval_s AS cores"
            f" FROM ({_CPU}) GROUP BY time, instance ORDER BY time",
        ),
        Panel(
            title="Memory",
            description="Resident memory, by collector.",
            kind=Kind.TIME_SERIES,
            sql=f"SELECT $__timeInterval(TimeUnix) AS time, {INSTANCE} AS collector,"
            f" max(Value) AS bytes {_gauge('process_resident_memory_bytes')}"
            " GROUP BY time, collector ORDER BY time",
            unit="bytes",
        ),
        Panel(
            title="Time of a disk write",
            description="Mean of the journal's fdatasync, which every acknowledgement waits for.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(at) AS time, instance,"
            " sumIf(grown, label LIKE '%_sum') / nullIf(sumIf(grown, label LIKE '%_count'), 0)"
            f" AS seconds FROM ({_FSYNC}) GROUP BY time, instance ORDER BY time",
            unit="s",
        ),
        Panel(
            title="Destinations behind",
            description="Age of the oldest record that a destination has not taken yet.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(TimeUnix) AS time, Attributes['destination']"
            f" AS destination, max(Value) AS lag {_gauge('fleetspan_forward_lag_seconds')}"
            " GROUP BY time, destination ORDER BY time",
            unit="s",
            may_be_empty="nothing is forwarded",
        ),
        Panel(
            title="Each collector",
            description="What each said last.",
            kind=Kind.TABLE,
            sql=f"SELECT {INSTANCE} AS collector, max(TimeUnix) AS time,"
            " argMaxIf(Value, TimeUnix, MetricName = 'fleetspan_ingest_lag_seconds') AS behind,"
            " argMaxIf(Value, TimeUnix, MetricName = 'fleetspan_journal_waiting_bytes')"
            " AS waiting, argMaxIf(Value, TimeUnix, MetricName = 'fleetspan_dirty_runs') AS unanalysed,"
            " argMaxIf(Value, TimeUnix, MetricName = 'process_resident_memory_bytes') AS memory"
            f" FROM otel_metrics_gauge WHERE {OWN} GROUP BY collector ORDER BY time DESC LIMIT 100",
            units={"behind": "s", "waiting": "bytes", "memory": "bytes"},
        ),
        Panel(
            title="Who could not be told",
            description="Findings and summaries that a hook or destination did not take.",
            kind=Kind.TABLE,
            sql="SELECT toString(Destination) AS destination, toString(Outcome) AS outcome,"
            f" count() AS attempts, max(At) AS latest, any(Answer) AS answer {_DELIVERIES}"
            " AND Outcome != 'delivered' GROUP BY destination, outcome ORDER BY latest DESC"
            " LIMIT 50",
            may_be_empty="everybody was told, or nobody is to be told",
        ),
    ),
)
