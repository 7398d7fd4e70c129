"""The whole schema as a file: ``python -m fleetspan_collector.store.ddl``.

For whoever does not let a collector make tables. The cluster, shards and replicas are
those of the servers' own macros ``{cluster}``, ``{shard}`` and ``{replica}``.
"""

from __future__ import annotations

import sys
from typing import Final

from fleetspan_collector.store.migrate import Retention, statements

_HEAD: Final = """\
-- Fleetspan's tables on a ClickHouse cluster; see "On a cluster" in
-- collector_processor/fleetspan_collector/store/README.md.
-- Written by: python -m fleetspan_collector.store.ddl
-- Needs ClickHouse 25.8 or later, Keeper or ZooKeeper, and on every server the macros
-- cluster, shard and replica. Run it once, on any node:
--   clickhouse-client --queries-file cluster.sql
-- Collectors then use FLEETSPAN_STORE=clickhouse://USER:PASSWORD@HOST:8123/otel?cluster=NAME
"""
_IDLE_TIMEOUT_S: Final = 900.0


def as_text() -> str:
    """Return the statements of a new store on a cluster, each ending with ``;``."""
    made = statements(
        "otel", "'{cluster}'", retention=Retention(), idle_timeout_s=_IDLE_TIMEOUT_S
    )
    return _HEAD + "".join(f"\n{statement};\n" for statement in made)


if __name__ == "__main__":
    sys.stdout.write(as_text())
