"""Runs read from the store, many at a time: the cost of a statement is its analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from fleetspan_collector.processors import schema
from fleetspan_collector.processors.batch import RunBatch, RunKey, offsets_of
from fleetspan_collector.processors.run import Context, Run, RunFacts
from fleetspan_collector.store import _sql
from fleetspan_collector.store.conditions import condition_on, condition_on_runs

_MOST_RUNS: Final = 1000
_MOST_ROWS: Final = 200_000
"""Runs, and rows of theirs, in one batch: bound its memory. One run is never split."""

_LONGEST_S: Final = 6 * 3600
"""Between the first and the last of a batch: its statements read all hours between."""

_HOUR_S: Final = 3600

HINTS: Final = (
    "SETTINGS do_not_merge_across_partitions_select_final = 1,"
    " optimize_read_in_order = 0"
)
"""Read in the order of the key, of which the tenant is the first part, rows of some runs
take two to four times as long."""

_LAYOUTS: Final = {
    "agents": schema.AGENTS,
    "llm_calls": schema.LLM_CALLS,
    "tool_calls": schema.TOOL_CALLS,
}

ContextOf = Callable[[RunFacts], Context]
"""What is known beside a run; the same object for runs that share it."""


class Tables(Protocol):
    """Where runs are read from: a connection to the store, or a collector that is asked."""

    @property
    def database(self) -> str:
        """The database of the store."""
        ...

    def arrow(self, sql: str) -> pa.Table:
        """Run a query; its result as an Arrow table."""
        ...


class RunReader:
    """Reads runs to be analysed.

    Args:
        engine: What this object alone uses to read.
        idle_timeout_s: Seconds of silence after which a run counts as abandoned.
        hints: What its statements set; empty where nothing can be set.
    """

    def __init__(
        self, engine: Tables, *, idle_timeout_s: float, hints: str = HINTS
    ) -> None:
        self._engine = engine
        self._hints = hints
        self._database = engine.database
        self._idle_ns = int(min(idle_timeout_s, 1e9) * 1e9)

    def batches(
        self, hours: Mapping[RunKey, int], context_of: ContextOf, now_ns: int
    ) -> Iterator[RunBatch]:
        """Read runs.

        Args:
            hours: The runs, and the hour that each is stored under, in Unix seconds.
            context_of: Gives what is known beside a run.
            now_ns: The present, by which an idle run is abandoned.

        Yields:
            Batches. A run that is not in the store any more is in none.

        Raises:
            ClickHouseError: When the store fails.
        """
        for facts in _batches(self._facts(hours, now_ns)):
            yield self._read(facts, context_of)

    def one(self, run_id: str, context_of: ContextOf, now_ns: int) -> Run | None:
        """Read one run by its whole id; of several tenants' runs of one id the latest.

        Returns:
            None when it is not there.

        Raises:
            ClickHouseError: When the store fails.
        """
        statement = _sql.render(
            "one_run", database=self._database, run_id=f"'{_sql.quote(run_id)}'"
        )
        hours = {
            (row["Tenant"], row["RunId"]): int(row["Hour"])
            for row in self._engine.arrow(statement).to_pylist()
        }
        for batch in self.batches(hours, context_of, now_ns):
            return batch.run(0)
        return None

    def _facts(
        self, hours: Mapping[RunKey, int], now_ns: int
    ) -> list[tuple[RunFacts, int]]:
        found = []
        keys = sorted(hours, key=lambda key: (hours[key], key))
        for first in range(0, len(keys), _MOST_RUNS):
            some = keys[first : first + _MOST_RUNS]
            bounds = [hours[key] for key in some]
            condition = condition_on_runs(some, bounds)
            rows = self._engine.arrow(self._statement("analyse_runs", runs=condition))
            for row in _exact_rows(rows):
                if (row["Tenant"], row["RunId"]) in hours:
                    found.append((self._facts_of(row, now_ns), int(row["Rows"])))
        return found

    def _statement(self, name: str, **tokens: str) -> str:
        return _sql.render(
            name, database=self._database, settings=self._hints, **tokens
        )

    def _facts_of(self, row: Mapping[str, Any], now_ns: int) -> RunFacts:
        status, last = row["Status"], row["LastActivity"]
        if status == "running" and last < now_ns - self._idle_ns:
            status = "abandoned"
        return RunFacts(
            tenant=row["Tenant"],
            run_id=row["RunId"],
            session_id=row["SessionId"],
            trace_id=row["Trace"],
            name=row["Name"],
            status=status,
            environment=row["Environment"],
            project=row["Project"],
            user=row["User"],
            service=row["Service"],
            start_ns=row["StartTime"],
            end_ns=row["EndTime"],
            last_activity_ns=last,
            cost_usd=row["CostUsd"],
            sources=tuple(row["Sources"]),
            bucket_s=int(row["Hour"]),
            version=int(row["Version"]),
        )

    def _read(self, facts: Sequence[RunFacts], context_of: ContextOf) -> RunBatch:
        keys = [(each.tenant, each.run_id) for each in facts]
        first = min(min(each.bucket_s, each.start_ns // 10**9) for each in facts)
        last = max(each.last_activity_ns // 10**9 for each in facts)
        # A row keeps the hour under which it was first written, and its run another.
        condition = condition_on_runs(
            keys, [first - _HOUR_S, max(last, first) + _HOUR_S]
        )
        tables: dict[str, pa.Table] = {}
        offsets = {}
        for name, layout in _LAYOUTS.items():
            rows = self._engine.arrow(
                self._statement(f"analyse_{name}", rows=condition)
            )
            tables[name], offsets[name] = offsets_of(_shaped(rows, layout), keys)
        tables["files"], offsets["files"] = offsets_of(
            self._files(facts, first, last), keys
        )
        numbers: dict[int, int] = {}
        contexts: list[Context] = []
        context_numbers = []
        for each in facts:
            context = context_of(each)
            if id(context) not in numbers:
                numbers[id(context)] = len(contexts)
                contexts.append(context)
            context_numbers.append(numbers[id(context)])
        return RunBatch(
            facts=facts,
            tables=tables,
            offsets=offsets,
            contexts=contexts,
            context_of=context_numbers,
        )

    def _files(self, facts: Sequence[RunFacts], first: int, last: int) -> pa.Table:
        """What ended runs did to files; of runs that go on nobody asks it yet."""
        of_group: dict[tuple[str, str], list[RunKey]] = {}
        traces: list[tuple[str, str]] = []
        sessions: list[tuple[str, str]] = []
        for each in facts:
            if each.open:
                continue
            for group, listed in ((each.trace_id, traces), (each.session_id, sessions)):
                if group:
                    key = (each.tenant, group)
                    of_group.setdefault(key, []).append((each.tenant, each.run_id))
                    listed.append(key)
        if not of_group:
            return _shaped(None, schema.FILES)
        rows = self._engine.arrow(
            _sql.render(
                "analyse_files",
                database=self._database,
                traces=condition_on(traces, "TraceId"),
                sessions=condition_on(sessions, "SessionId"),
                first=str(max(first, 0)),
                last=str(min(max(last, 0), 2**32 - 2)),
            )
        )
        return _of_runs(rows, of_group)


def _batches(found: list[tuple[RunFacts, int]]) -> Iterator[list[RunFacts]]:
    """Runs that are near in time, in batches of bounded size."""
    found.sort(key=lambda each: (each[0].start_ns, each[0].tenant, each[0].run_id))
    batch: list[RunFacts] = []
    rows = 0
    for facts, count in found:
        full = len(batch) == _MOST_RUNS or rows + count > _MOST_ROWS
        if batch and (full or _far(batch[0], facts)):
            yield batch
            batch, rows = [], 0
        batch.append(facts)
        rows += count
    if batch:
        yield batch


def _far(one: RunFacts, other: RunFacts) -> bool:
    longest = _LONGEST_S * 10**9
    return (
        other.start_ns - one.start_ns > longest
        or one.last_activity_ns - one.start_ns > longest
        or other.last_activity_ns - other.start_ns > longest
    )


def _exact_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as Python values; times as Unix nanoseconds, which `datetime` would cut."""
    for name in ("StartTime", "EndTime", "LastActivity"):
        at = table.schema.get_field_index(name)
        times = table[name].cast(pa.timestamp("ns")).cast(pa.int64())
        table = table.set_column(at, name, times)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _shaped(table: pa.Table | None, layout: pa.Schema) -> pa.Table:
    """A table in a layout, with ``Tenant`` and ``RunId`` before it."""
    whole = pa.schema([("Tenant", pa.string()), ("RunId", pa.string()), *layout])
    if table is None:
        return whole.empty_table()
    return table.select(whole.names).cast(whole)


def _of_runs(
    rows: pa.Table, of_group: Mapping[tuple[str, str], Sequence[RunKey]]
) -> pa.Table:
    """Give what was done to files to the runs of its trace or session."""
    tenants = rows["Tenant"].to_pylist()
    groups = rows["GroupKey"].to_pylist()
    taken: list[int] = []
    runs: list[RunKey] = []
    for number, group in enumerate(zip(tenants, groups, strict=True)):
        for key in of_group.get(group, ()):
            taken.append(number)
            runs.append(key)
    table = rows.take(pa.array(np.array(taken, dtype=np.int64)))
    table = table.drop_columns(["GroupKey", "Tenant"])
    table = table.append_column("Tenant", pa.array([key[0] for key in runs]))
    table = table.append_column("RunId", pa.array([key[1] for key in runs]))
    return _shaped(table, schema.FILES).sort_by(
        [(name, "ascending") for name in ("Tenant", "RunId", "StartTime", "Path")]
    )
