"""Hooks that are an address."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path

import pytest

from fleetspan_collector.notify._signature import key_of, sign

from ..embedded import Embedded
from ..running import poll
from .conftest import Announce
from .telling import (
    Receiver,
    batch,
    drip_body,
    drip_headers,
    drip_status,
    finding,
    hang,
    receiving,
    store,
)

pytestmark = pytest.mark.integration

KEY = b"0123456789abcdef0123456789abcdef"
DOCUMENT = {
    "finding_id": "f-1",
    "detector": "retry_storm",
    "severity": "high",
    "run_id": "run-1",
    "run_name": "research",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "session_id": "session-1",
    "agent_id": "agent-1",
    "agent_name": "scout",
    "span_ids": ["b7ad6b7169203331"],
    "agent_ids": ["agent-1"],
    "call_ids": ["call-1", "call-2"],
    "tool_call_ids": [],
    "at": "2026-09-21T14:13:20.123456Z",
    "seconds": 12.5,
    "usd": None,
    "what": "The model was asked 9 times.",
    "advice": "Wait longer between attempts.",
    "details": {"attempts": 9},
    "run_open": False,
}


def outcomes(
    stored: Embedded, condition: str = "1"
) -> list[tuple[int, str, int | None]]:
    """Return number, outcome and code of each attempt on record, in order."""
    rows = stored.rows("deliveries", condition, "At, Attempt, Outcome, Code")
    return [(row["Attempt"], row["Outcome"], row["Code"]) for row in rows]


def wait_for(stored: Embedded, count: int, condition: str = "1") -> None:
    """Return once so many attempts are on record."""
    poll(
        lambda: len(stored.rows("deliveries", condition)) >= count,
        f"{count} attempts are on record",
    )


class TestWhatIsPosted:
    """The request."""

    def test_the_document_of_the_finding(self, announce: Announce) -> None:
        """The body is what ``findings --json`` has of one finding, as JSON."""
        with receiving() as receiver:
            announce({"pager": {"url": f"{receiver.url}/hook?team=a"}}).announce(
                batch(finding())
            )
            poll(lambda: receiver.received, "the hook was told")
        (request,) = receiver.received
        assert request.path == "/hook?team=a"
        assert request.headers["content-type"] == "application/json"
        assert json.loads(request.body) == DOCUMENT

    def test_it_is_signed_as_standard_webhooks_says(
        self, announce: Announce, tmp_path: Path
    ) -> None:
        """HMAC-SHA256 over id, timestamp and body, by the key after ``whsec_``."""
        file = tmp_path / "secret"
        file.write_text(f"whsec_{base64.b64encode(KEY).decode()}\n", "utf-8")
        with receiving() as receiver:
            announce(
                {"pager": {"url": receiver.url, "secret_file": str(file)}}
            ).announce(batch(finding()))
            poll(lambda: receiver.received, "the hook was told")
        (request,) = receiver.received
        message, moment = (request.headers[f"webhook-{n}"] for n in ("id", "timestamp"))
        assert abs(int(moment) - time.time()) < 60
        signed = f"{message}.{moment}.".encode() + request.body
        expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest())
        assert request.headers["webhook-signature"] == f"v1,{expected.decode()}"
        assert request.headers["x-fleetspan-delivery"] == message

    def test_a_secret_may_come_from_the_environment(
        self, announce: Announce, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``secret_env`` names the variable; any text is a key."""
        monkeypatch.setenv("PAGER_SECRET", "hunter22hunter22")
        with receiving() as receiver:
            announce(
                {"pager": {"url": receiver.url, "secret_env": "PAGER_SECRET"}}
            ).announce(batch(finding()))
            poll(lambda: receiver.received, "the hook was told")
        (request,) = receiver.received
        moment = int(request.headers["webhook-timestamp"])
        expected = sign(
            b"hunter22hunter22", request.headers["webhook-id"], moment, request.body
        )
        assert request.headers["webhook-signature"] == expected

    def test_the_signature_of_the_specification(self) -> None:
        """The example of Standard Webhooks."""
        key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        message = "msg_p5jXN8AQM9LWM0D4loKWxJek"
        assert (
            sign(key, message, 1614265330, b'{"test": 2432232314}')
            == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        )


class TestWhatIsRecorded:
    """The rows of ``deliveries``."""

    def test_a_delivery_that_works(self, announce: Announce, stored: Embedded) -> None:
        """One row: who, what, when, what came of it, and the beginning of the answer."""
        with receiving() as receiver:
            announce({"pager": {"url": receiver.url}}).announce(batch(finding()))
            wait_for(stored, 1)
        (row,) = stored.rows("deliveries")
        assert row["Destination"] == "pager"
        assert (row["Kind"], row["Subject"], row["RunId"]) == (
            "finding",
            "f-1",
            "run-1",
        )
        assert (row["Detector"], int(row["Level"])) == ("retry_storm", 3)
        assert (row["Attempt"], row["Items"]) == (1, 1)
        assert (row["Outcome"], row["Code"]) == ("delivered", 200)
        assert row["Answer"] == "thank you"
        assert row["DeliveryId"] == receiver.received[0].headers["webhook-id"]

    def test_a_secret_that_comes_back_is_not_recorded(
        self, announce: Announce, stored: Embedded, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither the secret nor its base64 is in the answer on record."""
        text = base64.b64encode(KEY).decode()
        monkeypatch.setenv("PAGER_SECRET", f"whsec_{text}")
        body = f"wrong key whsec_{text}, or {text}".encode()
        with receiving(401, body=body) as receiver:
            hook = {"url": receiver.url, "secret_env": "PAGER_SECRET"}
            announce({"pager": hook}).announce(batch(finding()))
            wait_for(stored, 1)
        (row,) = stored.rows("deliveries")
        assert row["Answer"] == "wrong key ***, or ***"

    def test_only_the_beginning_of_an_answer(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """A megabyte of answer leaves a thousand characters."""
        with receiving(body=b"x" * 1_000_000) as receiver:
            announce({"pager": {"url": receiver.url}}).announce(batch(finding()))
            wait_for(stored, 1)
        (row,) = stored.rows("deliveries")
        assert row["Answer"] == "x" * 999 + "…"


class TestRetries:
    """What is tried again, and what is not."""

    def test_errors_of_the_server_are_tried_again(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """500, 503, then 200: three attempts of one delivery id, the last one counts."""
        with receiving(500, 503, 200) as receiver:
            announce({"pager": {"url": receiver.url}}).announce(batch(finding()))
            wait_for(stored, 3)
        assert outcomes(stored) == [
            (1, "retry", 500),
            (2, "retry", 503),
            (3, "delivered", 200),
        ]
        assert len({each.headers["webhook-id"] for each in receiver.received}) == 1

    @pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
    def test_a_refusal_is_final(
        self, announce: Announce, stored: Embedded, status: int
    ) -> None:
        """Other errors of the client are not tried again, whatever is announced."""
        with receiving(status) as receiver:
            announcer = announce({"pager": {"url": receiver.url}})
            announcer.announce(batch(finding()))
            wait_for(stored, 1)
            announcer.announce(batch(finding(), finding("f-2")))
            wait_for(stored, 2)
        assert outcomes(stored) == [(1, "refused", status)] * 2
        ids = [json.loads(each.body)["finding_id"] for each in receiver.received]
        assert ids == ["f-1", "f-2"]

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_redirects_are_not_followed(
        self, announce: Announce, stored: Embedded, status: int
    ) -> None:
        """What is signed for one address goes to no other."""
        with receiving() as other:
            with receiving(status, headers={"location": other.url}) as receiver:
                announce({"pager": {"url": receiver.url}}).announce(batch(finding()))
                wait_for(stored, 1)
            assert other.received == []
        assert outcomes(stored) == [(1, "refused", status)]
        (row,) = stored.rows("deliveries")
        assert row["Answer"] == "redirects are not followed"

    def test_as_often_as_the_hook_says(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """After the last attempt it is given up, on record."""
        with receiving(500) as receiver:
            hook = {"url": receiver.url, "attempts": 3}
            announce({"pager": hook}).announce(batch(finding()))
            wait_for(stored, 3)
            assert len(receiver.received) == 3
        assert [each[1] for each in outcomes(stored)] == ["retry", "retry", "gave_up"]

    def test_a_receiver_that_asks_for_time_gets_it(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """Retry-After of a 429 is waited for, although the back-off is shorter."""
        with receiving(429, 200, headers={"retry-after": "1"}) as receiver:
            announce({"pager": {"url": receiver.url}}).announce(batch(finding()))
            wait_for(stored, 2)
        rows = stored.rows("deliveries", columns="toUnixTimestamp64Milli(At) AS At")
        first, second = sorted(int(row["At"]) for row in rows)
        assert second - first >= 1000

    def test_nobody_listens(self, announce: Announce, stored: Embedded) -> None:
        """A refused connection is tried again."""
        with receiving() as receiver:
            url = receiver.url
        hook = {"url": url, "attempts": 2}
        announce({"pager": hook}).announce(batch(finding()))
        wait_for(stored, 2)
        assert outcomes(stored) == [(1, "retry", None), (2, "gave_up", None)]
        assert "refused" in stored.rows("deliveries")[0]["Answer"]


class TestSlowReceivers:
    """Receivers that take their time."""

    @pytest.mark.parametrize("behaviour", [hang, drip_status, drip_headers])
    def test_the_timeout_holds_whatever_comes(
        self, announce: Announce, stored: Embedded, behaviour: object
    ) -> None:
        """Silence, and an answer that comes piece by piece, end at the timeout."""
        with receiving(behaviour) as receiver:  # type: ignore[arg-type]
            hook = {"url": receiver.url, "timeout_s": 0.3, "attempts": 1}
            announce({"pager": hook}).announce(batch(finding()))
            wait_for(stored, 1)
        (row,) = stored.rows("deliveries")
        assert (row["Outcome"], row["Code"]) == ("gave_up", None)
        assert row["Answer"] == "TimeoutError: no answer in 0.3 s"
        assert 250 < row["DurationMs"] < 10_000

    def test_a_status_counts_although_its_body_never_ends(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """Whoever has answered 200 has been told."""
        with receiving(drip_body) as receiver:
            announce({"pager": {"url": receiver.url}}).announce(batch(finding()))
            wait_for(stored, 1)
        assert outcomes(stored) == [(1, "delivered", 200)]

    def test_a_dead_hook_holds_up_nobody(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """While one hook hangs, the other is told of everything."""
        with receiving(hang) as dead, receiving() as alive:
            announcer = announce(
                {
                    "dead": {"url": dead.url, "timeout_s": 60},
                    "alive": {"url": alive.url},
                }
            )
            for number in range(20):
                announcer.announce(batch(finding(f"f-{number}")))
            poll(lambda: len(alive.received) == 20, "the living one was told of all")
            assert len(dead.received) == 1
            announcer.stop()
        rows = stored.rows("deliveries", "Destination = 'dead'")
        assert [row["Outcome"] for row in rows] == ["interrupted"]


class TestWhoIsToldOfWhat:
    """Filters, and once only."""

    def test_detectors_and_severity(self, announce: Announce) -> None:
        """A hook is told of its detectors, from its severity on."""
        with receiving() as receiver:
            hook = {
                "url": receiver.url,
                "detectors": ["retry_storm", "stuck_agent"],
                "min_severity": "high",
            }
            announce({"pager": hook}).announce(
                batch(
                    finding("low", Severity=1),
                    finding("other", Detector="failing_tool"),
                    finding("high"),
                    finding("critical", Detector="stuck_agent", Severity=4),
                    finding("gone", Severity=4) | {"What": "last"},
                )
            )
            poll(lambda: len(receiver.received) >= 3, "the hook was told")
        ids = [json.loads(each.body)["finding_id"] for each in receiver.received]
        assert ids == ["high", "critical", "gone"]

    def test_once_until_it_matters_more(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """A finding that stays is told once; again, with another id, when it rises."""
        with receiving() as receiver:
            announcer = announce({"pager": {"url": receiver.url}})
            for severity, what in ((2, "a"), (2, "b"), (1, "c"), (4, "d"), (4, "e")):
                announcer.announce(batch(finding(Severity=severity, What=what)))
                announcer.announce(batch(finding(f"mark-{what}")))
                # Told in order: a rise that finds the old one waiting replaces it.
                poll(lambda w=what: f"mark-{w}" in told(receiver), "it was told")
        documents = [json.loads(each.body) for each in receiver.received]
        ours = [each for each in documents if each["finding_id"] == "f-1"]
        assert [(each["severity"], each["what"]) for each in ours] == [
            ("medium", "a"),
            ("critical", "d"),
        ]
        assert len({each.headers["webhook-id"] for each in receiver.received}) == 7

    def test_what_is_taken_back_is_not_told(self, announce: Announce) -> None:
        """A row that says that a finding is gone tells nobody."""
        with receiving() as receiver:
            announcer = announce({"pager": {"url": receiver.url}})
            rows = batch(finding(), finding("f-2"))
            deleted = rows.findings.append_column("IsDeleted", [[1, 0]])
            announcer.announce(
                type(rows)(findings=deleted, analyses=rows.analyses, facts=())
            )
            poll(lambda: receiver.received, "the hook was told")
        (request,) = receiver.received
        assert json.loads(request.body)["finding_id"] == "f-2"


class TestHostileTexts:
    """What findings say may come from anywhere."""

    def test_they_arrive_as_they_are(self, announce: Announce) -> None:
        """Quotes, newlines, NULs and a megabyte are JSON like everything else."""
        texts = ['"quotes" \\ \n\r\0', "x" * 1_000_000, "<script>", "\u2028 ü 🔥"]
        with receiving() as receiver:
            announcer = announce({"pager": {"url": receiver.url}})
            for number, text in enumerate(texts):
                row = finding(f"f-{number}", What=text, RunId=text[:40], AgentName=text)
                announcer.announce(batch(row))
            poll(lambda: len(receiver.received) == 4, "the hook was told")
        assert [json.loads(each.body)["what"] for each in receiver.received] == texts

    def test_details_that_are_not_json_are_left_out(self, announce: Announce) -> None:
        """A plugin of another version harms nobody."""
        with receiving() as receiver:
            announce({"pager": {"url": receiver.url}}).announce(
                batch(finding(Details="{"))
            )
            poll(lambda: receiver.received, "the hook was told")
        assert json.loads(receiver.received[0].body)["details"] == {}


def told(receiver: Receiver) -> list[str]:
    """Return the ids of findings that have come."""
    return [json.loads(each.body)["finding_id"] for each in receiver.received]


class TestAfterAStop:
    """What was not told is told after the next start."""

    def test_what_was_interrupted(self, announce: Announce, stored: Embedded) -> None:
        """A stop in the middle of a delivery, and of a queue, loses nothing."""
        rows = batch(finding(), finding("f-2"))
        with receiving(hang, 200) as receiver:
            hooks = {"pager": {"url": receiver.url, "timeout_s": 60}}
            first = announce(hooks)
            store(stored.engine, rows)
            first.announce(rows)
            poll(lambda: receiver.received, "the first attempt has begun")
            first.stop()
            announce(hooks)
            poll(lambda: len(receiver.received) == 3, "both were told")
            wait_for(stored, 3)
        assert sorted(told(receiver)[1:]) == ["f-1", "f-2"]
        assert sorted(row[1] for row in outcomes(stored)) == [
            "delivered",
            "delivered",
            "interrupted",
        ]

    def test_nothing_twice(self, announce: Announce, stored: Embedded) -> None:
        """What was told before the stop is not told after it, even when announced."""
        with receiving() as receiver:
            hooks = {"pager": {"url": receiver.url}}
            first = announce(hooks)
            store(stored.engine, batch(finding()))
            first.announce(batch(finding()))
            wait_for(stored, 1)
            first.stop()
            second = announce(hooks)
            second.announce(batch(finding(), finding("f-2")))
            poll(lambda: len(receiver.received) == 2, "the new one was told")
        assert told(receiver) == ["f-1", "f-2"]

    def test_not_what_was_found_before_the_hook_was_there(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """A new hook is told of what is found from now on."""
        store(stored.engine, batch(finding("old")))
        with receiving() as receiver:
            announce({"pager": {"url": receiver.url}}).announce(batch(finding("new")))
            poll(lambda: receiver.received, "the hook was told")
        assert told(receiver) == ["new"]

    def test_not_what_is_too_old(self, announce: Announce, stored: Embedded) -> None:
        """After notify_keep_trying_hours nobody wants to know."""
        with receiving() as receiver:
            hooks = {"pager": {"url": receiver.url}}
            announce(hooks).stop()
            store(stored.engine, batch(finding("old")))
            second = announce(hooks, notify_keep_trying_hours="0.0000001")
            second.stop()
            assert receiver.received == []
            announce(hooks)
            poll(lambda: receiver.received, "the hook was told")
        assert told(receiver) == ["old"]
