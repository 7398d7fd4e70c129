"""What of the canonical rows has to be written: what differs from what is on record.

A row stays under the hour under which it was first written, whatever is learned later,
so that the next version replaces it; and what is no longer derived is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleetspan_collector._columns import Strings, codes
from fleetspan_collector.derive.rules import RULES_VERSION

_FIRST_VERSIONS: Final = 3_200_000_000 * 10**9
"""Twice a time in September 2020, so that first versions are below later times."""

Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


class Written:
    """What has been written for some groups; keys that are claimed again stay."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._buckets = table["Bucket"].cast(pa.int64()).to_numpy()
        self._fingerprints = table["Fingerprint"].to_numpy()
        self._deleted = table["IsDeleted"].to_numpy()
        self._claimed = np.zeros(table.num_rows, dtype=bool)
        self._groups = table["GroupKey"].to_numpy(zero_copy_only=False)
        self._kinds = table["Kind"].to_numpy(zero_copy_only=False)

    def claim(self, table: pa.Table, kind: str, key: str) -> Rows:
        """Rows on record for these keys, -1 where there is none; they are not gone.

        A run is named by its id alone, everything else within its group.
        """
        of_kind = np.flatnonzero(self._kinds == kind)
        found = np.full(table.num_rows, -1)
        if not len(of_kind) or not table.num_rows:
            return found
        names = ["Tenant"] if kind == "runs" else ["Tenant", "GroupKey"]
        record = self._table.take(pa.array(of_kind))
        number, count = codes(
            *(np.concatenate([_objects(record[n]), _objects(table[n])]) for n in names),
            np.concatenate([_objects(record["Key"]), _objects(table[key])]),
        )
        row_of = np.full(count, -1)
        row_of[number[: len(of_kind)]] = of_kind
        found = row_of[number[len(of_kind) :]]
        self._claimed[found[found >= 0]] = True
        return found

    def groups(self, rows: Rows, otherwise: pa.ChunkedArray) -> pa.Array:
        """The groups under which keys stand: a run keeps the one it had first."""
        given = otherwise.to_numpy(zero_copy_only=False)
        if not len(self._groups):
            return pa.array(given, pa.string())
        return pa.array(np.where(rows >= 0, self._groups[rows], given), pa.string())

    def bucket(self, rows: Rows) -> Rows:
        """The hour under which rows stand; meaningless where the row is -1."""
        return self._buckets[rows] if len(self._buckets) else np.zeros_like(rows)

    def fingerprint(self, rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        """The content on record; 0 for a row that is marked as deleted."""
        if not len(self._fingerprints):
            return np.zeros(len(rows), dtype=np.uint64)
        live = self._deleted[rows] == 0
        return np.where(live, self._fingerprints[rows], np.uint64(0))

    def gone(self) -> pa.Table:
        """Live keys that nobody claimed: what is no longer derived."""
        return self._table.filter(pa.array(~self._claimed & (self._deleted == 0)))


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written for one canonical table.

    Attributes:
        rows: Rows of the table that differ from what is on record.
        keys: Their rows of ``canonical_keys``, with the fingerprint that says so.
        fresh_keys: Rows of ``canonical_keys`` for what was not on record at all.
    """

    rows: pa.Table
    keys: pa.Table
    fresh_keys: pa.Table


def change_of(
    table: pa.Table,
    kind: str,
    key: str,
    written: Written,
    version: int,
    *,
    everything: bool = False,
) -> Change:
    """The rows that differ from what is on record, under the hour on record.

    Args:
        table: Rows as they are derived now.
        kind: What they are, as ``canonical_keys`` says it.
        key: The column that names a row.
        written: What is on record.
        version: Version of the new rows; their keys get the next one.
        everything: Write rows that do not differ, too.
    """
    count = table.num_rows
    found = written.claim(table, kind, key)
    known = found >= 0
    bucket = np.where(known, written.bucket(found), table["Bucket"].to_numpy())
    if "Fingerprint" in table.column_names:
        fingerprint = table["Fingerprint"].to_numpy()
        changed = ~known | (written.fingerprint(found) != fingerprint) | everything
        table = table.drop_columns(["Fingerprint"])
    else:
        fingerprint = np.ones(count, dtype=np.uint64)
        changed = np.ones(count, dtype=bool)
    key_rows = pa.table(
        {
            "Tenant": table["Tenant"],
            "GroupKey": written.groups(found, table["GroupKey"]),
            "Kind": pa.array([kind] * count, pa.string()),
            "Key": table[key],
            "Bucket": pa.array(bucket, pa.int64()).cast(pa.timestamp("s")),
            "Fingerprint": fingerprint,
            "IsDeleted": np.zeros(count, dtype=np.uint8),
            "Version": np.full(count, version + 1, dtype=np.uint64),
        }
    )
    fresh = key_rows.filter(pa.array(~known))
    rows = _set(table, "Bucket", key_rows["Bucket"]).drop_columns(["GroupKey"])
    for name, value in (
        ("RulesVersion", np.full(count, RULES_VERSION, dtype=np.uint16)),
        ("Version", np.full(count, version, dtype=np.uint64)),
        ("IsDeleted", np.zeros(count, dtype=np.uint8)),
    ):
        rows = rows.append_column(name, pa.array(value))
    mask = pa.array(changed)
    zero = pa.array(np.zeros(fresh.num_rows, dtype=np.uint64))
    early = pa.array(np.full(fresh.num_rows, first_version(version), dtype=np.uint64))
    return Change(
        rows=rows.filter(mask),
        keys=key_rows.filter(mask),
        fresh_keys=_set(_set(fresh, "Fingerprint", zero), "Version", early),
    )


def first_version(version: int) -> int:
    """The version of keys that are put on record before there are rows under them.

    Of two collectors that do so at once the earlier one's hour holds: the earlier, the
    higher, and lower than that of any key with rows.

    Args:
        version: The version of the rows, Unix nanoseconds.
    """
    return _FIRST_VERSIONS - version


def _set(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def tombstones(gone: pa.Table, kind: str, key: str, version: int) -> pa.Table:
    """Rows that take back what is no longer derived."""
    mine = gone.filter(pc.equal(gone["Kind"], kind))
    return pa.table(
        {
            "Tenant": mine["Tenant"],
            "Bucket": mine["Bucket"].cast(pa.int64()).cast(pa.timestamp("s")),
            "TraceId": mine["GroupKey"],
            key: mine["Key"],
            "Version": np.full(mine.num_rows, version, dtype=np.uint64),
            "IsDeleted": np.ones(mine.num_rows, dtype=np.uint8),
        }
    )


def deleted_keys(gone: pa.Table, version: int) -> pa.Table:
    """Rows of ``canonical_keys`` that say so."""
    count = gone.num_rows
    return pa.table(
        {
            "Tenant": gone["Tenant"],
            "GroupKey": gone["GroupKey"],
            "Kind": gone["Kind"],
            "Key": gone["Key"],
            "Bucket": gone["Bucket"].cast(pa.int64()).cast(pa.timestamp("s")),
            "Fingerprint": gone["Fingerprint"],
            "IsDeleted": np.ones(count, dtype=np.uint8),
            "Version": np.full(count, version + 1, dtype=np.uint64),
        }
    )


def _objects(column: pa.ChunkedArray) -> Strings:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)
