"""``fleetspan doctor``."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.cli._checks import (
    Check,
    check_data,
    check_disk,
    check_otel,
    check_owner,
    check_ports,
    check_prices,
    check_quarantine,
    check_versions,
    failed,
)
from fleetspan_collector.cli._claude_checks import (
    DAYS,
    check_claude_feeds,
    check_spool,
)
from fleetspan_collector.cli._claude_checks import NAME as CLAUDE_FEEDS
from fleetspan_collector.cli._collector import make_collector
from fleetspan_collector.cli._delivery_checks import NAME as DELIVERIES
from fleetspan_collector.cli._delivery_checks import check_deliveries
from fleetspan_collector.cli._errors import translate
from fleetspan_collector.cli._forward_checks import NAME as FORWARDING
from fleetspan_collector.cli._forward_checks import check_forwarding
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._processor_checks import NAME as PROCESSORS
from fleetspan_collector.cli._processor_checks import check_processors
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.cli._text import plain
from fleetspan_collector.config import Endpoint, Endpoints, Settings

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "red"}
_DELIVERIES_S: Final = 30.0
_QUICK_S: Final = 5.0
_FREE: Final = Endpoint("127.0.0.1", 0)


def doctor(invocation: Invocation) -> int:
    """Check the installation: versions, directory, ports and one span's whole way."""
    settings = invocation.load().settings
    checks: list[Check] = []
    for check in run_checks(settings):
        checks.append(check)
        if not invocation.json:
            _print(invocation, check)
    healthy = all(check.status != "fail" for check in checks)
    if invocation.json:
        rows = [
            {**dataclasses.asdict(check), "fix": check.fix or None} for check in checks
        ]
        invocation.write_json({"ok": healthy, "checks": rows})
    return 0 if healthy else 1


def run_checks(settings: Settings) -> Iterator[Check]:
    """Yield every check as it is done."""
    yield check_versions()
    data = check_data(settings)
    yield data
    yield check_disk(settings)
    owner, owned = check_owner(settings)
    yield owner
    yield from check_ports(settings, owned)
    yield from check_otel(settings, os.environ)
    yield check_prices(settings)
    yield check_quarantine(settings)
    yield check_spool()
    if owned is not None:
        yield from _checks_of_running(owned, settings)
    elif data.status == "ok" and owner.status == "ok":
        yield from _checks_of_temporary(settings)


def _checks_of_running(endpoints: Endpoints, settings: Settings) -> list[Check]:
    database = settings.store.database
    shown = OwnerPass.read(settings.data)
    # Its own short patience where the answer must be at hand.
    source = OwnerSource(endpoints.web or "", shown, timeout_s=_DELIVERIES_S)
    quick = OwnerSource(endpoints.web or "", shown, timeout_s=_QUICK_S)
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("ready", lambda: _ready(quick)),
        ("schema", lambda: _schema(quick, database)),
        (CLAUDE_FEEDS, lambda: _claude_feeds(source, database)),
        (PROCESSORS, lambda: check_processors(source.text("/metrics"))),
        (DELIVERIES, lambda: check_deliveries(source, database)),
        (FORWARDING, lambda: check_forwarding(_lags(quick))),
    ]
    if endpoints.web is None:
        off = "the web port is off"
        return [Check(name=name, status="warn", detail=off) for name, _ in checks]
    checks.insert(2, ("round trip", lambda: _round_trip(endpoints, database, shown)))
    return [_guarded(name, check) for name, check in checks]


def _checks_of_temporary(settings: Settings) -> list[Check]:
    """Run the checks against a collector of our own, on free ports.

    It takes the data directory itself when there is one, as ``up`` would, so that what
    stops ``up`` shows here; without one it takes a directory that is removed again.
    """
    with tempfile.TemporaryDirectory(prefix="fleetspan-doctor-") as scratch:
        changes = {"grpc": _FREE, "http": _FREE, "web": _FREE, "insecure": False}
        changes |= {"clickhouse": None, "jaeger": None}
        if not settings.data.is_dir():
            empty = Settings(data=Path(scratch))
            embedded = settings.store.embedded
            changes |= {"data": empty.data} | (
                {"store": empty.store} if embedded else {}
            )
        temporary = dataclasses.replace(settings, **changes)  # type: ignore[arg-type]
        try:
            return asyncio.run(_with_collector(temporary))
        except Exception as error:  # noqa: BLE001 - a check that fails is its result
            return [failed("collector", translate(error))]


async def _with_collector(settings: Settings) -> list[Check]:
    collector = make_collector(settings)
    endpoints = await collector.start()
    try:
        return await asyncio.to_thread(_checks_of_running, endpoints, settings)
    finally:
        await collector.stop()


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except CollectorError as error:
        return failed(name, error)


def _ready(source: OwnerSource) -> Check:
    # Answers 503 with its reasons when it is not, which is an error here.
    source.get("/readyz")
    return Check(name="ready", status="ok", detail="the collector can work")


def _lags(source: OwnerSource) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = source.get("/api/v1/coverage")["forwarding"]
    return found


def _schema(source: OwnerSource, database: str) -> Check:
    from fleetspan_collector.store.migrate import latest_generation

    query = f"SELECT max(Generation) AS generation FROM {database}.fleetspan_schema"  # noqa: S608 - a checked identifier
    row = json.loads(b"".join(source.sql(query, "JSONEachRow")).splitlines()[0])
    found, latest = int(row["generation"]), latest_generation()
    if found == latest:
        return Check(name="schema", status="ok", detail=f"generation {found}")
    detail = f"the store has generation {found}, this version knows {latest}"
    fix = "stop the collector and start it again with this version"
    return Check(name="schema", status="fail", detail=detail, fix=fix)


def _round_trip(endpoints: Endpoints, database: str, shown: OwnerPass) -> Check:
    # Here, because it brings gRPC with it, which no other command needs.
    from fleetspan_collector.cli._round_trip import round_trip_ms

    took_ms = round_trip_ms(endpoints, database, shown)
    detail = f"one span sent, stored and read back in {took_ms:.0f} ms"
    return Check(name="round trip", status="ok", detail=detail)


def _claude_feeds(source: OwnerSource, database: str) -> Check:
    from fleetspan_collector.store import _sql

    query = _sql.render("claude_feeds", database=database, days=str(DAYS))
    text = b"".join(source.sql(query, "JSONEachRow"))
    return check_claude_feeds(json.loads(line) for line in text.splitlines())


def _print(invocation: Invocation, check: Check) -> None:
    line = Text(f"{check.status:<5}", style=_STYLES[check.status])
    line.append(f"{check.name}: {plain(check.detail)}", style="not bold default")
    # Not wrapped: what is to be typed can be copied.
    invocation.out.print(line, soft_wrap=True)
    if check.fix and check.status != "ok":
        invocation.out.print(Text(f"     fix: {plain(check.fix)}"), soft_wrap=True)
