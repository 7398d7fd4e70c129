"""What agents of generated runs are asked to do; none of it is simple."""

from __future__ import annotations

from typing import Final

BUILDS: Final = (
    (
        "Refactor the session store so that every backend shares one locking protocol. Keep "
        "the public interface, migrate the three call sites in api/, worker/ and cli/, and "
        "make the concurrency tests in tests/store pass without sleeping."
    ),
    (
        "Implement incremental export for the billing service: read the change feed, merge "
        "late events by version, write partitioned Parquet, and add tests for duplicates and "
        "out-of-order events. The old exporter must keep working until it is switched off."
    ),
    (
        "Fix the race between cancellation and retry in the job runner. Reproduce it with a "
        "test first, find out which of scheduler.py, lease.py and runner.py is at fault, and "
        "explain why the fix cannot lose a job."
    ),
)
QUESTIONS: Final = (
    (
        "Research how storage engines keep secondary indexes consistent under concurrent "
        "compaction. Compare at least four designs, with sources, and say which trade-offs "
        "matter for a write-heavy workload with late data."
    ),
    (
        "Analyse the incident of last night across the metrics, the deploy log and the three "
        "services involved; work out a causal chain, list what contradicts it, and propose "
        "what to change in the architecture."
    ),
)
PARTS: Final = (
    (
        "Investigate one design in depth: read the primary sources, follow the references, "
        "check the claims against the code, and report how it behaves when compaction and "
        "writes collide, with figures."
    ),
    (
        "Work through one service's logs and traces for the time of the incident, correlate "
        "errors with deploys and load, and report what was cause and what was effect."
    ),
)
JOBS: Final = (
    (
        "Port one module to the new storage interface, update its tests, run them, and fix "
        "what they find. Do not touch other modules."
    ),
)
CHATS: Final = (
    (
        "A customer says that an invoice was charged twice after a plan change; find out from "
        "the account and the ledger what happened and answer with what we will do."
    ),
)
