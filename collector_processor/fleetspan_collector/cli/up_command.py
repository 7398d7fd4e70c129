"""``fleetspan up``."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from typing import Annotated, Final

import typer
from rich.text import Text

from fleetspan_collector.cli._collector import check_start, serve
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli.claude_flush_command import send_kept
from fleetspan_collector.config import Endpoints, Settings, show

_WHERE: Final = "HOST:PORT|off"
Grpc = Annotated[
    str | None, typer.Option("--grpc", help="OTLP gRPC receiver.", metavar=_WHERE)
]
Http = Annotated[
    str | None, typer.Option("--http", help="OTLP HTTP receiver.", metavar=_WHERE)
]
Web = Annotated[
    str | None, typer.Option("--web", help="Health, metrics, API.", metavar=_WHERE)
]
ClickHouse = Annotated[
    str | None,
    typer.Option("--clickhouse", help="ClickHouse HTTP.", metavar=_WHERE),
]
Jaeger = Annotated[
    str | None,
    typer.Option("--jaeger", help="Jaeger's storage.", metavar=_WHERE),
]
Insecure = Annotated[
    bool | None,
    typer.Option("--insecure", help="Allow listening beyond this machine."),
]
_SWITCH_S: Final = 0.001
_NAMES: Final = {
    "otlp_grpc": "OTLP gRPC",
    "otlp_http": "OTLP HTTP",
    "web": "web and API",
    "clickhouse": "ClickHouse HTTP",
    "jaeger": "Jaeger storage",
}


def up(
    invocation: Invocation,
    grpc: Grpc = None,
    http: Http = None,
    web: Web = None,
    clickhouse: ClickHouse = None,
    jaeger: Jaeger = None,
    insecure: Insecure = None,
) -> None:
    """Run a collector in the foreground until Ctrl-C, then store what has arrived."""
    flags = {
        "grpc": grpc,
        "http": http,
        "web": web,
        "clickhouse": clickhouse,
        "jaeger": jaeger,
        "insecure": insecure,
    }
    settings = invocation.load(flags).settings
    check_start(settings)

    def ready(endpoints: Endpoints) -> None:
        _announce(invocation, settings, endpoints)
        if endpoints.otlp_http is not None:
            send_kept(endpoints.otlp_http)

    # An answer changes threads three times, and each time waits until Python that is
    # deriving lets go: by default 5 ms. With a thread at work a third of the time, nine
    # of ten answers came within 8 ms in place of 15.
    sys.setswitchinterval(_SWITCH_S)
    received = asyncio.run(serve(settings, ready=ready))
    invocation.err.print(f"stopped by {received.name}; everything acknowledged is kept")


def _announce(invocation: Invocation, settings: Settings, endpoints: Endpoints) -> None:
    listening = dataclasses.asdict(endpoints)
    if invocation.json:
        invocation.write_json({**listening, "pid": os.getpid()})
        sys.stdout.flush()
        return
    out = invocation.out
    for name, address in listening.items():
        if address is not None:
            out.print(Text(f"{_NAMES[name]:<12} {address}"))
    out.print(Text(f"{'data':<12} {settings.data}"))
    out.print(Text(f"{'store':<12} {show(settings.store)}"))
    if endpoints.otlp_http is not None:
        scheme = "http" if settings.tls_cert_file is None else "https"
        hint = f"OTEL_EXPORTER_OTLP_ENDPOINT={scheme}://{endpoints.otlp_http}"
        invocation.err.print(Text(f"send spans with {hint}; Ctrl-C stops"))
    sys.stdout.flush()
