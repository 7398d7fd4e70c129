"""Claude Code's hooks and transcripts, as the HTTP port takes and answers them."""

import asyncio
import gzip
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from fleetspan_collector._claude_inputs import ClaudeHook, TranscriptLines
from fleetspan_collector._errors import Refused
from fleetspan_collector._signals import Signal
from fleetspan_collector.receivers import MemorySink

HOOKS = "/v1/claude-code/hooks"
TRANSCRIPTS = "/v1/claude-code/transcripts"
JSON = "application/json"
NDJSON = "application/x-ndjson"
STOP = b'{"session_id":"s1","hook_event_name":"Stop"}'
TRACEPARENT = "00-9412dac53d049104c8cfcfcc0ec6ee1f-dcc1c874ca1afb13-01"
WHERE = {
    "Content_Type": NDJSON,
    "X_Fleetspan_Transcript_Path": "/p/s1.jsonl",
    "X_Fleetspan_Transcript_Offset": "40",
}


def hooks(collector: Any) -> list[Any]:
    """Return the hooks that were accepted."""
    taken = [
        each
        for each in collector.sink.submissions
        if each.signal is Signal.CLAUDE_HOOKS
    ]
    assert all(each.rows == 1 for each in taken)
    return [ClaudeHook.FromString(each.payload) for each in taken]


class TestHooks:
    """One hook a request."""

    async def test_a_hook_is_kept_as_it_came(self, collector):
        """Body, trace context, delivery id and the sender's stamp; the answer is empty."""
        answer = await collector.post(
            HOOKS,
            STOP,
            Content_Type=JSON,
            traceparent=TRACEPARENT,
            X_Fleetspan_Delivery_Id="d1",
            X_Fleetspan_Event_Time="1795341077799445000",
        )
        assert (answer.status, answer.content_type, answer.body) == (200, JSON, b"{}")
        (hook,) = hooks(collector)
        assert hook == ClaudeHook(
            body=STOP,
            traceparent=TRACEPARENT,
            delivery_id="d1",
            event_unix_nano=1795341077799445000,
        )

    @pytest.mark.parametrize(
        "header",
        ["X_Fleetspan_Delivery", "X_Delivery_Id", "Delivery_Id"]
        + ["Idempotency_Key", "X_Request_Id"],
    )
    async def test_a_delivery_may_be_named_otherwise(self, collector, header):
        """Other senders have other headers; the same id names the same delivery."""
        for given_id in ("a", "a", "b"):
            await collector.post(
                HOOKS, STOP, Content_Type=JSON, **{header: f" {given_id} "}
            )
        assert [hook.delivery_id for hook in hooks(collector)] == ["a", "a", "b"]
        first, again, other = (each.record_id for each in collector.sink.submissions)
        assert first == again != other

    async def test_without_a_name_every_arrival_is_a_delivery(self, collector):
        """The journal gives each an id of its own."""
        for _ in range(2):
            await collector.post(HOOKS, STOP, Content_Type=JSON)
        assert [each.record_id for each in collector.sink.submissions] == [None, None]

    async def test_a_long_delivery_id_is_hashed(self, collector):
        """It still tells deliveries apart, and stays short."""
        for letter in "aab":
            headers = {"X_Fleetspan_Delivery_Id": letter * 5_000}
            await collector.post(HOOKS, STOP, Content_Type=JSON, **headers)
        first, again, other = (hook.delivery_id for hook in hooks(collector))
        assert first == again != other
        assert len(first) == 64

    @pytest.mark.parametrize(
        ("body", "headers", "event", "problems"),
        [
            (STOP, {}, "Stop", []),
            (b"", {}, "unreadable", ["no_json"]),
            (b"{", {}, "unreadable", ["no_json"]),
            (b"[1]", {}, "unreadable", ["no_object"]),
            (b"{}", {}, "unreadable", ["no_event", "no_session"]),
            (b'{"hook_event_name":"Stop"}', {}, "Stop", ["no_session"]),
            (
                b'{"session_id":"s","hook_event_name":"Brandnew"}',
                {},
                "unknown",
                ["unknown_event"],
            ),
            (STOP, {"X_Fleetspan_Event_Time": "soon"}, "Stop", ["event_time"]),
            (STOP, {"traceparent": "00-1-2-3"}, "Stop", ["traceparent"]),
        ],
    )
    async def test_what_is_wrong_is_counted_and_kept(
        self, collector, body, headers, event, problems
    ):
        """The client hears nothing of it: its answer is that of any hook."""
        answer = await collector.post(HOOKS, body, Content_Type=JSON, **headers)
        assert (answer.status, answer.body) == (200, b"{}")
        (hook,) = hooks(collector)
        assert hook.body == body
        assert (hook.traceparent, hook.event_unix_nano) == ("", 0)
        name = "fleetspan_receiver_claude_hooks_total"
        assert collector.metric(name, event=event) == 1
        name = "fleetspan_receiver_claude_problems_total"
        for reason in problems:
            assert collector.metric(name, signal="claude_hooks", reason=reason) == 1
        assert (
            sum(
                sample.value
                for metric in collector.registry.collect()
                for sample in metric.samples
                if sample.name == name
            )
        ) == len(problems)

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        body=some.one_of(
            some.binary(max_size=200),
            some.recursive(
                some.none() | some.booleans() | some.floats() | some.text(),
                lambda inner: (
                    some.lists(inner)
                    | some.dictionaries(
                        some.sampled_from(
                            ["session_id", "hook_event_name", "decision", "continue"]
                        ),
                        inner,
                    )
                ),
            ).map(orjson.dumps),
        )
    )
    async def test_whatever_comes_the_answer_decides_nothing(self, collector, body):
        """No hook can make the collector answer with more than an empty object."""
        before = len(collector.sink.submissions)
        answer = await collector.post(HOOKS, body, Content_Type=JSON)
        assert (answer.status, answer.body) == (200, b"{}")
        assert len(collector.sink.submissions) == before + 1

    async def test_the_answer_comes_after_the_journal_has_it(self, start):
        """While the sink has not said that it is durable there is no answer."""
        taken, release = asyncio.Event(), asyncio.Event()

        class Slow(MemorySink):
            async def accept(self, submission):
                taken.set()
                await release.wait()
                return await super().accept(submission)

        collector = await start(Slow())
        post = asyncio.create_task(collector.post(HOOKS, STOP, Content_Type=JSON))
        await taken.wait()
        assert not post.done()
        release.set()
        assert (await post).status == 200

    async def test_a_hook_that_cannot_be_taken_now_is_refused(self, start):
        """As an OTLP request: 503, with when to try again; the client goes on."""
        collector = await start()
        collector.sink.refusal = Refused("journal_full", "no room", retry_after_s=1.0)
        answer = await collector.post(HOOKS, STOP, Content_Type=JSON)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert orjson.loads(answer.body)["code"] == 14

    @pytest.mark.parametrize(
        ("headers", "body", "status"),
        [
            ({"Content_Type": "text/plain"}, STOP, 415),
            ({}, STOP, 415),
            ({"Content_Type": JSON, "Content_Encoding": "br"}, STOP, 415),
            ({"Content_Type": JSON, "Content_Encoding": "gzip"}, STOP, 400),
            ({"Content_Type": JSON}, b"x" * 70_000, 413),
            ({"Content_Type": JSON, "Host": "evil.example"}, STOP, 403),
        ],
    )
    async def test_what_no_client_sends_is_refused(self, start, headers, body, status):
        """Type, encoding, size and host, as of any other request."""
        collector = await start(max_request_bytes=65_536)
        answer = await collector.post(HOOKS, body, **headers)
        assert answer.status == status
        assert not collector.sink.submissions

    async def test_a_web_page_cannot_post(self, collector):
        """A form's types are not taken, and JSON from another site needs leave first."""
        answer = await collector.request("OPTIONS", HOOKS, Content_Type=JSON)
        assert answer.status == 405

    async def test_a_large_hook_is_kept_whole_and_shown_in_part(self, start):
        """What a row shows is still JSON."""
        collector = await start(value_limit_bytes=100_000)
        body = orjson.dumps({"session_id": "s1", "prompt": "p" * 200_000})
        await collector.post(HOOKS, body, Content_Type=JSON)
        (hook,) = hooks(collector)
        assert hook.body == body
        shown = orjson.loads(hook.shown)
        assert shown["session_id"] == "s1"
        assert shown["prompt"].startswith("p" * 65_536 + "… [200031 bytes, whole in")


class TestTranscripts:
    """Some lines of one file a request."""

    async def test_lines_are_kept_with_their_places(self, collector):
        """Blank ones are left out; the answer says how many there are."""
        body = b'{"type":"user"}\n\n{"type":"assistant"}\n'
        answer = await collector.post(TRANSCRIPTS, body, **WHERE)
        assert (answer.status, answer.body) == (200, b'{"lines":2}')
        (submission,) = collector.sink.submissions
        assert (submission.signal, submission.rows) == (Signal.TRANSCRIPT_LINES, 2)
        assert TranscriptLines.FromString(submission.payload) == TranscriptLines(
            path="/p/s1.jsonl",
            session_id="s1",
            offsets=[40, 57],
            lines=b'{"type":"user"}\n{"type":"assistant"}',
        )

    @pytest.mark.parametrize("body", [b"", b"\n", b" \n\n\r\n"])
    async def test_no_lines_are_nothing_to_keep(self, collector, body):
        """They are accepted all the same."""
        answer = await collector.post(TRANSCRIPTS, body, **WHERE)
        assert (answer.status, answer.body) == (200, b'{"lines":0}')
        assert not collector.sink.submissions

    async def test_the_same_lines_are_known_again(self, collector):
        """By file, place and content, however they are compressed."""
        body = b'{"a":1}\n'
        packed = gzip.compress(body)
        await collector.post(TRANSCRIPTS, body, **WHERE)
        await collector.post(TRANSCRIPTS, packed, **WHERE, Content_Encoding="gzip")
        await collector.post(TRANSCRIPTS, b'{"a":2}\n', **WHERE)
        moved = WHERE | {"X_Fleetspan_Transcript_Offset": "48"}
        await collector.post(TRANSCRIPTS, body, **moved)
        first, again, other, later = (
            each.record_id for each in collector.sink.submissions
        )
        assert first == again
        assert len({first, other, later}) == 3

    @pytest.mark.parametrize(
        ("missing", "changed"),
        [
            ("X_Fleetspan_Transcript_Path", {}),
            ("X_Fleetspan_Transcript_Offset", {}),
            ("", {"X_Fleetspan_Transcript_Offset": "-1"}),
            ("", {"X_Fleetspan_Transcript_Offset": "1e3"}),
            ("", {"X_Fleetspan_Transcript_Offset": str(1 << 63)}),
        ],
    )
    async def test_lines_of_nowhere_are_400(self, collector, missing, changed):
        """The header that is missing or wrong is named."""
        headers = {k: v for k, v in (WHERE | changed).items() if k != missing}
        answer = await collector.post(TRANSCRIPTS, b"{}", **headers)
        assert answer.status == 400
        named = (missing or next(iter(changed))).replace("_", "-").lower()
        assert named in orjson.loads(answer.body)["message"]

    async def test_lines_that_are_no_objects_are_counted(self, collector):
        """A half line at the end is one of them."""
        body = b'{"a":1}\n[]\nx\n{"b":'
        await collector.post(TRANSCRIPTS, body, **WHERE)
        counted = collector.metric(
            "fleetspan_receiver_claude_problems_total",
            signal="transcript_lines",
            reason="no_object",
        )
        assert counted == 3

    @pytest.mark.parametrize("media", [NDJSON, "application/jsonl", JSON])
    async def test_types_that_lines_may_have(self, collector, media):
        """And no others."""
        headers = WHERE | {"Content_Type": media}
        assert (await collector.post(TRANSCRIPTS, b"{}", **headers)).status == 200
        headers = WHERE | {"Content_Type": "text/plain"}
        assert (await collector.post(TRANSCRIPTS, b"{}", **headers)).status == 415
