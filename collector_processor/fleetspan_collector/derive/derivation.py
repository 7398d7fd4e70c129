"""The two derived steps over windows of raw rows: normalise, then resolve.

Both can be run again at any time with the same result: evidence replaces itself by
content, and canonical rows are written under keys that never change once written.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector.derive.changes import (
    Written,
    change_of,
    deleted_keys,
    first_version,
    tombstones,
)
from fleetspan_collector.derive.liveness import dead, own_scope
from fleetspan_collector.derive.normalise import (
    Group,
    Normaliser,
    Window,
    groups_of,
    insert_select,
)
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.derive.resolve import Canonical, resolve
from fleetspan_collector.derive.rules import RULES_VERSION
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.conditions import condition_on

logger = logging.getLogger("fleetspan.derive")

_GROUPS_AT_ONCE: Final = 2000
"""Bounds the memory and the statement text of one resolve."""

_ATTEMPTS: Final = 5
"""For groups that another collector writes at the same moment."""

_TABLES: Final = (
    ("canonical_agents", "agents", "AgentId"),
    ("canonical_llm_calls", "llm_calls", "CallId"),
    ("canonical_tool_calls", "tool_calls", "SpanId"),
    ("canonical_runs", "runs", "RunId"),
)


class Derivation:
    """Derives canonical rows from windows of raw rows.

    Args:
        engine: A connection that this object alone uses.
        prices: What tokens cost.
        changed: Told which runs have been written, or taken back: tenant, run id and the
            hour they are stored under, in Unix seconds.

    Attributes:
        engine: The connection.
        prices: What tokens cost from the next resolve on.
        lock: Held while something is derived; whoever else writes derived rows holds
            it, too.
        shared: Whether other collectors may write into the store.
    """

    def __init__(
        self,
        engine: Engine,
        prices: PriceBook,
        changed: Callable[[Iterable[tuple[str, str, int]]], None] = lambda runs: None,
    ) -> None:
        self.engine = engine
        self._changed = changed
        self.prices = prices
        self._database = engine.address.database
        self._normaliser = Normaliser(engine)
        self.lock = threading.Lock()
        self.shared = not engine.address.embedded
        # Of what is at work: the process that does it, as far as it is named.
        self._at_work: dict[tuple[str, str, str, str], str] = {}
        self._looked_back = False
        self._rebuilding = False
        self._version = 0

    def derive(self, windows: Sequence[Window]) -> tuple[int, int]:
        """Normalise the windows and resolve every group they touch.

        Returns:
            How many groups were resolved, and how many could not be.

        Raises:
            ClickHouseError: When the store fails; the windows can be derived again.
        """
        with self.lock:
            groups: set[Group] = set()
            for window in windows:
                groups |= self._normaliser.window(window)
            return self._resolve_all(groups)

    def rebuild(self, progress: Callable[[str], None]) -> tuple[int, int]:
        """Derive again whatever the raw tables still tell of in full.

        Older rows, of which raw rows have expired, stay as they are; and so does what
        was seen of dead processes, as no raw row tells of it.

        Args:
            progress: Told what is done next.

        Returns:
            How many groups were resolved, and how many could not be.

        Raises:
            ClickHouseError: When the store fails; it can be called again.
        """
        with self.lock:
            seen = self.engine.arrow(
                f"SELECT * FROM {self._database}.evidence WHERE Source = 'liveness'"
            )
            for table in ("evidence", "evidence_links", "otel_traces_trace_id_ts"):
                where = self.engine.address.on_nodes(table)
                self.engine.command(f"TRUNCATE TABLE {where}")
            self.engine.insert_arrow("evidence", seen)
            groups = self._normaliser.everything(progress) - self._partly_expired()
            progress(f"{len(groups)} traces")
            self._rebuilding = True
            try:
                return self._resolve_all(groups)
            finally:
                self._rebuilding = False

    def _partly_expired(self) -> set[Group]:
        """Groups that began before the oldest raw span that is left."""
        return groups_of(
            self.engine.arrow(
                "SELECT DISTINCT Tenant, GroupKey"
                f" FROM {self._database}.canonical_keys WHERE Bucket <"
                " (SELECT toDateTime(toStartOfDay(min(Timestamp)))"
                f" FROM {self._database}.otel_traces)"
            )
        )

    def find_dead(self) -> int:
        """Mark what a dead process was doing as abandoned.

        Returns:
            How many runs, agents and tool calls that were.
        """
        with self.lock:
            if not self._looked_back:
                self._look_back()
            gone = dead(self._at_work.values())
            if not gone:
                return 0
            found = [key for key, process in self._at_work.items() if process in gone]
            self.engine.insert_arrow("evidence", _abandoned(found))
            self._resolve_all({(tenant, group) for tenant, group, _, _ in found})
        return len(found)

    def _resolve_all(self, groups: set[Group]) -> tuple[int, int]:
        ordered = sorted(groups)
        failed = 0
        for first in range(0, len(ordered), _GROUPS_AT_ONCE):
            failed += self._resolve_apart(ordered[first : first + _GROUPS_AT_ONCE])
        return len(ordered) - failed, failed

    def _resolve_apart(self, groups: Sequence[Group]) -> int:
        """Resolve groups; one that cannot be does not hold up the others.

        Returns:
            How many could not be resolved.
        """
        try:
            self._resolve(groups)
        except ClickHouseError:
            raise
        except Exception:
            if len(groups) == 1:
                logger.exception("group %s of tenant %r", groups[0][1], groups[0][0])
                return 1
            middle = len(groups) // 2
            return self._resolve_apart(groups[:middle]) + self._resolve_apart(
                groups[middle:]
            )
        return 0

    def _resolve(self, groups: Sequence[Group]) -> None:
        for _ in range(_ATTEMPTS):
            if self._resolve_undisturbed(groups):
                return
        # The last attempt stands; the others' are of what they read later.
        logger.warning("%d groups are written by several collectors", len(groups))

    def _resolve_undisturbed(self, groups: Sequence[Group]) -> bool:
        """Resolve groups; tells whether nobody else wrote them meanwhile.

        Of a store of several collectors another one may have read less, or more, of the
        same groups, and have put a row under another hour.
        """
        # Before anything is read: who reads later, and so more, has the higher version.
        version = self.next_version()
        tokens = {
            "database": self._database,
            "groups": condition_on(groups, "GroupKey"),
        }
        insert_select(self.engine, "evidence_links", "link_runs", tokens)
        tokens["groups"] = condition_on(self._with_linked(groups), "GroupKey")
        written_before = self._versions(tokens)
        evidence = self.engine.arrow(_sql.render("read_evidence", **tokens))
        if not evidence.num_rows:
            return True
        self._note_work(evidence)
        canonical = resolve(evidence, self.prices)
        written = self.engine.arrow(_sql.render("read_keys", **tokens))
        own = {first_version(version), version + 1}

        def disturbed() -> bool:
            return bool(self._versions(tokens) - written_before - own)

        return self._write(canonical, Written(written), version, disturbed)

    def _versions(self, tokens: dict[str, str]) -> set[int]:
        """Versions of what is on record of groups; none where this one is alone."""
        if not self.shared:
            return set()
        found = self.engine.arrow(_sql.render("key_versions", **tokens))
        return set(found["Version"].to_pylist())

    def _with_linked(self, groups: Sequence[Group]) -> list[Group]:
        """Groups and all that share a run with them, at first or at second hand.

        A run is written whole or not at all: one group may tell of two runs, and each
        of these may have groups that the other knows nothing of.
        """
        whole: set[Group] = set()
        linked = set(groups)
        while not linked <= whole:
            whole |= linked
            tokens = {
                "database": self._database,
                "groups": condition_on(sorted(whole), "GroupKey"),
            }
            linked = groups_of(
                self.engine.arrow(_sql.render("linked_groups", **tokens))
            )
        return sorted(whole)

    def _look_back(self) -> None:
        """Remember what was at work when an earlier collector ended."""
        scope = own_scope()
        if scope is not None:
            statement = _sql.render("unended", database=self._database)
            for row in self.engine.arrow(statement, {"scope": scope}).to_pylist():
                key = (row["Tenant"], row["GroupKey"], row["Key"], row["Kind"])
                self._at_work.setdefault(key, row["Process"])
        self._looked_back = True

    def _note_work(self, evidence: pa.Table) -> None:
        named = evidence.filter(pc.not_equal(evidence["Process"], ""))
        rows = named.select(
            ["Tenant", "GroupKey", "Key", "Kind", "Status", "Process"]
        ).filter(pc.not_equal(named["Kind"], "call"))
        for row in rows.filter(pc.equal(rows["Status"], "running")).to_pylist():
            key = (row["Tenant"], row["GroupKey"], row["Key"], row["Kind"])
            self._at_work[key] = row["Process"]
        if self._at_work:
            ended = rows.filter(pc.not_equal(rows["Status"], "running"))
            for row in ended.to_pylist():
                key = (row["Tenant"], row["GroupKey"], row["Key"], row["Kind"])
                self._at_work.pop(key, None)

    def _write(
        self,
        canonical: Canonical,
        written: Written,
        version: int,
        disturbed: Callable[[], bool],
    ) -> bool:
        """Write what has changed; tells whether nobody else wrote meanwhile."""
        changes = [
            change_of(
                getattr(canonical, kind),
                kind,
                key,
                written,
                version,
                everything=self._rebuilding,
            )
            for _, kind, key in _TABLES
        ]
        gone = written.gone()
        # First the keys of new rows, so that a row is never under a key that is not on
        # record; then the rows; then the fingerprints, which say that they are there.
        fresh = [change.fresh_keys for change in changes]
        fresh = [table for table in fresh if table.num_rows]
        self._insert_all("canonical_keys", fresh)
        if fresh and disturbed():
            # The same rows, or some of them, may be on record under another hour now.
            return False
        for (table, kind, key), change in zip(_TABLES, changes, strict=True):
            self.engine.insert_arrow(table, change.rows)
            self.engine.insert_arrow(table, tombstones(gone, kind, key, version))
        keys = [change.keys for change in changes if change.keys.num_rows]
        if gone.num_rows:
            keys.append(deleted_keys(gone, version))
        self._insert_all("canonical_keys", keys)
        self._changed(_runs_of(changes[-1].rows, gone))
        wrote = bool(keys) or any(change.rows.num_rows for change in changes)
        return not (wrote and disturbed())

    def next_version(self) -> int:
        """A version above every earlier one, even when the clock was set back."""
        if not self._version:
            newest = f"SELECT max(Version) FROM {self._database}.canonical_keys"
            self._version = int(str(self.engine.command(newest)))
        # Keys take the next number after their rows.
        self._version = max(time.time_ns(), self._version + 2)
        return self._version

    def _insert_all(self, table: str, parts: list[pa.Table]) -> None:
        if parts:
            self.engine.insert_arrow(table, pa.concat_tables(parts))


def _runs_of(rows: pa.Table, gone: pa.Table) -> Iterable[tuple[str, str, int]]:
    """Runs that were written and runs that were taken back, with their hours."""
    no_more = gone.filter(pc.equal(gone["Kind"], "runs"))
    for table, name in ((rows, "RunId"), (no_more, "Key")):
        yield from zip(
            table["Tenant"].to_pylist(),
            table[name].to_pylist(),
            table["Bucket"].cast(pa.int64()).to_pylist(),
            strict=True,
        )


def _abandoned(found: Sequence[tuple[str, str, str, str]]) -> pa.Table:
    """Evidence that the process of each (tenant, group, key, kind) has ended."""
    count = len(found)
    columns = list(zip(*found, strict=True))
    return pa.table(
        {
            **{
                name: pa.array(column, pa.string())
                for name, column in zip(
                    ("Tenant", "GroupKey", "Key", "Kind"), columns, strict=True
                )
            },
            "Source": pa.array(["liveness"] * count),
            "SourceRank": np.full(count, 5, dtype=np.uint8),
            "Status": pa.array(["abandoned"] * count),
            "RulesVersion": np.full(count, RULES_VERSION, dtype=np.uint16),
            "ReceivedAt": pa.array([time.time_ns()] * count, pa.timestamp("ns")),
        }
    )
