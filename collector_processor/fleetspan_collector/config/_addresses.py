"""Where things listen and where they are kept: endpoints and the store's location."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from fleetspan_collector._errors import UsageError
from fleetspan_collector.store.address import StoreAddress


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


def is_one_of(url: str, endpoints: Iterable[Endpoint | None]) -> bool:
    """Tell whether an address is one of these on this machine.

    Args:
        url: An address, of HTTP or gRPC.
        endpoints: What listens here; ``None`` is off.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    return any(
        each is not None
        and each.port == port
        and (host == each.host or Endpoint(host, port).is_loopback)
        for each in endpoints
    )


def parse_store(text: str) -> StoreAddress:
    """Read the address of a store.

    Raises:
        ValueError: When it is not one; the message holds no password.
    """
    try:
        # Read first: what urlsplit says of a wrong port may show part of a password.
        _ = urlsplit(text.strip()).port
    except ValueError:
        raise ValueError(
            "the port must be a number from 1 to 65535; special characters in the user "
            "or the password are written as %2F, %3A, %40"
        ) from None
    try:
        return StoreAddress.parse(text.strip())
    except UsageError as error:
        raise ValueError(error.because) from None


def show_store(address: StoreAddress) -> str:
    """Write the address of a store as a URL, with ``***`` for the password."""
    if address.path is not None:
        return f"chdb://{quote(str(address.path))}"
    host = address.host or ""
    host = f"[{host}]" if ":" in host else host
    secret = ":***" if address.password else ""
    scheme = "clickhouses" if address.secure else "clickhouse"
    query = f"?cluster={address.cluster}" if address.cluster else ""
    user = quote(address.user, safe="")
    return f"{scheme}://{user}{secret}@{host}:{address.port}/{address.database}{query}"
