"""Price stored calls again, with the present prices.

Works on canonical rows alone, so calls whose raw rows and evidence have expired are
priced like any other. A row is written again under the key that it has, with a higher
version; of its fingerprint on record the part that stands for the cost is exchanged, so
that deriving the same row later finds nothing to write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetspan_collector._columns import Strings, codes
from fleetspan_collector.derive.call_costs import (
    UNKNOWABLE,
    CallCosts,
    lifetime_unknown,
    price_calls,
    stored_costs,
)
from fleetspan_collector.derive.derivation import Derivation
from fleetspan_collector.derive.prices import Booleans, PriceBook
from fleetspan_collector.store import _sql
from fleetspan_collector.store.conditions import condition_on

_ROWS_AT_ONCE: Final = 50_000
_TRACE_ID: Final = 32
_RELATIVE_ERROR: Final = 1e-9
"""Sums of the same costs in another order differ by less."""


@dataclass(slots=True, kw_only=True)
class Totals:
    """What calls cost, added up.

    Attributes:
        cost_usd: Sum over the calls that have a cost; None when no call has one.
        unpriced_calls: Calls with usage that have none.
    """

    cost_usd: float | None = None
    unpriced_calls: int = 0

    def add(self, costs: CallCosts, counted: Booleans) -> None:
        """Add calls; those that are not ``counted`` are unpriced in no way."""
        known = ~np.isnan(costs.usd)
        if known.any():
            self.cost_usd = (self.cost_usd or 0.0) + float(costs.usd[known].sum())
        self.unpriced_calls += int((~known & counted).sum())


@dataclass(slots=True, kw_only=True)
class Repriced:
    """What repricing did, or would do.

    Attributes:
        price_version: The present prices.
        calls: Calls that were looked at.
        changed_calls: Calls that cost something else now.
        relabelled_calls: Calls that cost the same, by prices of another version.
        changed_runs: Runs whose totals are others now; in a dry run those with a
            call that would change.
        before: Totals of the calls before.
        after: Totals of the calls now.
    """

    price_version: str
    calls: int = 0
    changed_calls: int = 0
    relabelled_calls: int = 0
    changed_runs: int = 0
    before: Totals = field(default_factory=Totals)
    after: Totals = field(default_factory=Totals)


def reprice(
    derivation: Derivation,
    prices: PriceBook,
    *,
    since: datetime | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda what: None,
) -> Repriced:
    """Price the calls of a store again, and add up their runs.

    It can be interrupted and called again, and goes on beside deriving: the derivation
    is held up for one portion of the calls at a time, and prices with the new book from
    the start.

    Args:
        derivation: Derives into the store, and goes on with these prices.
        prices: The present prices.
        since: Only calls that began at or after this time.
        dry_run: Only say what would change.
        progress: Told what is done next.

    Raises:
        ClickHouseError: When the store fails; it can be called again.
    """
    return _Repricing(derivation, prices, since, dry_run=dry_run).run(progress)


class _Repricing:
    def __init__(
        self,
        derivation: Derivation,
        prices: PriceBook,
        since: datetime | None,
        *,
        dry_run: bool,
    ) -> None:
        self._derivation = derivation
        self._engine = derivation.engine
        self._database = self._engine.address.database
        self._prices = prices
        self._since = 0 if since is None else int(since.timestamp() * 1e6) * 1000
        self._dry_run = dry_run
        self._runs: set[tuple[str, str]] = set()
        self._found = Repriced(price_version=prices.version)

    def run(self, progress: Callable[[str], None]) -> Repriced:
        with self._derivation.lock:
            if not self._dry_run:
                self._derivation.prices = self._prices
            portions = list(self._portions())
        for first, last in portions:
            progress(f"calls of {_day(first)}")
            with self._derivation.lock:
                self._reprice_calls(first, last)
        if not self._dry_run:
            progress("totals of runs")
            with self._derivation.lock:
                self._add_up_runs()
        return self._found

    def _portions(self) -> Iterator[tuple[int, int]]:
        """Yield hours (first and last, Unix seconds) of so many calls as one step takes."""
        hours = self._engine.arrow(
            _sql.render("reprice_hours", database=self._database),
            {"since": self._since},
        )
        first, rows = None, 0
        last = 0
        for hour, count in zip(
            hours["hour"].to_pylist(), hours["calls"].to_pylist(), strict=True
        ):
            if first is not None and rows + count > _ROWS_AT_ONCE:
                yield first, last
                first, rows = None, 0
            first = hour if first is None else first
            last, rows = hour, rows + count
        if first is not None:
            yield first, last

    def _reprice_calls(self, first: int, last: int) -> None:
        bounds = {"since": self._since, "first": first, "last": last}
        calls = self._engine.arrow(
            _sql.render("reprice_calls", database=self._database), bounds
        )
        if not calls.num_rows:
            return
        before = stored_costs(calls)
        after = price_calls(
            self._prices, calls, cost_unknown=_unknowable(calls, before)
        )
        counted = _could_cost(calls)
        other = _differ(before, after)
        priced = ~np.isnan(after.usd)
        label = ~other & priced & (before.versions != after.versions)
        found = self._found
        found.calls += calls.num_rows
        found.changed_calls += int(other.sum())
        found.relabelled_calls += int(label.sum())
        found.before.add(before, counted)
        found.after.add(after, counted)
        touched = calls.filter(pa.array(other))
        self._runs |= set(
            zip(_texts(touched, "Tenant"), _texts(touched, "RunId"), strict=True)
        )
        found.changed_runs = len(self._runs)
        changed = other | label
        if changed.any() and not self._dry_run:
            self._write_calls(calls, before, after, changed)

    def _write_calls(
        self, calls: pa.Table, before: CallCosts, after: CallCosts, changed: Booleans
    ) -> None:
        version = self._derivation.next_version()
        rows = _with(calls, "CostUsd", after.cost_column)
        rows = _with(rows, "PriceVersion", after.version_column)
        rows = _with(
            rows, "Version", pa.array(np.full(rows.num_rows, version, np.uint64))
        )
        mask = pa.array(changed)
        self._engine.insert_arrow("canonical_llm_calls", rows.filter(mask))
        # The fingerprints say that the rows are there, so they come after them.
        exchanged = before.fingerprint ^ after.fingerprint
        keys = self._keys_of(calls.filter(mask), exchanged[changed], version + 1)
        self._engine.insert_arrow("canonical_keys", keys)

    def _keys_of(
        self, calls: pa.Table, exchanged: NDArray[np.uint64], version: int
    ) -> pa.Table:
        """Return the rows of ``canonical_keys`` of calls, with the new fingerprints."""
        groups = sorted(
            set(zip(_texts(calls, "Tenant"), _texts(calls, "TraceId"), strict=True))
        )
        record = self._engine.arrow(
            _sql.render(
                "read_keys",
                database=self._database,
                groups=condition_on(groups, "GroupKey"),
            )
        )
        record = record.filter(pc.equal(record["Kind"], "llm_calls"))
        ours = [_objects(calls, name) for name in ("Tenant", "TraceId", "CallId")]
        theirs = [_objects(record, name) for name in ("Tenant", "GroupKey", "Key")]
        number, count = codes(
            *(np.concatenate(pair) for pair in zip(theirs, ours, strict=True))
        )
        exchange = np.zeros(count, dtype=np.uint64)
        is_ours = np.zeros(count, dtype=bool)
        exchange[number[record.num_rows :]] = exchanged
        is_ours[number[record.num_rows :]] = True
        of_record = number[: record.num_rows]
        fingerprint = record["Fingerprint"].to_numpy() ^ exchange[of_record]
        record = _with(record, "Fingerprint", pa.array(fingerprint))
        record = record.append_column(
            "Version", pa.array(np.full(record.num_rows, version, np.uint64))
        )
        return record.filter(pa.array(is_ours[of_record]))

    def _add_up_runs(self) -> None:
        """Write the runs whose totals are not those of their calls."""
        runs = self._engine.arrow(
            _sql.render("reprice_runs", database=self._database),
            {"since": self._since, "error": _RELATIVE_ERROR},
        )
        self._found.changed_runs = runs.num_rows
        if not runs.num_rows:
            return
        version = self._derivation.next_version()
        for name in ("CostUsd", "UnpricedCalls"):
            runs = _with(runs, name, runs[f"New{name}"]).drop_columns([f"New{name}"])
        runs = _with(
            runs, "Version", pa.array(np.full(runs.num_rows, version, np.uint64))
        )
        self._engine.insert_arrow("canonical_runs", runs)


def _differ(before: CallCosts, after: CallCosts) -> Booleans:
    return ~np.isclose(
        before.usd, after.usd, rtol=_RELATIVE_ERROR, atol=0, equal_nan=True
    )


def _unknowable(calls: pa.Table, stored: CallCosts) -> Booleans:
    """Calls of which no price list can tell the cost, as deriving found."""
    group, run = _objects(calls, "TraceId"), _objects(calls, "RunId")
    # A trace has 32 digits; Claude Code's calls are grouped by session.
    lengths = np.array([len(key) for key in group.tolist()], dtype=np.int64)
    of_session: Booleans = (group == run) & (lengths != _TRACE_ID)
    unknowable: Booleans = stored.versions == UNKNOWABLE
    return unknowable | lifetime_unknown(calls, of_session)


def _could_cost(calls: pa.Table) -> Booleans:
    """Calls that count as unpriced without a cost: not those that failed without usage."""
    failed = np.asarray(pc.not_equal(calls["Error"].cast(pa.string()), ""))
    unused = np.asarray(pc.is_null(calls["InputTokens"]))
    counted: Booleans = ~(failed & unused)
    return counted


def _with(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def _texts(table: pa.Table, name: str) -> list[str]:
    texts: list[str] = table[name].cast(pa.string()).to_pylist()
    return texts


def _objects(table: pa.Table, name: str) -> Strings:
    return np.array(_texts(table, name), dtype=object)


def _day(unix_s: int) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d}"
