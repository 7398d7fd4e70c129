"""Where things listen and where they are kept: endpoints and the store's location."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a port to listen on.

    Attributes:
        host: Name or address, without brackets.
        port: 0 to 65535; 0 picks a free one when the collector starts.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read ``HOST:PORT``, ``[IPV6]:PORT`` or ``PORT`` (of 127.0.0.1).

        Raises:
            ValueError: When it is none of these.
        """
        host, _, port = text.strip().rpartition(":")
        if not text.strip().rpartition(":")[1]:
            host = "127.0.0.1"
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError("an IPv6 address goes in brackets, as in [::1]:4317")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError("expected HOST:PORT with a port from 0 to 65535, or off")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLocation:
    """Where the store is: an embedded engine's directory or a ClickHouse server.

    Attributes:
        kind: ``chdb`` (embedded) or ``clickhouse`` (a server's HTTP interface).
        path: The engine's directory; ``None`` for a server.
        host: The server's name or address; empty for the embedded engine.
        port: The server's HTTP port.
        user: Who logs in.
        password: Never shown.
        database: The database that holds our tables.
        cluster: Name of the cluster for ``ON CLUSTER``; ``None`` for a single server.
        secure: Whether the server is spoken to over TLS.
    """

    kind: Literal["chdb", "clickhouse"]
    path: Path | None = None
    host: str = ""
    port: int = 8123
    user: str = "default"
    password: str = field(default="", repr=False)
    database: str = "otel"
    cluster: str | None = None
    secure: bool = False

    @classmethod
    def parse(cls, text: str) -> StoreLocation:
        """Read ``chdb:///path`` or ``clickhouse://user:password@host:port/database``.

        Raises:
            ValueError: When it is neither, or has a part that is not known.
        """
        parts = urlsplit(text.strip())
        if parts.fragment:
            raise ValueError("'#' in a store's address must be written as %23")
        if parts.scheme == "chdb":
            return cls._parse_chdb(parts.netloc, parts.path, parts.query)
        if parts.scheme != "clickhouse":
            raise ValueError(
                "expected chdb:///PATH or clickhouse://USER@HOST:PORT/DATABASE"
            )
        if not parts.hostname:
            raise ValueError("the server's host is missing")
        try:
            port = parts.port
        except ValueError:
            # Not chained: its text may show a part of the password.
            raise ValueError(
                "the port must be a number from 1 to 65535; special characters in the "
                "user or the password are written as %2F, %3A, %40"
            ) from None
        options = _options(parts.query, known={"cluster", "secure"})
        secure = _flag(options.get("secure", "false"))
        return cls(
            kind="clickhouse",
            host=parts.hostname,
            port=port or (8443 if secure else 8123),
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.strip("/")) or "otel",
            cluster=options.get("cluster") or None,
            secure=secure,
        )

    @classmethod
    def _parse_chdb(cls, netloc: str, path: str, query: str) -> StoreLocation:
        _options(query, known=set())
        if netloc or not path.startswith("/") or path == "/":
            raise ValueError(
                "expected chdb:///PATH with three slashes, an absolute path"
            )
        return cls(kind="chdb", path=Path(unquote(path)))

    def address(self, *, masked: bool = True) -> str:
        """Write it as a URL.

        Args:
            masked: Write ``***`` in place of the password.
        """
        if self.kind == "chdb":
            return f"chdb://{quote(str(self.path))}"
        password = "***" if masked else quote(self.password, safe="")
        secret = f":{password}" if self.password else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        options = [f"cluster={quote(self.cluster, safe='')}"] if self.cluster else []
        options += ["secure=true"] if self.secure else []
        query = f"?{'&'.join(options)}" if options else ""
        user = quote(self.user, safe="")
        database = quote(self.database, safe="")
        return f"clickhouse://{user}{secret}@{host}:{self.port}/{database}{query}"

    def __str__(self) -> str:
        return self.address()


def _options(query: str, *, known: set[str]) -> dict[str, str]:
    found = parse_qs(query, keep_blank_values=True)
    if unknown := sorted(set(found) - known):
        expected = f"one of {sorted(known)}" if known else "none"
        raise ValueError(f"unknown option {unknown[0]!r}, expected {expected}")
    return {name: values[-1] for name, values in found.items()}


def _flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"secure must be true or false, got {text!r}")
