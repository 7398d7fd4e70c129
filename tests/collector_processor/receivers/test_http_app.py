"""What the HTTP application does beyond OTLP's own rules."""

import asyncio
import contextlib
import errno
import gzip
import http.client
import socket

import orjson
import pytest

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector._signals import Signal
from fleetspan_collector.receivers import HttpAnswer, HttpServer, Route

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
TRACES = "/v1/traces"


class TestHosts:
    """Which Host headers are ours."""

    @pytest.mark.parametrize(
        "host",
        ["localhost", "LOCALHOST:4318", "127.0.0.1:1", "127.1.2.3", "[::1]:4318"]
        + ["collector.localhost", "localhost."],
    )
    async def test_loopback_hosts_are_ours(self, collector, host):
        """Every way to say loopback is allowed."""
        answer = await collector.post(TRACES, b"{}", Content_Type=JSON, Host=host)
        assert answer.status == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:4318"]
        + ["", "10.0.0.1", "[::2]", "localhost@evil.example"],
    )
    async def test_another_host_is_403(self, collector, host):
        """DNS rebinding: a page's own name pointed at us is told by its Host."""
        answer = await collector.post(TRACES, b"{}", Content_Type=JSON, Host=host)
        assert answer.status == 403
        assert orjson.loads(answer.body)["code"] == 7

    async def test_configured_hosts_are_allowed(self, start):
        """Names in the settings pass, others do not."""
        collector = await start(allowed_hosts=("otel.internal",))
        good = await collector.post(
            TRACES, b"{}", Content_Type=JSON, Host="OTEL.internal:4318"
        )
        bad = await collector.post(
            TRACES, b"{}", Content_Type=JSON, Host="evil.example"
        )
        assert (good.status, bad.status) == (200, 403)


class TestServer:
    """Listening, routes and tenants."""

    async def test_a_port_in_use_is_an_error(self, collector):
        """It says which address, why, and what to type instead."""
        second = HttpServer(collector.app, "127.0.0.1", collector.http.port)
        with pytest.raises(UnreachableError) as caught:
            await second.start()
        assert caught.value.error == (
            f"cannot listen on 127.0.0.1:{collector.http.port} for OTLP HTTP"
        )
        assert caught.value.because == "address already in use"
        assert caught.value.suggestion == "fleetspan up --http 127.0.0.1:0"

    async def test_every_address_of_a_name_is_listened_on(self, collector):
        """Clients may take ``localhost`` for either of its addresses."""
        server = HttpServer(collector.app, "localhost", 0)
        await server.start()
        addresses = socket.getaddrinfo("localhost", server.port, proto=socket.SOL_TCP)
        for family, _, _, _, address in addresses:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                if probe.connect_ex((str(address[0]), 1)) == errno.EADDRNOTAVAIL:
                    continue  # the name has an address that this machine has not
            _, writer = await asyncio.open_connection(str(address[0]), server.port)
            writer.close()
            await writer.wait_closed()
        await server.stop(1)

    async def test_a_name_that_is_none_is_an_error(self, collector):
        """A host that cannot be found is told as such."""
        with pytest.raises(UnreachableError) as caught:
            await HttpServer(collector.app, "no.such.invalid", 0).start()
        assert caught.value.error == (
            "cannot listen on no.such.invalid:0 for OTLP HTTP"
        )

    async def test_more_routes_may_be_mounted(self, collector):
        """A later POST route shares the checks: host, type, encoding and size."""

        async def hooks(request):
            return HttpAnswer(
                status=200, content_type=JSON, body=request.body.upper() or b"-"
            )

        collector.app.routes["/v1/claude-code/hooks"] = Route(
            handler=hooks, content_types=(JSON,), label=Signal.CLAUDE_HOOKS
        )
        good = await collector.post(
            "/v1/claude-code/hooks",
            gzip.compress(b'{"a":1}'),
            Content_Type=JSON,
            Content_Encoding="gzip",
        )
        bad = await collector.post("/v1/claude-code/hooks", b"", Content_Type=PROTOBUF)
        assert (good.status, good.body) == (200, b'{"A":1}')
        assert bad.status == 415

    async def test_the_tenant_comes_from_the_headers(self, start, trace_request):
        """Who sent a request is decided by a function of its headers."""
        collector = await start(tenant_of=lambda headers: headers["x-key"])
        body = trace_request().SerializeToString()
        await collector.post(TRACES, body, Content_Type=PROTOBUF, X_Key="acme")
        assert collector.sink.submissions[0].tenant == "acme"


async def test_answers_are_not_held_back(collector):
    """Nagle's algorithm is off: an answer's body does not wait for its headers' ACK."""

    def connect():
        connection = http.client.HTTPConnection("127.0.0.1", collector.http.port)
        connection.request("POST", TRACES, b"{}", {"Content-Type": JSON})
        connection.getresponse().read()
        return connection

    connection = await asyncio.to_thread(connect)
    with contextlib.closing(connection):
        (protocol,) = collector.http._server.server_state.connections
        there = protocol.transport.get_extra_info("socket")
        assert there.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
