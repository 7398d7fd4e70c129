"""Keys, certificates, and collectors that want them."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fleetspan_collector.access import Scope
from fleetspan_collector.access.keys import KeyFile
from fleetspan_collector.access.owner import OwnerPass
from tests.collector_processor.running import FREE_PORTS, Collector

SEND_AND_READ = (Scope.INGEST, Scope.READ)


def make_key(
    data: Path, tenant: str | None, scopes: Iterable[Scope] = SEND_AND_READ, **more: Any
) -> str:
    """Make a key of a data directory; ``None`` is all tenants."""
    _, secret = KeyFile(data / "keys.json").add(tenant=tenant, scopes=scopes, **more)
    return secret


def bearer(key: str) -> dict[str, str]:
    """Return the header that shows a key."""
    return {"authorization": f"Bearer {key}"}


@dataclass(frozen=True)
class Pem:
    """Files of a certificate and of its key."""

    certificate: Path
    private_key: Path


class Authority:
    """Issues certificates into a directory.

    Args:
        directory: Where files are written.
        name: Its name, and that of its own file.
    """

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.certificate = directory / f"{name}.crt"
        built = _builder(self._name, self._name, self._key, days=30)
        built = built.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), True
        )
        signed = built.sign(self._key, hashes.SHA256())
        self.certificate.write_bytes(signed.public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        days: int = 30,
        hosts: Iterable[str] = ("localhost",),
        addresses: Iterable[str] = ("127.0.0.1",),
        server_only: bool = False,
    ) -> Pem:
        """Write a certificate that ends in so many days, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
        names += [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
        built = _builder(_named(name), self._name, key, days=days)
        built = built.add_extension(x509.SubjectAlternativeName(names), False)
        built = built.add_extension(
            x509.BasicConstraints(ca=False, path_length=None), True
        )
        if server_only:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            built = built.add_extension(usage, False)
        pem = Pem(self._directory / f"{name}.crt", self._directory / f"{name}.key")
        signed = built.sign(self._key, hashes.SHA256())
        pem.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
        pem.private_key.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        return pem

    def client(self, pem: Pem | None = None) -> ssl.SSLContext:
        """Return a client's context that trusts it, and shows a certificate or none."""
        context = ssl.create_default_context(cafile=self.certificate)
        if pem is not None:
            context.load_cert_chain(pem.certificate, pem.private_key)
        return context


class KeyedCollector(Collector):
    """``fleetspan up`` that is asked as the commands of its own user ask it.

    Args:
        data: Its data directory.
        tls: What it is encrypted with.
        client_authority: Issued what clients must show.
        ports: Its ports.
        variables: More environment variables.
    """

    def __init__(
        self,
        data: Path,
        *options: str,
        tls: Pem | None = None,
        client_authority: Path | None = None,
        ports: Iterable[str] = FREE_PORTS,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        variables = dict(variables or {})
        if tls is not None:
            variables["FLEETSPAN_TLS_CERT_FILE"] = str(tls.certificate)
            variables["FLEETSPAN_TLS_KEY_FILE"] = str(tls.private_key)
        if client_authority is not None:
            variables["FLEETSPAN_TLS_CLIENT_CA_FILE"] = str(client_authority)
        super().__init__(data, *options, variables=variables, ports=tuple(ports))

    def request(
        self, name: str, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request as the owner, unless headers say whose it is."""
        shown = OwnerPass.read(self.data)
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.ask(name, method, path, body, shown.headers | named)

    def ask(
        self,
        name: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request with these headers and no others."""
        address = self.endpoint(name)
        connection = (
            http.client.HTTPConnection(address, timeout=60)
            if context is None
            else http.client.HTTPSConnection(address, timeout=60, context=context)
        )
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            received = {key.lower(): value for key, value in answer.getheaders()}
            return answer.status, received, answer.read()
        finally:
            connection.close()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    days: int,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
    )
