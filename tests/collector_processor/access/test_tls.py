"""TLS: what is shown, what clients must show, and files that change."""

import asyncio
import contextlib
import http.client
import ssl
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import grpc
import prometheus_client
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceStub,
)

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.access.tls import Tls
from fleetspan_collector.config import Endpoint
from fleetspan_collector.receivers import (
    GrpcReceiver,
    HttpServer,
    Intake,
    MemorySink,
    OtlpHttpApp,
    ReceiverMetrics,
    ReceiverSettings,
)
from tests.collector_processor.access.keyed import Authority, Pem
from tests.collector_processor.fleet import agent, traces

REQUEST = traces([agent(1, 10)])


class Ports:
    """The two receivers over a sink in memory."""

    def __init__(self, tls: Tls) -> None:
        intake = Intake(
            MemorySink(),
            ReceiverSettings(),
            ReceiverMetrics(prometheus_client.CollectorRegistry()),
        )
        self.http = HttpServer(OtlpHttpApp(intake), "127.0.0.1", 0, tls=tls)
        self.grpc = GrpcReceiver(intake, "127.0.0.1", 0, tls=tls)

    async def post(self, context: ssl.SSLContext) -> int:
        """Send a request over HTTP; return the status."""

        def send() -> int:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.http.port, timeout=10, context=context
            )
            with contextlib.closing(connection):
                media = {"content-type": "application/x-protobuf"}
                body = REQUEST.SerializeToString()
                connection.request("POST", "/v1/traces", body, media)
                return connection.getresponse().status

        return await asyncio.to_thread(send)

    async def export(self, roots: Path, shown: Pem | None = None) -> str:
        """Send a request over gRPC; return the code."""
        credentials = grpc.ssl_channel_credentials(
            roots.read_bytes(),
            shown.private_key.read_bytes() if shown else None,
            shown.certificate.read_bytes() if shown else None,
        )

        def send() -> str:
            address = f"localhost:{self.grpc.port}"
            # Its own connection, not one that gRPC keeps for the same address.
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.secure_channel(address, credentials, options) as channel:
                stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]
                try:
                    stub.Export(REQUEST, timeout=5)
                except grpc.RpcError as error:
                    code: str = error.code().name
                    return code
                return "OK"

        return await asyncio.to_thread(send)


@contextlib.asynccontextmanager
async def serving(tls: Tls) -> AsyncGenerator[Ports]:
    """Serve both receivers."""
    ports = Ports(tls)
    await ports.http.start()
    await ports.grpc.start()
    try:
        yield ports
    finally:
        await ports.http.stop(1.0)
        await ports.grpc.stop(1.0)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who issued the collector's certificate."""
    return Authority(tmp_path)


def tls_of(pem: Pem, authorities: Path | None = None) -> Tls:
    """Return TLS with files."""
    return Tls(pem.certificate, pem.private_key, authorities)


async def test_both_protocols_are_encrypted(authority: Authority) -> None:
    """Who trusts the authority is served; who trusts another, or speaks plain text, not."""
    tls = tls_of(authority.issue("server"))
    other = Authority(authority.certificate.parent, "other")
    async with serving(tls) as ports:
        assert await ports.post(authority.client()) == 200
        assert await ports.export(authority.certificate) == "OK"
        with pytest.raises(ssl.SSLCertVerificationError):
            await ports.post(other.client())
        assert await ports.export(other.certificate) == "UNAVAILABLE"
        plain = http.client.HTTPConnection("127.0.0.1", ports.http.port, timeout=10)
        with contextlib.closing(plain):
            plain.request("GET", "/")
            with pytest.raises(http.client.HTTPException):
                await asyncio.to_thread(plain.getresponse)


async def test_old_protocols_are_refused(authority: Authority) -> None:
    """TLS 1.1 and older are not spoken."""
    context = authority.client()
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(tls_of(authority.issue("server"))) as ports:
        with pytest.raises(ssl.SSLError):
            await ports.post(context)


async def test_clients_must_show_a_certificate(
    authority: Authority, tmp_path: Path
) -> None:
    """With an authority of clients, only who has its certificate is served."""
    clients = Authority(tmp_path, "clients")
    known, stranger = clients.issue("known"), authority.issue("stranger")
    tls = tls_of(authority.issue("server"), clients.certificate)
    async with serving(tls) as ports:
        assert await ports.post(authority.client(known)) == 200
        assert await ports.export(authority.certificate, known) == "OK"
        for context in (authority.client(), authority.client(stranger)):
            with pytest.raises(
                (ssl.SSLError, ConnectionError, http.client.HTTPException)
            ):
                await ports.post(context)
        assert await ports.export(authority.certificate) == "UNAVAILABLE"
        assert await ports.export(authority.certificate, stranger) == "UNAVAILABLE"


async def test_new_certificate_is_shown_without_a_restart(
    authority: Authority, tmp_path: Path
) -> None:
    """Once its files have changed, new connections are shown the new certificate."""
    pem = authority.issue("server")
    tls = tls_of(pem)
    later = Authority(tmp_path, "later")
    async with serving(tls) as ports:
        assert await ports.export(authority.certificate) == "OK"
        renewed = later.issue("renewed")
        renewed.private_key.replace(pem.private_key)
        tls.follow()
        # Only one of the two has been replaced yet: what was goes on.
        assert await ports.post(authority.client()) == 200
        renewed.certificate.replace(pem.certificate)
        tls.follow()
        assert await ports.post(later.client()) == 200
        assert await ports.export(later.certificate) == "OK"


@pytest.mark.parametrize("names", ["address", "name", "wildcard"])
@pytest.mark.parametrize("mutual", [False, True])
async def test_own_commands_are_let_in(
    authority: Authority, tmp_path: Path, names: str, mutual: bool
) -> None:
    """Commands of the same user get in whatever the certificate is for, also with mTLS."""
    hosts = {"address": (), "name": ("fleet.example",), "wildcard": ("*.example",)}[
        names
    ]
    pem = authority.issue(
        "server", hosts=hosts, addresses=("127.0.0.1",) if names == "address" else ()
    )
    clients = Authority(tmp_path, "clients").certificate if mutual else None
    shown = OwnerPass.make(pem.certificate, pem.private_key)

    def by_http(port: int) -> int:
        connection = shown.connect(Endpoint("127.0.0.1", port), 10)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            return connection.getresponse().status

    def by_grpc(port: int) -> None:
        with shown.channel(f"127.0.0.1:{port}") as channel:
            stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]
            stub.Export(REQUEST, timeout=10)

    async with serving(tls_of(pem, clients)) as ports:
        assert await asyncio.to_thread(by_http, ports.http.port) == 404
        await asyncio.to_thread(by_grpc, ports.grpc.port)


@pytest.mark.parametrize(("whole", "named"), [(True, True), (False, False)])
def test_programs_trust_a_file_with_the_whole_chain(
    authority: Authority, whole: bool, named: bool
) -> None:
    """A certificate that most clients would not take for an authority is not named one."""
    pem = authority.issue("server")
    if whole:
        chain = pem.certificate.read_bytes() + authority.certificate.read_bytes()
        pem.certificate.write_bytes(chain)
    shown = OwnerPass.make(pem.certificate, pem.private_key)
    variables = shown.otlp_variables()
    assert ("OTEL_EXPORTER_OTLP_CERTIFICATE" in variables) == named
    assert variables["OTEL_EXPORTER_OTLP_CLIENT_KEY"] == str(pem.private_key)


def test_what_is_wrong_with_a_certificate_is_logged(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that expired, soon will, or shuts out the user's own commands is warned of."""
    tls_of(authority.issue("fine", days=30))
    assert caplog.messages == []
    tls_of(authority.issue("old", days=-1))
    tls_of(authority.issue("ageing", days=2))
    clients = Authority(tmp_path, "clients").certificate
    tls_of(authority.issue("one-way", server_only=True), clients)
    expired, soon, shut_out = caplog.messages
    assert "certificate has expired" in expired
    assert "expires at" in soon
    assert "unsuitable certificate purpose" in shut_out


def _missing(pem: Pem, authority: Authority) -> Tls:
    pem.certificate.unlink()
    return tls_of(pem)


def _of_others(pem: Pem, authority: Authority) -> Tls:
    return tls_of(Pem(pem.certificate, authority.issue("other").private_key))


def _no_pem(pem: Pem, authority: Authority) -> Tls:
    pem.private_key.write_text("no key")
    return tls_of(pem)


def _locked(pem: Pem, authority: Authority) -> Tls:
    from cryptography.hazmat.primitives import serialization as write

    key = write.load_pem_private_key(pem.private_key.read_bytes(), None)
    form, lock = write.PrivateFormat.PKCS8, write.BestAvailableEncryption(b"secret")
    pem.private_key.write_bytes(key.private_bytes(write.Encoding.PEM, form, lock))
    return tls_of(pem)


def _authorities(pem: Pem, authority: Authority) -> Tls:
    return tls_of(pem, pem.private_key)


@pytest.mark.parametrize("make", [_missing, _of_others, _no_pem, _locked, _authorities])
def test_unusable_files_are_refused(
    authority: Authority, make: Callable[[Pem, Authority], Any]
) -> None:
    """A collector does not start with files that it cannot use, nor asks a password."""
    with pytest.raises(UsageError, match="files of TLS cannot be used") as caught:
        make(authority.issue("server"), authority)
    assert caught.value.because
