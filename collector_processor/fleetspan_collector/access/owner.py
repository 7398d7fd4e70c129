"""How the commands of a collector's own user are let in: by a file in its directory.

Who can read the data directory may do everything with it anyway. So a running collector
leaves a key there that nobody else can read, and says how it is encrypted.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import ssl
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access._certificate import (
    client_context,
    is_trusted_by_itself,
    look_at,
    no_password,
)
from fleetspan_collector.config import Endpoint

if TYPE_CHECKING:
    # Few commands need it, and it takes time to load.
    import grpc

_FILE: Final = "owner.json"
_SENDER_FILE: Final = "sender.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerPass:
    """What a command shows to the collector that owns a data directory.

    Attributes:
        key: Shown as ``Authorization: Bearer``; ``""`` when there is none to show. It is
            another one after each start of the collector.
        sender: What programs that this user runs show in its place: it only lets them
            send, and stays the same.
        certificate: File of the certificate that the collector shows; ``""`` without TLS.
        private_key: File of its key: shown back where clients need a certificate.
    """

    key: str = ""
    sender: str = ""
    certificate: str = ""
    private_key: str = ""

    @classmethod
    def make(cls, certificate: Path | None, private_key: Path | None) -> Self:
        """Return a new one for a collector with these files of TLS."""
        return cls(
            key=secrets.token_urlsafe(32),
            certificate=str(certificate or ""),
            private_key=str(private_key or ""),
        )

    @classmethod
    def read(cls, data: Path) -> Self:
        """Return what the collector of a data directory has left there.

        Another user's cannot be read: it is asked without a key then.
        """
        try:
            kept = json.loads((data / _FILE).read_text("utf-8"))
            return cls(**kept, sender=_sender(data))
        except (OSError, ValueError, TypeError):
            return cls()

    def write(self, data: Path) -> None:
        """Leave it in a data directory, for this user's eyes alone."""
        kept = {name: text for name, text in asdict(self).items() if name != "sender"}
        _write(data / _FILE, json.dumps(kept))

    @staticmethod
    def remove(data: Path) -> None:
        """Take it away again."""
        with contextlib.suppress(FileNotFoundError):
            (data / _FILE).unlink()

    @property
    def scheme(self) -> str:
        """``https`` or ``http``."""
        return "https" if self.certificate else "http"

    @property
    def headers(self) -> dict[str, str]:
        """The headers that show it."""
        return {"authorization": f"Bearer {self.key}"} if self.key else {}

    def connect(self, where: Endpoint, timeout_s: float) -> http.client.HTTPConnection:
        """Return a connection to a port of the collector, not opened yet."""
        if not self.certificate:
            return http.client.HTTPConnection(where.host, where.port, timeout=timeout_s)
        return http.client.HTTPSConnection(
            where.host,
            where.port,
            timeout=timeout_s,
            context=client_context(Path(self.certificate), self._shown_back),
        )

    def channel(self, address: str) -> grpc.Channel:
        """Return a gRPC channel to a port of the collector."""
        import grpc

        if not self.certificate:
            return grpc.insecure_channel(address)
        certificate = Path(self.certificate).read_bytes()
        options = tuple(("grpc.ssl_target_name_override", n) for n in self._names()[:1])
        private_key = Path(self.private_key).read_bytes() if self.private_key else None
        credentials = grpc.ssl_channel_credentials(
            certificate, private_key, certificate if private_key else None
        )
        return grpc.secure_channel(address, credentials, options)

    def otlp_variables(self) -> dict[str, str]:
        """Return the variables with which a program on this machine may send here."""
        found = {}
        if self.sender:
            found["OTEL_EXPORTER_OTLP_HEADERS"] = (
                f"authorization=Bearer%20{self.sender}"
            )
        if self.certificate and self.private_key:
            # Else programs would refuse what they trust already, by their system's
            # authorities or by a variable that the user has set.
            if is_trusted_by_itself(Path(self.certificate), Path(self.private_key)):
                found["OTEL_EXPORTER_OTLP_CERTIFICATE"] = self.certificate
            # Shown where clients need a certificate; nobody asks for it elsewhere.
            found["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"] = self.certificate
            found["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = self.private_key
        return found

    @property
    def _shown_back(self) -> Path | None:
        return Path(self.private_key) if self.private_key else None

    def _names(self) -> tuple[str, ...]:
        """Names that the certificate is for: gRPC insists on one of them."""
        if not self.private_key:
            return ()
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(self.certificate, self.private_key, no_password)
        found = look_at(server, Path(self.certificate), Path(self.private_key))
        return tuple(name.replace("*", "any") for name in found.names)


def sender_key(data: Path) -> str:
    """Return the key of programs that this user runs; the first call makes it.

    It stays the same over restarts of the collector, which programs that go on outlive.

    Args:
        data: The data directory, where only this user can read it.

    Raises:
        UsageError: When it can neither be read nor written.
    """
    path = data / _SENDER_FILE
    try:
        if not (kept := _sender(data)):
            kept = secrets.token_urlsafe(32)
            _write(path, kept)
    except OSError as error:
        raise UsageError(
            f"the key of this user's own programs, {path}, cannot be used",
            because=(error.strerror or str(error)).lower(),
            suggestion="see that the data directory is yours, and remove that file",
        ) from error
    return kept


def _sender(data: Path) -> str:
    try:
        return (data / _SENDER_FILE).read_text("utf-8").strip()
    except FileNotFoundError:
        return ""


def _write(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    # Not one that is there already, with the rights that somebody gave it.
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
