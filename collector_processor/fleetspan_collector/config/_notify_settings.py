"""Who is told of findings and runs, and how."""

# ruff: noqa: RUF009 - each call returns a dataclasses.field, made once per class

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from fleetspan_collector.config import _parsers as parse
from fleetspan_collector.config._headers import Headers, read_headers
from fleetspan_collector.config._hook import Hook, read_hooks
from fleetspan_collector.config._processor_settings import ProcessorSettings
from fleetspan_collector.config._setting import setting


def _address(value: object) -> str:
    text = parse.text(value).strip()
    if not text:
        return ""
    parts = urlsplit(text)
    try:
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_fine:
        raise ValueError("expected an address such as http://localhost:4318")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("expected an address without a user, a query and a fragment")
    return text.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings(ProcessorSettings):
    """Who is told, and how; see ``SETTINGS.md`` for each field."""

    notify_hooks: tuple[Hook, ...] = setting(
        (),
        read_hooks,
        "Commands and webhooks that are told of findings: in the file a table of tables "
        "by name, elsewhere a JSON object. See the README of `notify`.",
        zero="nobody is told",
        shown="none",
        example='{"pager": {"url": "https://example.org/hook", "min_severity": "high"}}',
        secret=True,
    )
    notify_otlp_endpoint: str = setting(
        "",
        _address,
        "Where findings, run summaries and their metrics are sent as OTLP: the base "
        "address, to which HTTP adds /v1/logs and /v1/metrics.",
        zero="empty: nothing is sent",
        shown="none",
        example="http://localhost:4318",
    )
    notify_otlp_protocol: str = setting(
        "http/protobuf",
        parse.one_of("http/protobuf", "grpc"),
        "How they are sent: `http/protobuf` or `grpc`.",
    )
    notify_otlp_headers: Headers = setting(
        Headers(),
        read_headers,
        "Headers sent with them, such as a key: `name=value,name=value`, in the file also "
        "a table.",
        zero="none",
        shown="none",
        example="authorization=Bearer%20KEY",
        secret=True,
    )
    notify_otlp_interval_s: float = setting(
        30.0,
        parse.number(above=0),
        "Seconds between two exports of their metrics.",
    )
    notify_keep_trying_hours: float = setting(
        24.0,
        parse.number(above=0),
        "Hours for which a finding that could not be told is kept for telling, also over "
        "a restart; after that it is given up, and counted.",
    )
