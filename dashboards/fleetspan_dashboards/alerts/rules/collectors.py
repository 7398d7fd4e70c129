"""The collectors: do they take, store and pass on what arrives?"""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.alerts.rule import Missing, Rule, Severity
from fleetspan_dashboards.queries import INSTANCE, OWN, growth

# A collector that starts again has another process id: its machine stays.
_HOST: Final = f"splitByChar('/', {INSTANCE})[1]"
_REFUSALS: Final = growth(
    "MetricName IN ('fleetspan_receiver_refused_requests_total',"
    " 'fleetspan_receiver_rejected_items_total', 'fleetspan_journal_refused_total',"
    " 'fleetspan_journal_quarantined_records_total')",
    "concat(replaceRegexpAll(MetricName, '^fleetspan_|_total$', ''), ' ',"
    " Attributes['reason'])",
)

COLLECTORS: Final = (
    Rule(
        name="collector-refusing",
        title="A collector refuses what it is sent",
        group="collectors",
        sql="SELECT splitByChar('/', instance)[1] AS host, label AS what,"
        f" sum(grown) AS value FROM ({_REFUSALS}) GROUP BY host, what",
        above=0,
        unit="count",
        window_s=600,
        until_s=0,
        severity=Severity.CRITICAL,
        summary="{{ $labels.host }}: {{ $labels.what }}, {{ $values.A.Value | humanize }} times",
        means="Requests were refused (disk full, journal full, too large), items in them "
        "rejected, or records that the engine would not read were set aside. Whoever "
        "sent a refused request was told, and tries again.",
        todo=(
            "`fleetspan doctor` on that machine says why.",
            (
                "`disk` and `journal_full`: is the store away, or the disk full? Nothing that was "
                "acknowledged is lost; it waits in the journal."
            ),
            "`quarantine`: the files in DATA/quarantine have the reason beside them.",
        ),
        board="collector",
        panel="Refused by reason",
        promql="sum by (instance, reason) (increase(fleetspan_receiver_refused_requests_total[10m]))"
        " + 0 > 0 or sum by (instance, reason)"
        " (increase(fleetspan_journal_quarantined_records_total[10m])) > 0",
    ),
    Rule(
        name="collector-lagging",
        title="A collector lags behind",
        group="collectors",
        sql=f"SELECT {_HOST} AS host, argMax(Value, TimeUnix) AS value FROM otel_metrics_gauge"
        f" WHERE {OWN} AND MetricName = 'fleetspan_ingest_lag_seconds' GROUP BY host",
        above=60,
        unit="s",
        window_s=300,
        until_s=0,
        severity=Severity.CRITICAL,
        summary="{{ $labels.host }} is {{ $values.A.Value | humanizeDuration }} behind",
        means="The oldest record that was acknowledged and cannot be read yet is more than a "
        "minute old. Nothing is lost: it is in the journal.",
        todo=(
            "Is the ClickHouse server away or slow? `/readyz` and the log say so.",
            (
                "Is the load too high for `cpu_budget_busy_cores`, or for one collector? See the "
                "capacity page."
            ),
        ),
        board="collector",
        panel="Behind by",
        promql="fleetspan_ingest_lag_seconds > 60",
    ),
    Rule(
        name="collector-gone",
        title="A collector says nothing any more",
        group="collectors",
        sql=f"SELECT {_HOST} AS host, toFloat64(dateDiff('second', max(TimeUnix), now()))"
        f" AS value FROM otel_metrics_gauge WHERE {OWN} GROUP BY host",
        above=240,
        unit="s",
        window_s=3600,
        until_s=0,
        for_s=60,
        severity=Severity.CRITICAL,
        summary="{{ $labels.host }} has written nothing of itself for"
        " {{ $values.A.Value | humanizeDuration }}",
        means="A collector that wrote its own metrics within the last hour has not done so for "
        "four minutes: it is down, or does not reach the store.",
        todo=(
            (
                "Is its process there? Agents keep what they send in the SDK's queue, and Claude "
                "Code's hooks in a spool."
            ),
            (
                "If the machine does not come back, hand its journal to another collector: see "
                "the deployment page."
            ),
            "If it was taken away on purpose, the alert ends by itself within the hour.",
        ),
        board="collector",
        panel="Each collector",
        promql='up{job="fleetspan"} == 0',
    ),
    Rule(
        name="collectors-silent",
        title="No collector writes to the store",
        group="collectors",
        sql="SELECT toFloat64(count() = 0) AS value FROM otel_metrics_gauge"
        f" WHERE {OWN} AND MetricName = 'fleetspan_ingest_lag_seconds'",
        above=0,
        unit="count",
        window_s=300,
        until_s=0,
        missing=Missing.FIRES,
        severity=Severity.CRITICAL,
        summary="No collector has written of itself for five minutes",
        means="All collectors are down or cut off from the store, or the store does not answer: "
        "nothing that any other rule looks at can be trusted. With `own_metrics_s` set to 0 this "
        "rule always fires: switch it off then.",
        todo=(
            "`fleetspan doctor` on a machine of a collector.",
            "Is the store reachable from Grafana? Save & test of the data source says so.",
        ),
        board="collector",
        panel="Collectors",
        promql='absent(up{job="fleetspan"} == 1)',
    ),
    Rule(
        name="destination-behind",
        title="A destination does not take what is forwarded",
        group="collectors",
        sql=f"SELECT {_HOST} AS host, Attributes['destination'] AS destination,"
        f" argMax(Value, TimeUnix) AS value FROM otel_metrics_gauge WHERE {OWN}"
        " AND MetricName = 'fleetspan_forward_lag_seconds' GROUP BY host, destination",
        above=300,
        unit="s",
        window_s=300,
        until_s=0,
        summary="{{ $labels.destination }} is {{ $values.A.Value | humanizeDuration }} behind on"
        " {{ $labels.host }}",
        means="The oldest record that a destination of `forward` has not taken is more than five "
        "minutes old. The journal keeps it, up to `forward_cap_bytes`.",
        todo=(
            "`fleetspan doctor` and the log name the destination's answer.",
            "What it refuses for good is dropped, counted and logged, not tried for ever.",
        ),
        board="collector",
        panel="Destinations behind",
        promql="fleetspan_forward_lag_seconds > 300",
    ),
)
