"""Derives everything again, in one go, and compares it with what is there.

``python afresh.py DATA`` copies the raw rows of a store that nobody owns to a second
database, derives from all of them at once, and prints per canonical table how many
rows there are, and the rows that only one of both has.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fleetspan_collector._signals import Signal
from fleetspan_collector.derive.derivation import Derivation
from fleetspan_collector.derive.normalise import Window
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.address import StoreAddress
from fleetspan_collector.store.migrate import Retention, migrate

TABLES = ("canonical_runs", "canonical_agents", "canonical_llm_calls", "canonical_tool_calls")  # fmt: skip


def rows(engine: Engine, database: str, table: str) -> set[str]:
    """Return the live rows of a table, without what an order may change."""
    text = engine.raw(
        f"SELECT * EXCEPT (Version, Bucket, IsDeleted) FROM {database}.{table} FINAL",
        "JSONEachRow",
    )
    lines = text.decode().splitlines()
    assert len(set(lines)) == len(lines), f"{database}.{table} repeats itself"
    return set(lines)


def main() -> None:
    """Derive afresh and compare."""
    path = Path(sys.argv[1]) / "store"
    engine = Engine(StoreAddress(path=path, database="afresh"))
    migrate(engine, retention=Retention(), idle_timeout_s=1e9)
    for table in ("otel_traces", "otel_logs"):
        engine.command(f"INSERT INTO afresh.{table} SELECT * FROM otel.{table}")
    everything = [Window(signal=each, condition="1") for each in (Signal.TRACES, Signal.LOGS)]  # fmt: skip
    Derivation(engine.another(), PriceBook()).derive(everything)
    report = {}
    for table in TABLES:
        there, wanted = rows(engine, "otel", table), rows(engine, "afresh", table)
        report[table] = {
            "rows": len(wanted),
            "missing": sorted(wanted - there),
            "surplus": sorted(there - wanted),
        }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
