"""Where the store is: embedded in this process, a ClickHouse server, or a cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from fleetspan_collector._errors import UsageError

_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_EXPECTED = "chdb:///absolute/path or clickhouse://user:password@host:8123/otel"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddress:
    """A parsed ``FLEETSPAN_STORE``.

    Attributes:
        path: Directory of the embedded engine; ``None`` for a server.
        host: Server to connect to; ``None`` for the embedded engine.
        port: The server's HTTP port.
        secure: Use HTTPS.
        user: Server user.
        password: Server password; never shown.
        database: Database that holds the tables.
        cluster: Cluster on which the tables are made; ``None`` for one server.
    """

    path: Path | None = None
    host: str | None = None
    port: int = 8123
    secure: bool = False
    user: str = "default"
    password: str = field(default="", repr=False)
    database: str = "otel"
    cluster: str | None = None

    @property
    def embedded(self) -> bool:
        """Whether the engine runs in this process."""
        return self.path is not None

    def on_nodes(self, table: str) -> str:
        """Return where a table's rows are, for a statement that cannot be distributed."""
        if self.cluster is None:
            return f"{self.database}.{table}"
        return f"{self.database}.{table}_local ON CLUSTER {self.cluster}"

    @classmethod
    def parse(cls, url: str) -> StoreAddress:
        """Read a store URL.

        Args:
            url: ``chdb:///path`` or ``clickhouse://user:password@host:port/db?cluster=NAME``
                (``clickhouses://`` for HTTPS).

        Raises:
            UsageError: When it is neither.
        """
        parts = urlsplit(url)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if parts.scheme == "chdb" and parts.path and not parts.netloc:
            database = query.get("database", "otel")
            return cls(path=Path(unquote(parts.path)), database=_checked(url, database))
        if parts.scheme in ("clickhouse", "clickhouses") and parts.hostname:
            secure = parts.scheme == "clickhouses"
            cluster = query.get("cluster")
            return cls(
                host=parts.hostname,
                port=parts.port or (8443 if secure else 8123),
                secure=secure,
                user=unquote(parts.username or "default"),
                password=unquote(parts.password or ""),
                database=_checked(url, parts.path.strip("/") or "otel"),
                cluster=None if cluster is None else _checked(url, cluster),
            )
        raise _unusable(url, "its scheme, host or path is missing or unknown")


def _checked(url: str, identifier: str) -> str:
    if not _IDENTIFIER.match(identifier):
        raise _unusable(url, f"{identifier!r} is not a plain identifier")
    return identifier


def _unusable(url: str, problem: str) -> UsageError:
    shown = re.sub(r"//[^@/]*@", "//…@", url)
    return UsageError(
        f"store {shown!r} cannot be used",
        because=f"{problem}; expected {_EXPECTED}",
        suggestion="fleetspan config show --origin",
    )
