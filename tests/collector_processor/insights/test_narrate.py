"""A paragraph by a model, from servers of both kinds on loopback."""

import json
import logging
import socket

import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.insights.figures import figures_of
from fleetspan_collector.insights.narrate import (
    Endpoint,
    NarrationError,
    facts_of,
    narrate,
)
from fleetspan_collector.insights.review import Review
from fleetspan_collector.insights.savings import Saving, Whole
from tests.collector_processor.insights.phases import phase
from tests.collector_processor.insights.provider import (
    anthropic_answer,
    openai_answer,
)

KEY = "sk-very-secret"


@pytest.fixture
def review() -> Review:
    """A review with one opportunity."""
    made = phase(1)
    saving = Saving(
        detector="straggler",
        subject_kind="agent",
        subject="auditor",
        agent=None,
        severity="high",
        findings=1,
        runs=1,
        seconds=124.0,
        usd=0.0,
        score=0.5,
        what="One took 150 s.",
        advice="Split it.",
        finding_ids=["finding-id"],
        run_ids=["secret-run-id"],
        span_ids=["span-id"],
    )
    return Review(
        made_ns=0,
        span=made.span,
        figures=figures_of(made),
        ledger=None,
        savings=[saving],
        together=Whole(seconds=124.0, usd=0.0),
        parts={},
        failures=[],
        slowest=[],
        fastest=[],
        dearest=[],
        earlier=None,
    )


class TestBothKinds:
    """What is asked, and what is taken of the answer."""

    def test_openai(self, provider, review):
        """The figures go as a user's message, the key as a bearer token."""
        provider.body = openai_answer("All is\n well.")
        url = provider.url("/v1/chat/completions")
        endpoint = Endpoint(url=url, model="local-7b", key=KEY)
        assert narrate(review, endpoint) == "All is well."
        ((path, headers, document),) = provider.asked
        assert path == "/v1/chat/completions"
        assert headers["authorization"] == f"Bearer {KEY}"
        assert document["model"] == "local-7b"
        assert [message["role"] for message in document["messages"]] == [
            "system",
            "user",
        ]
        assert json.loads(document["messages"][1]["content"])["figures"]["runs"] == 90

    def test_anthropic(self, provider, review):
        """The key goes in Anthropic's own header, with the version of its interface."""
        provider.body = anthropic_answer("All is well.")
        endpoint = Endpoint(url=provider.url("/v1/messages"), model="haiku", key=KEY)
        assert narrate(review, endpoint) == "All is well."
        ((path, headers, document),) = provider.asked
        assert path == "/v1/messages"
        assert headers["x-api-key"] == KEY
        assert headers["anthropic-version"] == "2023-06-01"
        assert "authorization" not in headers
        assert document["max_tokens"] > 0
        assert [message["role"] for message in document["messages"]] == ["user"]

    def test_without_a_key(self, provider, review):
        """Local servers need none, and get none."""
        provider.body = openai_answer("x")
        url = provider.url("/v1/chat/completions")
        narrate(review, Endpoint(url=url, model="m"))
        assert "authorization" not in provider.asked[0][1]


class TestFacts:
    """What a model is told."""

    def test_no_ids(self, review):
        """Figures and the texts of findings, and no id of anything."""
        told = json.dumps(facts_of(review))
        assert "One took 150 s." in told
        for withheld in ("secret-run-id", "span-id", "finding-id", "run-1-"):
            assert withheld not in told


class TestFailures:
    """A paragraph that does not come is no paragraph, and nothing else is lost."""

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (500, b"{}"),
            (302, b""),
            (200, b"not json"),
            (200, b"[]"),
            (200, b'{"choices": []}'),
            (200, b'{"choices": [{"message": {"content": null}}]}'),
            (200, openai_answer("  ")),
            (200, b"x" * 300_000),
        ],
    )
    def test_no_answer(self, provider, review, status, body):
        """Whatever else comes is an error that says so."""
        provider.status, provider.body = status, body
        provider.headers = {"location": "http://127.0.0.1:9/"} if status == 302 else {}
        url = provider.url("/v1/chat/completions")
        with pytest.raises(NarrationError, match="the model m wrote nothing"):
            narrate(review, Endpoint(url=url, model="m", key=KEY))
        assert len(provider.asked) == 1

    def test_nobody_there(self, review):
        """A port on which nobody listens is the same."""
        endpoint = Endpoint(url="http://127.0.0.1:9/v1/messages", model="m")
        with pytest.raises(NarrationError, match="ConnectionRefusedError"):
            narrate(review, endpoint)

    def test_silence(self, review):
        """A server that takes the request and says nothing is given up."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            endpoint = Endpoint(url=f"http://127.0.0.1:{port}/v1/messages", model="m")
            with pytest.raises(NarrationError, match="TimeoutError"):
                narrate(review, endpoint, timeout_s=0.2)

    def test_long(self, provider, review):
        """No more than 2,000 characters are kept."""
        provider.body = openai_answer("x" * 5000)
        url = provider.url("/v1/chat/completions")
        assert len(narrate(review, Endpoint(url=url, model="m"))) == 2000

    def test_key_is_never_told(self, provider, review, caplog):
        """Neither an error nor the log has the key."""
        provider.status = 401
        url = provider.url("/v1/messages")
        caplog.set_level(logging.DEBUG)
        with pytest.raises(NarrationError) as raised:
            narrate(review, Endpoint(url=url, model="m", key=KEY))
        assert KEY not in str(raised.value) + raised.value.suggestion + caplog.text

    @pytest.mark.parametrize(
        ("url", "because"),
        [
            ("ftp://x/v1/messages", "no http"),
            ("http://x/v1", "neither"),
            ("http://example.org/v1/messages", "unencrypted"),
        ],
    )
    def test_unusable(self, url, because):
        """An address that cannot be right, or would tell the key, is refused."""
        with pytest.raises(UsageError, match=because):
            Endpoint(url=url, model="m", key=KEY)

    def test_unencrypted_without_a_key(self):
        """Without a key an address of the own network may be unencrypted."""
        assert Endpoint(url="http://gpu.lan/v1/messages", model="m").of_anthropic
