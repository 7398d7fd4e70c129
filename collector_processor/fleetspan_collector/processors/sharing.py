"""Several collectors share the runs of one store, without a leader.

Each says every few seconds that it is there; a run belongs to the one that comes out
highest when its id is hashed with theirs (rendezvous hashing). When one goes, only its
runs change hands. Two that disagree for a moment both analyse a run, and write the same.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection

import pyarrow as pa

from fleetspan_collector.processors.batch import RunKey
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine


def owner_of(key: RunKey, collectors: Collection[str]) -> str:
    """The collector that analyses a run.

    Args:
        key: The run.
        collectors: Ids of those that are there, at least one.
    """
    return max(collectors, key=lambda each: _height(each, key))


def _height(collector: str, key: RunKey) -> tuple[bytes, str]:
    text = f"{collector}\0{key[0]}\0{key[1]}".encode()
    return hashlib.blake2b(text, digest_size=8).digest(), collector


class Peers:
    """The collectors of a store.

    Args:
        engine: A connection that is used by one thread at a time.
        own_id: Id of this collector, unique in the store.
        seen_s: Seconds after which one that says nothing is taken to be gone.
    """

    def __init__(self, engine: Engine, own_id: str, *, seen_s: float = 15.0) -> None:
        self._engine = engine
        self._own_id = own_id
        self._seen_s = seen_s
        self._told_at = float("-inf")
        self._others: frozenset[str] = frozenset()

    @property
    def alone(self) -> bool:
        """Whether no other collector is there."""
        return not self._others

    def look(self) -> bool:
        """Say that this one is there and see who else is, when it is time to.

        Returns:
            Whether the others are not those of before: runs have changed hands.
        """
        if time.monotonic() - self._told_at < self._seen_s / 3:
            return False
        self._engine.insert_arrow(
            "collectors",
            pa.table(
                {
                    "CollectorId": [self._own_id],
                    "SeenAt": pa.array([time.time_ns() // 1_000_000], pa.int64()).cast(
                        pa.timestamp("ms")
                    ),
                }
            ),
        )
        rows = self._engine.arrow(
            _sql.render("live_collectors", database=self._engine.address.database),
            {"seen_s": self._seen_s},
        )
        others = frozenset(rows["CollectorId"].to_pylist()) - {self._own_id}
        changed = others != self._others
        self._others = others
        self._told_at = time.monotonic()
        return changed

    def are_mine(self, key: RunKey) -> bool:
        """Whether this collector analyses a run."""
        if not self._others:
            return True
        return owner_of(key, [self._own_id, *self._others]) == self._own_id
