"""Who may ask and what they get: keys, TLS, the ClickHouse interface, forwarding."""

# ruff: noqa: RUF009 - each call returns a dataclasses.field, made once per class

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fleetspan_collector.config import _parsers as parse
from fleetspan_collector.config._destination import Destination, read_destinations
from fleetspan_collector.config._notify_settings import NotifySettings
from fleetspan_collector.config._setting import GIB, MIB, setting, size


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSettings(NotifySettings):
    """Keys, TLS, the ClickHouse interface and forwarding; see ``SETTINGS.md``."""

    keys_file: Path | None = setting(
        None,
        parse.optional_file,
        "File of the API keys' hashes, which `fleetspan keys` writes. Once it holds a key, "
        "every port wants one.",
        zero="empty: `keys.json` in the data directory",
        shown="`keys.json` in the data directory",
        example="/etc/fleetspan/keys.json",
    )
    tls_cert_file: Path | None = setting(
        None,
        parse.optional_file,
        "PEM file of the certificate, and those between it and its authority, that every "
        "port shows. It is read again when it changes.",
        zero="empty: no TLS",
        shown="none",
        example="/etc/fleetspan/tls.crt",
    )
    tls_key_file: Path | None = setting(
        None,
        parse.optional_file,
        "PEM file of that certificate's private key.",
        zero="empty: no TLS",
        shown="none",
        example="/etc/fleetspan/tls.key",
    )
    tls_client_ca_file: Path | None = setting(
        None,
        parse.optional_file,
        "PEM file of the authorities whose certificates clients must show (mTLS), on "
        "every port.",
        zero="empty: clients need no certificate",
        shown="none",
        example="/etc/fleetspan/clients.crt",
    )
    clickhouse_max_seconds: float = setting(
        60.0,
        parse.number(above=0),
        "Seconds that one statement of the ClickHouse interface may run.",
    )
    clickhouse_max_memory_bytes: int = size(
        GIB,
        "Memory that one statement of the ClickHouse interface may take.",
        at_least=64 * MIB,
    )
    clickhouse_max_rows: int = setting(
        10_000_000,
        parse.whole(at_most=10**12),
        "Rows that one statement of the ClickHouse interface may return; more is an "
        "error.",
        zero="no limit",
    )
    forward: tuple[Destination, ...] = setting(
        (),
        read_destinations,
        "OTLP destinations that everything received is sent on to: in the file a table of "
        "tables by name, elsewhere a JSON object. See the README of `forward`.",
        zero="nothing is sent on",
        shown="none",
        example='{"tempo": {"url": "http://localhost:14317"}}',
        secret=True,
    )
    forward_cap_bytes: int = size(
        4 * GIB,
        "Journal that is kept for one destination that lags behind, besides what the "
        "store has not taken yet.",
        at_least=64 * MIB,
    )
    forward_when_full: str = setting(
        "drop",
        parse.one_of("drop", "refuse"),
        "What happens past `forward_cap_bytes`: `drop` the oldest of that destination, "
        "counted and logged, or `refuse` what arrives until it has caught up.",
    )
