"""The settings of a collector: one frozen object."""

# ruff: noqa: RUF009 - each call returns a dataclasses.field, made once per class

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import platformdirs

from fleetspan_collector.config import _parsers as parse
from fleetspan_collector.config._addresses import Endpoint
from fleetspan_collector.config._face_settings import FaceSettings
from fleetspan_collector.config._notify_settings import NotifySettings
from fleetspan_collector.config._setting import (
    GIB,
    KIB,
    MIB,
    Setting,
    setting,
    size,
)
from fleetspan_collector.store.address import StoreAddress

_UNDER_DATA: Final = StoreAddress()
_CLICKHOUSE: Final = Endpoint("127.0.0.1", 8123)


def _default_data() -> Path:
    return Path(platformdirs.user_data_dir("fleetspan", appauthor=False))


def _retention(days: int, what: str) -> Any:
    return setting(
        days,
        parse.whole(at_most=36500),
        f"Days that {what} are kept.",
        zero="kept for ever",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(FaceSettings):
    """Everything that can be set on a collector; see ``SETTINGS.md`` for each field.

    Sizes are bytes, names end in their unit, an `Endpoint` of ``None`` is off.
    """

    data: Path = setting(
        _default_data,
        parse.directory,
        "Directory of the journal, the embedded store and `endpoints.json`. "
        "One process owns it at a time.",
        shown="the platform's user data directory",
        example="~/fleetspan-data",
        flag="--data",
    )
    store: StoreAddress = setting(
        _UNDER_DATA,
        parse.store,
        "Where spans are stored: `chdb:///PATH` (embedded engine) or "
        "`clickhouse://USER:PASSWORD@HOST:PORT/DATABASE` (`clickhouses://` for TLS), with "
        "`?cluster=NAME` for a cluster.",
        shown="`chdb://` in `store` under the data directory",
        example="chdb:///var/lib/fleetspan/store",
        flag="--store",
        secret=True,
    )
    grpc: Endpoint | None = setting(
        Endpoint("127.0.0.1", 4317),
        parse.endpoint,
        "HOST:PORT of the OTLP gRPC receiver.",
        zero="`off`: no gRPC; port 0: a free port",
        flag="--grpc",
    )
    http: Endpoint | None = setting(
        Endpoint("127.0.0.1", 4318),
        parse.endpoint,
        "HOST:PORT of the OTLP HTTP receiver (protobuf and JSON).",
        zero="`off`: no HTTP; port 0: a free port",
        flag="--http",
    )
    web: Endpoint | None = setting(
        Endpoint("127.0.0.1", 4319),
        parse.endpoint,
        "HOST:PORT of health, metrics and the API that the commands ask.",
        zero="`off`: other commands cannot read while `up` runs; port 0: a free port",
        flag="--web",
    )
    clickhouse: Endpoint | None = setting(
        _CLICKHOUSE,
        parse.endpoint,
        "HOST:PORT of the ClickHouse HTTP interface over the embedded store; a store on a "
        "server has its own.",
        zero="`off`: not served; port 0: a free port",
        flag="--clickhouse",
    )
    jaeger: Endpoint | None = setting(
        Endpoint("127.0.0.1", 17271),
        parse.endpoint,
        "HOST:PORT of Jaeger's gRPC remote-storage interface.",
        zero="`off`: not served; port 0: a free port",
        flag="--jaeger",
    )
    insecure: bool = setting(
        False,
        parse.flag,
        "Allow listening beyond loopback without keys and without client certificates.",
        flag="--insecure",
    )
    journal_segment_bytes: int = size(
        16 * MIB,
        "Size at which a journal segment is closed and inserted.",
        at_least=64 * KIB,
    )
    journal_cap_bytes: int = size(
        2 * GIB,
        "Size of the whole journal; past it, requests are refused until the store "
        "has caught up.",
        at_least=MIB,
    )
    free_disk_floor_bytes: int = size(
        512 * MIB,
        "Free space on the data directory's disk below which requests are refused.",
        zero="no floor",
    )
    request_limit_bytes: int = size(
        64 * MIB,
        "Largest request accepted, after decompression.",
        at_least=KIB,
    )
    cpu_budget_busy_cores: float = setting(
        0.5,
        parse.number(above=0),
        "Cores that inserting and deriving may use while somebody looks.",
    )
    cpu_budget_idle_cores: float = setting(
        0.05,
        parse.number(above=0),
        "Cores that inserting and deriving may use while nobody looks; a full "
        "segment is always inserted. Whoever reads from a ClickHouse server is not seen, "
        "and whoever is told of findings waits for them: with either this is at least "
        "`cpu_budget_busy_cores`.",
    )
    own_metrics_s: float = setting(
        60.0,
        parse.number(at_least=0),
        "Seconds between two samples of the collector's own metrics (what `/metrics` "
        "shows), written into the store for dashboards and alert rules.",
        zero="not written",
    )
    idle_timeout_s: float = setting(
        900.0,
        parse.number(above=0),
        "Seconds of silence after which a run counts as abandoned.",
    )
    retention_traces_days: int = _retention(
        30, "spans, and the evidence from which late ones are joined,"
    )
    retention_logs_days: int = _retention(30, "log records")
    retention_metrics_days: int = _retention(90, "metric points")
    retention_runs_days: int = _retention(365, "runs, agents, llm calls and tool calls")
    value_limit_bytes: int = size(
        MIB,
        "Length past which a value of a span or a log record is cut in its row and kept "
        "whole, once, in `large_values`.",
        at_least=64 * KIB,
        zero="never cut",
    )
    store_cap_bytes: int = size(
        0,
        "Disk space that the embedded store may use; past it, the oldest days of raw "
        "rows go first.",
        zero="no cap",
        at_least=64 * MIB,
    )
    engine_memory_bytes: int = size(
        2 * GIB,
        "Memory that the embedded engine may use; a query past it fails.",
        zero="the engine's own limit",
        at_least=256 * MIB,
    )
    engine_threads: int = setting(
        0,
        parse.whole(at_most=1024),
        "Threads of one statement in the embedded engine.",
        zero="one per core, at most 4",
    )
    price_override_file: Path | None = setting(
        None,
        parse.optional_file,
        "A file of prices that go before the built-in price table.",
        zero="empty: only the built-in prices",
        shown="none",
        example="~/prices.toml",
    )
    control_file: Path | None = setting(
        None,
        parse.optional_file,
        "A file of rules: budgets, guards and what agents may do; see `control/README.md`.",
        zero="empty: nothing is controlled",
        shown="none",
        example="~/control.yaml",
    )
    content_policy: str = setting(
        "redacted",
        parse.one_of("none", "metadata", "redacted", "full"),
        "What is kept of prompts, completions, arguments, results and instructions: "
        "`none` of it, `metadata` (length and hash), `redacted`, or `full`, which also "
        "redacts nothing anywhere.",
    )
    redact: tuple[str, ...] = setting(
        ("secrets",),
        parse.some_of("secrets", "pii"),
        "What is redacted before anything is kept: `secrets`, `pii` (e-mail, phone, "
        "payment card, IBAN, IP address, US social security number), or both.",
        zero="empty text: as if not set; see `content_policy`",
        shown="secrets",
        example="secrets,pii",
    )
    redact_patterns: tuple[tuple[str, str], ...] = setting(
        (),
        parse.patterns,
        "More patterns to redact: RE2 expressions by the name of their kind. In the file "
        "a table, elsewhere a JSON object.",
        zero="none",
        shown="none",
        example='{"order-number": "ORD-[0-9]{8}"}',
    )
    tenant: str = setting(
        "",
        parse.text,
        "Tenant of everything that arrives without one.",
        zero="empty: the only tenant",
        shown="empty",
    )

    def __post_init__(self) -> None:
        if self.store is _UNDER_DATA:
            inside = StoreAddress(path=self.data / "store")
            object.__setattr__(self, "store", inside)
        if self.clickhouse is _CLICKHOUSE and not self.store.embedded:
            object.__setattr__(self, "clickhouse", None)

    @property
    def keys_path(self) -> Path:
        """Where the hashes of the API keys are."""
        return self.keys_file or self.data / "keys.json"

    @property
    def endpoints(self) -> dict[str, Endpoint | None]:
        """Each endpoint by the name of its setting."""
        return {name: getattr(self, name) for name in ENDPOINT_NAMES}


ENDPOINT_NAMES: Final = ("grpc", "http", "web", "clickhouse", "jaeger")

_OF_PROCESSORS: Final = {each.name for each in dataclasses.fields(NotifySettings)}

SETTINGS: Final[dict[str, Setting]] = {
    each.name: Setting(name=each.name, **each.metadata)
    for each in sorted(
        dataclasses.fields(Settings), key=lambda each: each.name in _OF_PROCESSORS
    )
}
"""Every setting by name, in the order of the fields, those of processors last."""
