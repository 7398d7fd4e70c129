"""TLS on every port: the certificate that is shown, and those that clients must show."""

from __future__ import annotations

import logging
import re
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

import grpc

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access._certificate import look_at, no_password
from fleetspan_collector.config import Settings

logger = logging.getLogger("fleetspan.access")

_SOON: Final = timedelta(days=7)
_LEAF: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL
)


class Tls:
    """The certificate of a collector, read again when its files change.

    A file that cannot be used any more leaves what was read before in force.

    Args:
        certificate: PEM file of the certificate and those between it and its authority.
        private_key: PEM file of its key.
        client_authorities: PEM file of the authorities of clients; ``None`` when clients
            need no certificate.

    Raises:
        UsageError: When one of them cannot be used.
    """

    def __init__(
        self, certificate: Path, private_key: Path, client_authorities: Path | None
    ) -> None:
        self.certificate = certificate
        self.private_key = private_key
        self._authorities = client_authorities
        self._lock = threading.Lock()
        self._stamp = self._stat()
        self._context = self._load()
        self._pems = self._read()
        self._complain()

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Return that of the settings; ``None`` when there is no certificate.

        Raises:
            UsageError: When it cannot be used.
        """
        if settings.tls_cert_file is None or settings.tls_key_file is None:
            return None
        return cls(
            settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file
        )

    def context(self) -> ssl.SSLContext:
        """Return what an HTTP server is encrypted by; new connections follow the files."""
        return self._context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Return what a gRPC server is encrypted by; new connections follow the files."""
        served = self._pems

        def changed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal served
            self.follow()
            if served == self._pems:
                return None
            served = self._pems
            return _configuration(served)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(served),
            changed,  # type: ignore[arg-type] # None is «no change», its types lack it
            require_client_authentication=self._authorities is not None,
        )

    def follow(self) -> None:
        """Read the files again when they have changed."""
        with self._lock:
            stamp = self._stat()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                # Tried aside, for what fails halfway would stay so.
                self._load()
                self._pems = self._read()
                self._context.load_cert_chain(
                    self.certificate, self.private_key, no_password
                )
            except (UsageError, OSError) as error:
                logger.error("%s; the certificate stays as it was", error)
                return
            logger.info("the certificate was read again")
            self._complain()

    def _complain(self) -> None:
        """Log what is wrong with a certificate that can be used all the same."""
        found = look_at(self._context, self.certificate, self.private_key)
        if found.refused:
            logger.warning(
                "clients will refuse the certificate %s: %s",
                self.certificate,
                found.refused,
            )
        elif found.ends is not None and found.ends - datetime.now(UTC) < _SOON:
            logger.warning(
                "the certificate %s expires at %s UTC",
                self.certificate,
                f"{found.ends:%Y-%m-%d %H:%M}",
            )
        if found.client_refused:
            logger.warning(
                "the commands of this user cannot ask this collector: clients have to "
                "show a certificate, and its own, which they show, is not let in (%s); "
                "use one that is for clients, too (extended key usage clientAuth)",
                found.client_refused,
            )

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self.certificate, self.private_key, no_password)
        except (OSError, ssl.SSLError) as error:
            raise _unusable(f"{self.certificate}, {self.private_key}", error) from error
        if self._authorities is not None:
            try:
                context.load_verify_locations(self._authorities)
                # Who has our own key is ourselves: so commands are let in.
                context.load_verify_locations(cadata=self._leaf())
            except (OSError, ssl.SSLError) as error:
                raise _unusable(str(self._authorities), error) from error
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _leaf(self) -> str:
        """The certificate alone: what issued it must not let in what else it issued."""
        found = _LEAF.search(self.certificate.read_text("ascii", "replace"))
        return found[0] if found else ""

    def _read(self) -> tuple[bytes, bytes, bytes | None]:
        authorities = None
        if self._authorities is not None:
            authorities = self._authorities.read_bytes() + b"\n" + self._leaf().encode()
        return self.private_key.read_bytes(), self.certificate.read_bytes(), authorities

    def _stat(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp_of(path) for path in (self.certificate, self.private_key))


def _stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _configuration(
    pems: tuple[bytes, bytes, bytes | None],
) -> grpc.ServerCertificateConfiguration:
    private_key, certificate, authorities = pems
    return grpc.ssl_server_certificate_configuration(
        [(private_key, certificate)], root_certificates=authorities
    )


def _unusable(files: str, error: Exception) -> UsageError:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return UsageError(
        f"the files of TLS cannot be used: {files}",
        because=str(reason).lower(),
        suggestion="see that they are PEM, belong together and can be read",
    )
