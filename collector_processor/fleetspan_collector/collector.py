"""A running collector: receivers, journal, pipeline, store and web port, wired together.

::

    receivers ─► journal ─► pipeline (insert, derive, delete) ─► store ◄─ reader ◄─ web
                                        └─► dirty runs ─► scheduler ─┘
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import datetime
from typing import Final

import prometheus_client

from fleetspan_collector.access.key_gate import KeyGate, load_gate
from fleetspan_collector.access.metrics import AccessMetrics
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.access.tls import Tls
from fleetspan_collector.backstage import Backstage
from fleetspan_collector.clickhouse_http.allowed_settings import Limits
from fleetspan_collector.clickhouse_http.app import ClickHouseApp
from fleetspan_collector.clickhouse_http.connections import Connections
from fleetspan_collector.clickhouse_http.execution import ClickHouseMetrics, Serving
from fleetspan_collector.config import Endpoint, Endpoints, Settings
from fleetspan_collector.control.route import decide_routes
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.derive.reprice import reprice
from fleetspan_collector.jaeger import JaegerMetrics, JaegerServer, JaegerSources
from fleetspan_collector.own_metrics import OwnMetrics
from fleetspan_collector.receivers import (
    GrpcReceiver,
    HttpServer,
    Intake,
    OtlpHttpApp,
    ReceiverMetrics,
    ReceiverSettings,
    tenant_by,
)
from fleetspan_collector.redact import (
    ContentPolicy,
    Protection,
    RedactionMetrics,
    RedactionSettings,
    load_key,
)
from fleetspan_collector.snapshots.taking import Taking
from fleetspan_collector.store.cap import enforce_cap
from fleetspan_collector.store.leases import Leases
from fleetspan_collector.web._guard import LOOPBACK_HOSTS, HostGuard
from fleetspan_collector.web.api.rows import Rows
from fleetspan_collector.web.app import Sources, create_app

logger = logging.getLogger("fleetspan")

_HOUSEKEEPING_S: Final = 3.0
_ROUNDS_PER_CAP_CHECK: Final = 20
_GRACE_S: Final = 5.0
"""How long requests under way may take to end when the collector stops."""


class Collector:
    """A collector that owns a data directory from `start` to `stop`.

    Args:
        settings: Where it keeps its data, what it listens on, and its limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = prometheus_client.CollectorRegistry()
        # Processor time and memory; nothing where there is no /proc.
        prometheus_client.ProcessCollector(registry=self._registry)
        self._access_metrics = AccessMetrics(self._registry)
        self._open: AsyncExitStack | None = None

    async def start(self) -> Endpoints:
        """Take the directory, recover, listen, and say where.

        Raises:
            CollectorError: When it cannot; nothing is left open.
        """
        async with AsyncExitStack() as opening:
            self._tls = Tls.of(self._settings)
            backstage = await asyncio.to_thread(
                Backstage, self._settings, self._registry
            )
            opening.push_async_callback(asyncio.to_thread, backstage.close)
            self._gate = self._let_owner_in(opening)
            pipeline = backstage.pipeline
            rows = await asyncio.to_thread(Rows, backstage.engine)
            opening.callback(rows.close)
            web = await self._start_web(rows, backstage, opening)
            await self._start_own_metrics(backstage, opening)
            opening.push_async_callback(self._drain, backstage)
            pipeline.start()
            backstage.foreign.start()
            backstage.forwarders.start(backstage.journal, backstage.engine)
            backstage.analyst.start()
            if backstage.control is not None:
                await asyncio.to_thread(backstage.control.start)
            clickhouse = await self._start_clickhouse(backstage, opening)
            jaeger = await self._start_jaeger(backstage, opening)
            housekeeping = asyncio.create_task(self._keep_house(backstage))
            opening.callback(housekeeping.cancel)
            grpc, http = await self._start_receivers(backstage, opening)
            self._open = opening.pop_all()
        return Endpoints(
            otlp_grpc=grpc,
            otlp_http=http,
            web=web,
            clickhouse=clickhouse,
            jaeger=jaeger,
        )

    def _let_owner_in(self, opening: AsyncExitStack) -> KeyGate:
        """Open the gate to keys, and to the commands of this user."""
        settings = self._settings
        owner = OwnerPass.make(settings.tls_cert_file, settings.tls_key_file)
        gate = load_gate(settings, owner.key)
        owner.write(settings.data)
        opening.callback(OwnerPass.remove, settings.data)
        return gate

    async def stop(self) -> None:
        """Refuse what is new, store what is journaled, let go of everything."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened.aclose()

    async def _start_own_metrics(
        self, backstage: Backstage, opening: AsyncExitStack
    ) -> None:
        every_s = self._settings.own_metrics_s
        if not every_s:
            return
        engine = await asyncio.to_thread(backstage.engine.another)
        opening.callback(engine.close)
        own = OwnMetrics(engine, self._registry, backstage.analyst.own_id, every_s)
        # Once more at the end, so that a short life is told of, too.
        opening.push_async_callback(asyncio.to_thread, own.write)
        sampling = asyncio.create_task(own.work())
        opening.callback(sampling.cancel)

    async def _keep_house(self, backstage: Backstage) -> None:
        """What has to be done now and then, whether or not anything arrives."""
        rounds = 0
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            try:
                await asyncio.to_thread(backstage.derivation.find_dead)
                await asyncio.to_thread(backstage.forwarders.tidy)
                if rounds % _ROUNDS_PER_CAP_CHECK == 0:
                    cap = self._settings.store_cap_bytes
                    await asyncio.to_thread(enforce_cap, backstage.engine, cap)
            except Exception:
                logger.exception("housekeeping failed, and is tried again")
            rounds += 1

    async def _drain(self, backstage: Backstage) -> None:
        await asyncio.to_thread(backstage.journal.close)
        await asyncio.to_thread(backstage.pipeline.stop)
        await asyncio.to_thread(backstage.foreign.stop)
        await asyncio.to_thread(backstage.analyst.stop)

    async def _start_receivers(
        self, backstage: Backstage, opening: AsyncExitStack
    ) -> tuple[str | None, str | None]:
        settings = self._settings
        intake = Intake(
            backstage.journal,
            ReceiverSettings(
                max_request_bytes=settings.request_limit_bytes,
                allowed_hosts=_served_names(settings),
                value_limit_bytes=settings.value_limit_bytes,
                keeps_state=settings.snapshot_state,
            ),
            ReceiverMetrics(self._registry),
            tenant_of=tenant_by(self._gate, self._access_metrics),
            protection=Protection(
                RedactionSettings(
                    policy=ContentPolicy(settings.content_policy),
                    what=settings.redact,
                    patterns=dict(settings.redact_patterns),
                ),
                load_key(settings.data),
                RedactionMetrics(self._registry),
            ),
        )
        grpc = http = None
        if settings.grpc is not None:
            receiver = GrpcReceiver(
                intake, settings.grpc.host, settings.grpc.port, tls=self._tls
            )
            await receiver.start()
            opening.push_async_callback(receiver.stop, _GRACE_S)
            grpc = _shown(settings.grpc, receiver.port)
        if settings.http is not None:
            app = OtlpHttpApp(intake)
            app.routes |= decide_routes(backstage.control, intake)
            server = HttpServer(
                app,
                settings.http.host,
                settings.http.port,
                tls=self._tls,
            )
            await server.start()
            opening.push_async_callback(server.stop, _GRACE_S)
            http = _shown(settings.http, server.port)
        return grpc, http

    async def _start_clickhouse(
        self, backstage: Backstage, opening: AsyncExitStack
    ) -> str | None:
        settings = self._settings
        endpoint = settings.clickhouse
        if endpoint is None:
            return None
        if not settings.store.embedded:
            logger.info("no ClickHouse interface: the store's server has its own")
            return None
        connections = await asyncio.to_thread(Connections, backstage.engine)
        opening.callback(connections.close)
        app = ClickHouseApp(
            Serving(
                connections=connections,
                gate=self._gate,
                limits=Limits(
                    seconds=settings.clickhouse_max_seconds,
                    memory_bytes=settings.clickhouse_max_memory_bytes,
                    rows=settings.clickhouse_max_rows,
                ),
                caught_up=functools.partial(_caught_up, backstage),
                inserted=backstage.foreign.inserted,
                metrics=ClickHouseMetrics(self._registry),
            )
        )
        hosts = LOOPBACK_HOSTS | set(_served_names(settings))
        server = HttpServer(
            HostGuard(app, hosts),
            endpoint.host,
            endpoint.port,
            tls=self._tls,
            purpose="the ClickHouse interface",
            flag="--clickhouse",
        )
        await server.start()
        opening.push_async_callback(server.stop, _GRACE_S)
        return _shown(endpoint, server.port)

    async def _start_jaeger(
        self, backstage: Backstage, opening: AsyncExitStack
    ) -> str | None:
        endpoint = self._settings.jaeger
        if endpoint is None:
            return None
        leases = await asyncio.to_thread(Leases, backstage.engine)
        opening.callback(leases.close)
        server = JaegerServer(
            JaegerSources(
                leases=leases,
                gate=self._gate,
                caught_up=functools.partial(_caught_up, backstage),
                metrics=JaegerMetrics(self._registry),
                access_metrics=self._access_metrics,
            ),
            endpoint.host,
            endpoint.port,
            tls=self._tls,
        )
        await server.start()
        opening.push_async_callback(server.stop, _GRACE_S)
        return _shown(endpoint, server.port)

    async def _start_web(
        self, rows: Rows, backstage: Backstage, opening: AsyncExitStack
    ) -> str | None:
        endpoint = self._settings.web
        if endpoint is None:
            return None

        async def unready() -> Mapping[str, str]:
            return backstage.pipeline.unready()

        def price_again(since: datetime | None, dry_run: bool) -> Mapping[str, object]:
            # Read again: the file may have changed since the start.
            prices = PriceBook.load(self._settings.price_override_file)
            return asdict(
                reprice(backstage.derivation, prices, since=since, dry_run=dry_run)
            )

        app = create_app(
            Sources(
                rows=rows,
                registry=self._registry,
                caught_up=functools.partial(_caught_up, backstage),
                unready=unready,
                reprice=price_again,
                snapshot=Taking(
                    backstage.engine, rows.reader(None), self._settings
                ).take,
                hosts=_served_names(self._settings),
                gate=self._gate,
                live=backstage.live,
                lags=backstage.forwarders.lags,
                access_metrics=self._access_metrics,
                control=backstage.control,
            )
        )
        server = HttpServer(
            app,
            endpoint.host,
            endpoint.port,
            tls=self._tls,
            websockets=True,
            purpose="web",
            flag="--web",
        )
        await server.start()
        opening.push_async_callback(server.stop, _GRACE_S)
        # Before the server stops: open streams would keep it waiting.
        opening.callback(backstage.live.close)
        return _shown(endpoint, server.port)


async def _caught_up(
    backstage: Backstage, timeout_s: float, *, derived: bool, analysed: bool = False
) -> bool:
    """Wait until what was acknowledged can be read, at most so many seconds."""
    deadline_s = time.monotonic() + timeout_s
    pipeline = backstage.pipeline
    complete = await pipeline.caught_up(timeout_s, derived=derived or analysed)
    if derived or analysed:
        left_s = max(deadline_s - time.monotonic(), 0.0)
        complete = await backstage.foreign.caught_up(left_s) and complete
    left_s = deadline_s - time.monotonic()
    if analysed and complete:
        return await backstage.analyst.caught_up(left_s)
    return complete


def _served_names(settings: Settings) -> tuple[str, ...]:
    """Names that a Host header may carry beyond loopback: any, once that is allowed."""
    wide = any(
        endpoint is not None and not endpoint.is_loopback
        for endpoint in settings.endpoints.values()
    )
    return ("*",) if settings.insecure or wide else ()


def _shown(endpoint: Endpoint, port: int) -> str:
    return str(Endpoint(endpoint.host, port))
