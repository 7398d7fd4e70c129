"""The stream over WebSocket and SSE, with real sockets."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fleetspan_collector._signals import Signal
from fleetspan_collector.access import Scope
from tests.collector_processor.fleet import agent, span
from tests.collector_processor.live.listening import (
    PATIENCE_S,
    ListedGate,
    Port,
    identity_for,
    named,
    open_port,
)


async def test_an_event_comes_for_each_span(port: Port) -> None:
    """First hello, then what became durable, numbered in order."""
    async with port.listening() as ear:
        port.send(named("a", "b"))
        hello, first, second = await ear.hear(3)

    epoch = hello["epoch"]
    assert hello == {"kind": "hello", "id": f"{epoch}-0", "epoch": epoch}
    assert [first["id"], first["name"]] == [f"{epoch}-1", "a"]
    assert [second["id"], second["name"]] == [f"{epoch}-2", "b"]


async def test_nothing_is_made_while_nobody_listens(port: Port) -> None:
    """It costs no more than a look."""
    port.send(named("unheard"))
    async with port.listening() as ear:
        port.send(named("heard"))
        await ear.hear(2)

    assert ear.names == ["heard"]
    assert port.counted("fleetspan_live_events_total", kind="span") == 1


async def test_who_comes_back_goes_on_where_they_were(port: Port) -> None:
    """Nothing is left out, and nothing comes twice."""
    async with port.listening() as ear:
        port.send(named("a", "b", "c"))
        heard = await ear.hear(3)
        last = heard[2]["id"]
    port.send(named("d"))
    async with port.listening(f"?after={last}") as ear:
        port.send(named("e"))
        await ear.hear(4)

    assert ear.names == ["c", "d", "e"]
    assert ear.heard[0]["id"] == last


async def test_no_gap_and_no_repeat_while_connections_are_cut_under_load(
    port: Port,
) -> None:
    """However often a client is cut off, it has each number once, in order."""
    total = 6000
    numbers: list[int] = []

    async def sends() -> None:
        for begin in range(0, total, 50):
            port.send([span(1, begin + n + 1, name=str(begin + n)) for n in range(50)])
            await asyncio.sleep(0)

    async with port.listening() as first:
        last = first.heard[0]["id"]
    sending = asyncio.create_task(sends())
    cuts = 0
    async with asyncio.timeout(PATIENCE_S):
        while len(numbers) < total:
            async with port.listening(f"?after={last}") as ear:
                while len(numbers) < total:
                    events = json.loads(await ear.socket.recv())
                    numbers += [int(event["name"]) for event in events]
                    last = events[-1]["id"]
                    if len(numbers) // 500 > cuts:
                        cuts += 1
                        ear.socket.transport.abort()
                        break
    await sending

    assert numbers == list(range(total))
    assert cuts >= 5


async def test_another_epoch_is_told_as_missed_without_a_number(port: Port) -> None:
    """An id of before a restart is good for nothing; the client hears so."""
    async with port.listening("?after=0123456789ab-17") as ear:
        hello, missed = await ear.hear(2)

    assert (missed["kind"], missed["count"]) == ("missed", None)
    assert missed["id"] == hello["id"]


async def test_what_came_while_nobody_listened_is_told_as_missed(port: Port) -> None:
    """After a while without listeners no events are made: who comes back hears so."""
    port.live.linger_s = 0.0
    async with port.listening() as ear:
        port.send(named("a"))
        last = (await ear.hear(2))[1]["id"]
    async with asyncio.timeout(PATIENCE_S):
        while port.live.wants_live:
            await asyncio.sleep(0.01)
    port.send(named("unheard"))
    async with port.listening(f"?after={last}") as ear:
        _, missed = await ear.hear(2)

    assert (missed["kind"], missed["count"]) == ("missed", None)


async def test_a_slow_client_is_skipped_ahead_and_told_how_much_it_missed() -> None:
    """It holds up nobody else; numbers it has and numbers it missed add up."""
    async with open_port() as port:
        port.live.ring._most_events = 2000
        async with (
            port.listening(max_queue=1) as slow,
            port.listening() as quick,
        ):
            total = 30_000
            text = "x" * 400
            for begin in range(0, total, 500):
                port.send([span(1, begin + n + 1, name=text) for n in range(500)])
                await quick.hear(begin + 2)
            port.send(named("last"))
            await quick.until("span", "last")
            await slow.until("span", "last")
            missed = [e for e in slow.heard if e["kind"] == "missed"]
            seen = [e for e in slow.heard if e["kind"] == "span"]

    assert missed
    assert len(seen) + sum(each["count"] for each in missed) == total + 1
    assert not [e for e in quick.heard if e["kind"] == "missed"]


async def test_tenants_see_their_own_alone() -> None:
    """An identity without a tenant sees all of them."""
    gate = ListedGate(
        {
            "red": identity_for("red", "red"),
            "blue": identity_for("blue", "blue"),
            "all": identity_for("all", None),
        }
    )
    async with (
        open_port(gate) as port,
        port.listening(key="red") as red,
        port.listening(key="blue") as blue,
        port.listening(key="all") as everybody,
    ):
        port.send(named("of red"), tenant="red")
        port.send(named("of blue"), tenant="blue")
        port.send(named("of red again"), tenant="red")
        await red.hear(3)
        await blue.hear(2)
        await everybody.hear(4)

    assert red.names == ["of red", "of red again"]
    assert blue.names == ["of blue"]
    assert everybody.names == ["of red", "of blue", "of red again"]


async def test_who_shows_no_key_is_refused() -> None:
    """So is who shows one that may not read."""
    sends = identity_for("sender", "red", frozenset({Scope.INGEST}))
    async with open_port(ListedGate({"sender": sends})) as port:
        nobody, _ = await port.ask("/api/v1/live")
        sender, _ = await port.ask("/api/v1/live", authorization="Bearer sender")

        with pytest.raises(InvalidStatus) as closed:
            async with port.listening():
                pass

    assert (nobody, sender) == (401, 403)
    assert closed.value.response.status_code == 403


async def test_the_stream_of_a_revoked_key_ends() -> None:
    """Within about a second, with a code that tells why."""
    gate = ListedGate({"red": identity_for("red", "red")})
    async with open_port(gate) as port, port.listening(key="red") as ear:
        del gate.identities["red"]
        with pytest.raises(ConnectionClosed) as closed:
            await ear.hear(2)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?agent=coder", ["by name", "both"]),
        ("?agent=a-2", ["by id", "both"]),
        ("?agent=coder,a-2", ["by name", "by id", "both"]),
        ("?session=s-1", ["of session"]),
        ("?run=r-1", ["of run"]),
        (f"?group={7:032x}", ["of group"]),
        ("?severity=medium", ["failed"]),
        ("?kind=span&severity=low&severity=high", ["failed"]),
    ],
)
async def test_filters_keep_what_they_name(
    port: Port, query: str, expected: list[str]
) -> None:
    """Each filter alone; values of one are alternatives."""
    async with port.listening(query) as ear:
        port.send(
            [
                span(1, 1, name="plain"),
                span(1, 2, name="by name", gen_ai__agent__name="coder"),
                span(1, 3, name="by id", fleetspan__agent__id="a-2"),
                span(
                    1,
                    4,
                    name="both",
                    gen_ai__agent__name="coder",
                    fleetspan__agent__id="a-2",
                ),
                span(1, 5, name="of session", gen_ai__conversation__id="s-1"),
                span(1, 6, name="of run", fleetspan__run__id="r-1"),
                span(7, 7, name="of group"),
                span(1, 8, name="failed", failed=True),
            ]
        )
        await ear.hear(1 + len(expected))

    assert ear.names == expected


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?kind=spam", "kind='spam'"),
        ("?severity=bad", "severity='bad'"),
        ("?after=nonsense", "after='nonsense'"),
        ("?agent=" + "x" * 600, "the filter agent"),
    ],
)
async def test_what_cannot_be_used_is_said(port: Port, query: str, reason: str) -> None:
    """Over SSE with status 400, over WebSocket as it is closed."""
    status, answer = await port.ask(f"/api/v1/live{query}")
    assert status == 400
    assert reason in answer["error"]

    with pytest.raises(ConnectionClosed) as closed:
        async with port.listening(query):
            pass
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400
    assert reason in closed.value.rcvd.reason


async def test_no_more_than_a_number_of_clients_may_listen(port: Port) -> None:
    """The next is told to come later: 503."""
    for _ in range(256):
        port.live.listen()
    status, _ = await port.ask("/api/v1/live")
    assert status == 503
    with pytest.raises(ConnectionClosed) as closed:
        async with port.listening():
            pass
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4503

    port.live.leave()
    async with port.listening() as ear:
        assert ear.heard[0]["kind"] == "hello"


async def test_whoever_goes_leaves_a_place(port: Port) -> None:
    """Cut off or closed, over either way: nobody is counted any more."""
    async with port.listening() as ear:
        ear.socket.transport.abort()
    reader, writer = await asyncio.open_connection("127.0.0.1", port.server.port)
    writer.write(b"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await reader.readuntil(b"hello")
    writer.close()
    async with asyncio.timeout(PATIENCE_S):
        while port.counted("fleetspan_live_listeners"):
            await asyncio.sleep(0.01)


async def test_plain_http_reads_lines(port: Port) -> None:
    """As `curl -N` shows them; an event's id goes on after it in `Last-Event-ID`."""
    async with port.listening() as ear:
        port.send(named("a"))
        last = (await ear.hear(2))[1]["id"]
        port.send(named("b"))
        await ear.hear(3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port.server.port)
    try:
        writer.write(
            b"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n"
            b"Last-Event-ID: " + last.encode() + b"\r\n\r\n"
        )
        async with asyncio.timeout(PATIENCE_S):
            head = await reader.readuntil(b"\r\n\r\n")
            text = await reader.readuntil(b'"text":null}\n\n')
    finally:
        writer.close()

    lines = [line for line in text.decode().split("\n") if line[:3] in ("id:", "dat")]
    assert b"content-type: text/event-stream" in head
    assert lines[0] == f"id: {last}"
    assert json.loads(lines[1].removeprefix("data: "))["kind"] == "hello"
    assert lines[2] == f"id: {last[:-1]}2"
    assert json.loads(lines[3].removeprefix("data: "))["name"] == "b"


async def test_hostile_text_stays_text(port: Port) -> None:
    """Quotes, line ends, markup and broken surrogates pass as JSON strings."""
    name = 'a"b\n\ndata: {"kind":"run"}\r\n<script>\x00\u2028'
    async with port.listening() as ear:
        port.send([agent(1, 1, gen_ai__agent__name=name), span(1, 2, name="x" * 9000)])
        _, first, second = await ear.hear(3)

    assert first["agent"] == name
    assert second["name"] == "x" * 500 + "…"


async def test_a_request_that_is_none_is_counted_and_the_stream_goes_on(
    port: Port,
) -> None:
    """What cannot be decoded is told as missed."""
    async with port.listening() as ear:
        port.give(Signal.TRACES, b"\xff\xff\xff", rows=3)
        port.send(named("after"))
        _, missed, after = await ear.hear(3)

    assert (missed["kind"], missed["count"]) == ("missed", 3)
    assert after["name"] == "after"
    assert port.counted("fleetspan_live_missed_total", reason="failed") == 3


async def test_a_stream_that_is_behind_skips_and_says_so(port: Port) -> None:
    """What waits to be decoded is bounded; the journal is never held up."""
    async with port.listening() as ear:
        payload_bytes = 40 << 20
        port.give(Signal.TRACES, bytes(payload_bytes), rows=12)
        port.send(named("after"))
        _, missed, after = await ear.hear(3)

    assert (missed["kind"], missed["count"]) == ("missed", 12)
    assert after["name"] == "after"


async def test_closing_ends_every_stream() -> None:
    """Clients hear that the collector goes away, and nothing waits for them."""
    async with open_port() as port, port.listening() as ear:
        port.live.close()
        with pytest.raises(ConnectionClosed) as closed:
            await ear.hear(2)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
