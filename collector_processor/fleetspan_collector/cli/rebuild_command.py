"""``fleetspan rebuild``."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from fleetspan_collector.cli._invocation import Invocation


def rebuild(invocation: Invocation) -> int:
    """Derive runs, agents, calls and tools again from the raw tables.

    The collector of the data directory must be stopped. It can be interrupted and
    called again; raw rows are only read.
    """
    settings = invocation.load().settings
    # Here, because it brings the engine with it, which most commands do not need.
    from fleetspan_collector.backstage import Backstage

    with Backstage(settings, CollectorRegistry()) as backstage:
        backstage.pipeline.drain()
        resolved, failed = backstage.derivation.rebuild(
            lambda what: invocation.err.print(f"deriving {what}")
        )
    if invocation.json:
        invocation.write_json({"resolved": resolved, "failed": failed})
    else:
        invocation.out.print(f"derived again: {resolved} traces")
    return 1 if failed else 0
