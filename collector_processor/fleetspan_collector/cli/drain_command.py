"""``fleetspan drain``: hand over what a collector left in its journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer
from prometheus_client import CollectorRegistry
from rich.text import Text

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.journal import Segment

Wait = Annotated[
    float,
    typer.Option(
        "--wait", help="How long destinations may take at most.", metavar="SECONDS"
    ),
]
After = Annotated[
    float,
    typer.Option(
        "--after",
        help="How long after its last record to begin: what its clients sent elsewhere "
        "has to be stored by then.",
        metavar="SECONDS",
    ),
]
_LOOK_S: Final = 0.2


def drain(invocation: Invocation, wait: Wait = 60.0, after: After = 120.0) -> int:
    """Store what a collector that is gone has left in its journal, and forward it.

    Name its data directory with --data and its store with --store, on any machine that
    reaches both. What it had stored already, in whole or in part, or what its clients sent
    to another collector instead, is not stored twice. It can be interrupted and called again.
    Exits with 1 when a destination has not taken everything by then.
    """
    settings = invocation.load().settings
    if not (settings.data / "journal").is_dir():
        raise UsageError(
            "there is no journal to hand over",
            because=f"{settings.data} holds none",
            suggestion="fleetspan drain --data DIR --store URL",
        )
    # Here, because it brings the engine with it, which most commands do not need.
    from fleetspan_collector.backstage import Backstage

    with Backstage(settings, CollectorRegistry()) as backstage:
        left = backstage.journal.sealed()
        segments, rows = len(left), sum(segment.rows for segment in left)
        if left and not settings.store.embedded:
            _let_others_store(invocation, left, after)
        backstage.forwarders.start(backstage.journal, backstage.engine)
        backstage.pipeline.drain()
        if settings.store.embedded:
            backstage.analyst.scheduler.drain()
        behind = _forwarded(backstage.forwarders.lags, wait)
    if invocation.json:
        invocation.write_json({"segments": segments, "rows": rows, "behind": behind})
    else:
        invocation.out.print(Text(f"{rows} rows of {segments} segments are stored"))
        for name in behind:
            invocation.err.print(
                Text(f"{name} has not taken everything: call it again, or give it up")
            )
    return 1 if behind else 0


def _let_others_store(
    invocation: Invocation, left: Sequence[Segment], after_s: float
) -> None:
    last_ns = max(segment.last_received_unix_nano for segment in left)
    wait_s = last_ns / 1e9 + after_s - time.time()
    if wait_s > 0:
        invocation.err.print(
            f"waiting {wait_s:.0f} s: what it did not answer its clients may have sent "
            "to another collector, which has to have stored it"
        )
        time.sleep(min(wait_s, after_s))


def _forwarded(
    lags: Callable[[], Sequence[Mapping[str, Any]]], wait_s: float
) -> list[str]:
    """Wait for the destinations; return the names of those that lack something."""
    until_s = time.monotonic() + wait_s
    while behind := [
        str(each["destination"]) for each in lags() if each["waiting_bytes"]
    ]:
        if time.monotonic() >= until_s:
            break
        time.sleep(_LOOK_S)
    return behind
