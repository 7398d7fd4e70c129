"""Writes a snapshot for every moment of a run of which one is wanted, once for each."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.run import Run
from fleetspan_collector.snapshots.moment import Moment, Trigger
from fleetspan_collector.snapshots.raw import Raw
from fleetspan_collector.snapshots.requests import Requests
from fleetspan_collector.snapshots.rows import LAYOUT, TOMBSTONE, Wanted, row_of
from fleetspan_collector.snapshots.standing import Standings
from fleetspan_collector.snapshots.triggers import moments
from fleetspan_collector.store._engine import Engine

_TABLE: Final = "stored_snapshots"
_ID_BYTES: Final = 8
_REMEMBERED: Final = 100_000
"""Snapshots of which is known what they were written from; beyond, the oldest is
forgotten, and written again when its run changes."""

_MOST_LEFT: Final = 2000
"""Runs that wait while the store fails; more than one batch of them."""

_RUNS_AT_ONCE: Final = 20
"""Runs whose raw rows are read together: bounds their memory."""

_ENDED: Final = ("ok", "error")
_LATEST_NS: Final = 2**62  # in 2116; the store's times end in 2262


def snapshot_id(tenant: str, run_id: str, trigger: str, place: str) -> str:
    """The id of a snapshot: the same whenever and wherever it is taken again."""
    what = f"{tenant}\0{run_id}\0{trigger}\0{place}".encode()
    return hashlib.blake2b(what, digest_size=_ID_BYTES).hexdigest()


class Capturer:
    """Takes the snapshots of runs that have changed.

    Looking at a run again writes nothing, unless rows have come since that change what a
    snapshot says; its row is then replaced.

    Args:
        engine: A connection that this object alone uses.
        settings: When a snapshot is taken.
        clock: Unix nanoseconds.

    Attributes:
        wants_live: Whether somebody waits for it, which nobody does.
    """

    wants_live = False

    def __init__(
        self,
        engine: Engine,
        settings: ProcessorSettings,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._requests = Requests(engine)
        self._left: list[Run] = []
        self._written: OrderedDict[str, tuple[object, ...]] = OrderedDict()

    def analysed(self, runs: Sequence[Run], written: object = None) -> None:
        """Take what there is to take of runs that were just analysed.

        What the store did not take is tried again with the next ones.

        Raises:
            ClickHouseError: When the store fails.
        """
        latest = {(run.facts.tenant, run.facts.run_id): run for run in self._left}
        latest |= {(run.facts.tenant, run.facts.run_id): run for run in runs}
        self._left = list(latest.values())[-_MOST_LEFT:]
        self.capture(self._left)
        self._left = []

    def capture(self, runs: Sequence[Run]) -> int:
        """Take the snapshots of some runs.

        Args:
            runs: Runs that have changed, whether or not they still go on.

        Returns:
            How many were written, for the first time or again.

        Raises:
            ClickHouseError: When the store fails; it can be done again.
        """
        if not runs:
            return 0
        self._take_back(runs)
        asked = self._requests.of(runs, self._settings)
        wanted: list[Wanted] = []
        for run in runs:
            key = (run.facts.tenant, run.facts.run_id)
            found = [*moments(run, self._settings), *asked.get(key, ())]
            if found:
                wanted.extend(self._changed(run, found))
        return self._write(wanted)

    def _take_back(self, runs: Sequence[Run]) -> None:
        """Take back that nobody ended a run of which the end has come after all.

        A run that is imported arrives in parts, and may look abandoned for a moment.
        """
        gone = []
        for run in runs:
            facts = run.facts
            if facts.status in _ENDED:
                name = snapshot_id(facts.tenant, facts.run_id, Trigger.ABANDONED, "")
                if self._written.pop(name, None) is not None:
                    gone.append(
                        {
                            "Tenant": facts.tenant,
                            "RunId": facts.run_id,
                            "SnapshotId": name,
                            "Bucket": facts.bucket_s,
                            "Version": self._clock(),
                            "IsDeleted": 1,
                        }
                    )
        self._engine.insert_arrow(_TABLE, pa.Table.from_pylist(gone, TOMBSTONE))

    def take(self, run: Run, *, reason: str = "") -> str:
        """Take a snapshot of a run as it stands, by hand.

        Returns:
            Its id.

        Raises:
            ClickHouseError: When the store fails.
        """
        now_ns = self._clock()
        facts = run.facts
        moment = Moment(
            trigger=Trigger.MANUAL,
            place=str(now_ns),
            # Of a run that has ended the end: nothing has changed since.
            at_ns=now_ns if facts.open else facts.last_activity_ns,
            reason=reason or "taken by hand",
        )
        (wanted,) = self._changed(run, [moment])
        self._write([wanted])
        return wanted.snapshot_id

    def _changed(self, run: Run, found: Sequence[Moment]) -> list[Wanted]:
        standings = Standings(run)
        facts = run.facts
        wanted = []
        for moment in found:
            at_ns = int(np.clip(moment.at_ns, 0, _LATEST_NS))
            mark = (at_ns, moment.state.hash, *standings.mark(at_ns))
            name = moment.place
            if moment.trigger is not Trigger.SDK:
                name = snapshot_id(
                    facts.tenant, facts.run_id, moment.trigger, moment.place
                )
            if self._written.get(name) != mark:
                wanted.append(
                    Wanted(
                        run=run,
                        moment=moment,
                        at_ns=at_ns,
                        snapshot_id=name,
                        mark=mark,
                    )
                )
        return wanted

    def _write(self, wanted: Sequence[Wanted]) -> int:
        of_run: dict[int, list[Wanted]] = {}
        for each in wanted:
            of_run.setdefault(id(each.run), []).append(each)
        groups = list(of_run.values())
        for first in range(0, len(groups), _RUNS_AT_ONCE):
            some = groups[first : first + _RUNS_AT_ONCE]
            raw = Raw(
                self._engine,
                [(group[0].run, [each.at_ns for each in group]) for group in some],
            )
            rows = []
            for group in some:
                standings = Standings(group[0].run)
                rows += [row_of(each, standings, raw, self._clock()) for each in group]
            self._engine.insert_arrow(_TABLE, pa.Table.from_pylist(rows, LAYOUT))
            for group in some:
                for each in group:
                    self._remember(each)
        return len(wanted)

    def _remember(self, wanted: Wanted) -> None:
        self._written[wanted.snapshot_id] = wanted.mark
        self._written.move_to_end(wanted.snapshot_id)
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)
