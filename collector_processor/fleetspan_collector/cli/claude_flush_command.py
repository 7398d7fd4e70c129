"""``fleetspan claude flush``."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from fleetspan_collector.cli._invocation import Invocation
from fleetspan_hook.send import flush as send_all
from fleetspan_hook.spool import Spool, all_spools, folder_name

Url = Annotated[
    str | None,
    typer.Option("--endpoint", help="Only what is meant for this one.", metavar="URL"),
]


def flush(invocation: Invocation, endpoint: Url = None) -> int:
    """Send the hooks that were kept while no collector ran.

    A hook that finds the collector alive and `fleetspan up` do the same.
    """
    rows = []
    for spool in all_spools():
        if endpoint and folder_name(spool.endpoint) != folder_name(endpoint):
            continue
        sent, _ = send_all(spool)
        rows.append(
            {
                "endpoint": spool.endpoint,
                "sent": sent,
                "waiting": len(spool.names()),
                "refused": spool.refused,
                "dropped": spool.dropped,
            }
        )
    if invocation.json:
        invocation.write_json({"spools": rows})
    elif not rows:
        invocation.err.print("nothing waits")
    for row in () if invocation.json else rows:
        invocation.out.print(
            f"{row['endpoint']}: {row['sent']} sent, {row['waiting']} waiting, "
            f"{row['refused']} refused, {row['dropped']} dropped"
        )
    return 1 if any(row["waiting"] for row in rows) else 0


def send_kept(otlp_http: str) -> threading.Thread | None:
    """Send, from a thread, what was kept for a collector that has just started.

    Args:
        otlp_http: Where it listens, ``host:port``.

    Returns:
        The thread; ``None`` when nothing waits.
    """
    folder = folder_name(f"http://{otlp_http}")
    for spool in all_spools():
        if folder_name(spool.endpoint) == folder and spool.names():
            reachable = Spool(spool.folder, f"http://{otlp_http}")
            thread = threading.Thread(target=send_all, args=(reachable,), daemon=True)
            thread.start()
            return thread
    return None
