"""An OTLP destination that telemetry is forwarded to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from fleetspan_collector.config._headers import Headers, read_headers

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SIGNALS: Final = ("traces", "logs", "metrics")
_ENRICHMENT: Final = ("events", "spans")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One entry of ``forward``.

    Attributes:
        name: What the user calls it; its queue position is kept under it.
        url: Base address; HTTP adds ``/v1/traces`` and so on to it.
        protocol: ``grpc`` or ``http/protobuf``.
        headers: Sent with every request.
        compression: ``gzip`` or ``none``.
        signals: Which of traces, logs and metrics are sent.
        tenants: Whose telemetry is sent; empty for everybody's.
        enrich: ``events`` adds findings and run summaries as log events, ``spans``
            adds cost, complexity and findings as attributes of root spans.
        ca_file: PEM file of the authorities that the destination's certificate is
            checked by; ``""`` for the system's.
        cert_file: PEM file of the certificate that is shown to it; ``""`` for none.
        key_file: PEM file of that certificate's key; ``""`` for none.
        insecure: Allow plain text beyond this machine.
        timeout_s: Seconds that one attempt may take.
    """

    name: str
    url: str
    protocol: str = "grpc"
    headers: Headers = field(default_factory=Headers)
    compression: str = "gzip"
    signals: tuple[str, ...] = _SIGNALS
    tenants: tuple[str, ...] = ()
    enrich: tuple[str, ...] = ()
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure: bool = False
    timeout_s: float = 10.0

    def __str__(self) -> str:
        """Name and address, without headers."""
        return f"{self.name} ({self.protocol} to {self.url})"


def read_destinations(value: object) -> tuple[Destination, ...]:
    """Read destinations by name: a table, or a JSON object as text.

    Raises:
        ValueError: When it is not one, or a destination cannot be used.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError(
                "expected a JSON object of names and destinations"
            ) from None
    if not isinstance(value, dict):
        raise TypeError("expected a table of names and destinations")
    return tuple(_destination(name, given) for name, given in value.items())


def _destination(name: str, given: object) -> Destination:
    where = f"destination {name!r}"
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{where}: expected a name of letters, digits, _, . and -, at most 64"
        )
    if not isinstance(given, dict) or "url" not in given:
        raise TypeError(f"{where}: expected a table with a url")
    if not set(given) <= set(_READERS):
        unknown = ", ".join(sorted(set(given) - set(_READERS)))
        raise ValueError(
            f"{where}: there is no {unknown}; there are {', '.join(_READERS)}"
        )
    read: dict[str, Any] = {}
    for key, each in given.items():
        try:
            read[key] = _READERS[key](each)
        except (ValueError, TypeError) as problem:
            raise ValueError(f"{where}: {key}: {problem}") from None
    destination = Destination(name=name, **read)
    _check(destination, where)
    return destination


def _check(destination: Destination, where: str) -> None:
    if bool(destination.cert_file) != bool(destination.key_file):
        raise ValueError(f"{where}: expected cert_file and key_file, or neither")
    parts = urlsplit(destination.url)
    plain = parts.scheme == "http" and parts.hostname not in _LOOPBACK
    if plain and not destination.insecure:
        raise ValueError(
            f"{where}: url: expected https://; insecure = true allows plain text"
        )


def _url(value: object) -> str:
    text = _text(value)
    parts = urlsplit(text)
    try:
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_fine:
        raise ValueError("expected an address such as https://tempo.example.org:4317")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("expected an address without a user, a query and a fragment")
    return text.rstrip("/")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise TypeError("expected a text")
    return value.strip()


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("expected a list of texts")
    return tuple(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("expected true or false")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise TypeError("expected a number of seconds above 0")
    return float(value)


def _one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return str(value)

    return read


def _some_of(*words: str) -> Callable[[object], tuple[str, ...]]:
    def read(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not set(value) <= set(words):
            raise ValueError(f"expected a list of some of {', '.join(words)}")
        return tuple(word for word in words if word in value)

    return read


_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "url": _url,
    "protocol": _one_of("grpc", "http/protobuf"),
    "headers": read_headers,
    "compression": _one_of("gzip", "none"),
    "signals": _some_of(*_SIGNALS),
    "tenants": _texts,
    "enrich": _some_of(*_ENRICHMENT),
    "ca_file": _text,
    "cert_file": _text,
    "key_file": _text,
    "insecure": _flag,
    "timeout_s": _seconds,
}
