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

from fleetspan_collector.config import Endpoint

if TYPE_CHECKING:
    # Few commands need it, and it takes time to load.
    import grpc

_FILE: Final = "owner.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerPass:
    """What a command shows to the collector that owns a data directory.

    Attributes:
        key: Shown as ``Authorization: Bearer``; ``""`` when there is none to show.
        certificate: File of the certificate that the collector shows; ``""`` without TLS.
        private_key: File of its key: shown back where clients need a certificate.
    """

    key: str = ""
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
            return cls(**json.loads((data / _FILE).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def write(self, data: Path) -> None:
        """Leave it in a data directory, for this user's eyes alone."""
        new = data / f".{_FILE}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
        new.replace(data / _FILE)

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
            where.host, where.port, timeout=timeout_s, context=self._context()
        )

    def channel(self, address: str) -> grpc.Channel:
        """Return a gRPC channel to a port of the collector."""
        import grpc

        if not self.certificate:
            return grpc.insecure_channel(address)
        certificate = Path(self.certificate).read_bytes()
        # gRPC checks the name; the certificate says which ones it has.
        name = _name_in(self.certificate)
        options = (("grpc.ssl_target_name_override", name),) if name else ()
        credentials = grpc.ssl_channel_credentials(
            certificate, Path(self.private_key).read_bytes(), certificate
        )
        return grpc.secure_channel(address, credentials, options)

    def otlp_variables(self) -> dict[str, str]:
        """Return the variables with which a program on this machine may send here."""
        found = {}
        if self.key:
            found["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization=Bearer%20{self.key}"
        if self.certificate:
            found["OTEL_EXPORTER_OTLP_CERTIFICATE"] = self.certificate
        return found

    def _context(self) -> ssl.SSLContext:
        # The certificate itself is what is trusted, whatever names it has: this is the
        # collector of the same user, reached by an address of this machine.
        context = ssl.create_default_context(cafile=self.certificate)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.check_hostname = False
        if self.private_key:
            context.load_cert_chain(self.certificate, self.private_key)
        return context


def _name_in(certificate: str) -> str:
    """Return a name that a certificate is for; ``""`` when it has none."""
    context = ssl.create_default_context(cafile=certificate)
    for found in context.get_ca_certs():
        names: object = found.get("subjectAltName", ())
        for entry in names if isinstance(names, tuple) else ():
            if entry[0] == "DNS":
                return str(entry[1])
    return ""
