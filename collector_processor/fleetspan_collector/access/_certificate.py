"""What a certificate says, found by a handshake with itself in memory.

The standard library reads certificates that a peer has shown, and no others.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_MOST_STEPS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What is known of a collector's own certificate.

    Attributes:
        names: The names of machines that it is for; addresses are not among them.
        ends: When it expires; ``None`` when that cannot be told.
        refused: Why clients do not take it, such as ``certificate has expired``;
            ``""`` when those that trust it do.
        client_refused: Why it is not let in when a client shows it; ``""`` when it is.
    """

    names: tuple[str, ...] = ()
    ends: datetime | None = None
    refused: str = ""
    client_refused: str = ""


def look_at(
    server: ssl.SSLContext, certificate: Path, private_key: Path
) -> Certificate:
    """Return what a certificate is good for.

    Args:
        server: A server's context that shows it.
        certificate: Its PEM file.
        private_key: The PEM file of its key, shown by the client in turn.
    """
    shown, refused, client_refused = _handshake(
        server, client_context(certificate, private_key)
    )
    ends = shown.get("notAfter")
    names = shown.get("subjectAltName", ())
    return Certificate(
        names=tuple(
            str(entry[1])
            for entry in (names if isinstance(names, tuple) else ())
            if entry[0] == "DNS"
        ),
        ends=None
        if ends is None
        else datetime.fromtimestamp(ssl.cert_time_to_seconds(str(ends)), UTC),
        refused=refused,
        client_refused=client_refused,
    )


def client_context(certificate: Path, private_key: Path | None) -> ssl.SSLContext:
    """Return a client's context that trusts one certificate, whatever names it has.

    It is for the collector of the same user, reached by an address of this machine.

    Args:
        certificate: The PEM file of what is trusted.
        private_key: The PEM file of its key; with it the client shows it, too.
    """
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    if private_key is not None:
        context.load_cert_chain(certificate, private_key, no_password)
    return context


def is_trusted_by_itself(certificate: Path, private_key: Path) -> bool:
    """Tell whether any client that trusts nothing but this file takes the certificate.

    It does when it is signed by itself, or its file holds the chain up to the root. Most
    clients do not take a certificate alone for an authority, as `client_context` does.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, private_key, no_password)
    client = ssl.create_default_context(cafile=certificate)
    client.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
    client.check_hostname = False
    return not _handshake(server, client)[1]


def no_password() -> str:
    """Keep OpenSSL from asking the terminal for the password of a key."""
    return ""


def _handshake(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> tuple[Mapping[str, object], str, str]:
    """Return what the server has shown, why the client refused it, and the reverse."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(down, up)
    answers = server.wrap_bio(up, down, server_side=True)
    shown: Mapping[str, object] = {}
    for _ in range(_MOST_STEPS):
        try:
            asks.do_handshake()
            shown = asks.getpeercert() or {}
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            return {}, _reason(error), ""
        try:
            answers.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return shown, "", _reason(error)
        return shown, "", ""
    return shown, "the handshake does not end", ""


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or str(error)).lower()
