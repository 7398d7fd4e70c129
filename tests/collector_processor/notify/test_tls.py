"""Webhooks over TLS."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from ..embedded import Embedded
from .conftest import Announce
from .telling import batch, finding, receiving
from .test_webhooks import wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the key and the certificate of a machine that nobody knows."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", folder / "key", "-out", folder / "certificate"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_bytes(
        (folder / "key").read_bytes() + (folder / "certificate").read_bytes()
    )
    return both


def serving(certificate: Path) -> ssl.SSLContext:
    """Return what a server needs to use a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_an_unknown_certificate_is_refused(
    announce: Announce, stored: Embedded, certificate: Path
) -> None:
    """The attempt ends before anything is sent."""
    with receiving(tls=serving(certificate)) as receiver:
        hook = {"url": f"https://localhost:{receiver.port}/", "attempts": 1}
        announce({"pager": hook}).announce(batch(finding()))
        wait_for(stored, 1)
        assert receiver.received == []
    (row,) = stored.rows("deliveries")
    assert row["Outcome"] == "gave_up"
    assert "CERTIFICATE_VERIFY_FAILED" in row["Answer"]


def test_a_certificate_of_another_name_is_refused(
    announce: Announce,
    stored: Embedded,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It must be that of the address, however well known it is."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with receiving(tls=serving(certificate)) as receiver:
        hook = {"url": f"https://127.0.0.1:{receiver.port}/", "attempts": 1}
        announce({"pager": hook}).announce(batch(finding()))
        wait_for(stored, 1)
        assert receiver.received == []
    (row,) = stored.rows("deliveries")
    assert "CERTIFICATE_VERIFY_FAILED" in row["Answer"]


def test_a_known_certificate_works(
    announce: Announce,
    stored: Embedded,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the machine trusts, in SSL_CERT_FILE too, is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with receiving(tls=serving(certificate)) as receiver:
        hook = {"url": f"https://localhost:{receiver.port}/"}
        announce({"pager": hook}).announce(batch(finding()))
        wait_for(stored, 1)
        assert len(receiver.received) == 1
    (row,) = stored.rows("deliveries")
    assert (row["Outcome"], row["Code"]) == ("delivered", 200)
