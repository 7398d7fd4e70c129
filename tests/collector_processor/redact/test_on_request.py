"""Personal data and the users' own patterns: redacted when that is asked for."""

from __future__ import annotations

import json

import pytest

from fleetspan_collector._claude_inputs import ClaudeHook
from fleetspan_collector._signals import Signal
from fleetspan_collector.redact import check_pattern

from ..fleet import span, traces
from .guarding import Guard

CARD = "4111 1111" + " 1111 1111"
IBAN = "DE89 3704 0044" + " 0532 0130 00"
PERSONAL = [
    ("email", "ada.lovelace+work@mail.example.co.uk"),
    ("payment-card", CARD),
    ("payment-card", CARD.replace(" ", "")),
    ("payment-card", "3782 822463" + " 10005"),
    ("iban", IBAN),
    ("iban", IBAN.replace(" ", "")),
    ("us-ssn", "536-90" + "-4399"),
    ("ip-address", "203.0.113.77"),
    ("ip-address", "2001:db8:85a3::8a2e:370:7334"),
    ("phone", "+49 30 901820"),
    ("phone", "(415) 555-2671"),
]
NOT_PERSONAL = [
    "4111 1111 1111 1112",  # a wrong check digit
    "1732300000123456789",  # a time in nanoseconds
    "DE00 3704 0044 0532 0130 00",
    "000-12-3456",
    "127.0.0.1 ::1 0.0.0.0 999.1.1.1 version 1.2.3",
    "0af7651916cd43dd8448eb211c80319c",
    "0b7e9a64-9f4e-4b3a-8a5b-6c1d2e3f4a5b",
    "2026-11-22T10:00:00.123456Z 12:30:45",
    "std::vector<int>::iterator a::b",
]


def clean(guard: Guard, text: str) -> str:
    """Return a text after it went through a hook."""
    payload = ClaudeHook(body=json.dumps({"prompt": text}).encode()).SerializeToString()
    body = ClaudeHook.FromString(guard.apply(Signal.CLAUDE_HOOKS, payload)).body
    prompt: str = json.loads(body)["prompt"]
    return prompt


@pytest.mark.parametrize(("kind", "text"), PERSONAL)
def test_personal_data_on_request(kind, text):
    """It stays by default, and is replaced by its kind when asked for."""
    said = f"it is {text}, thanks"
    assert clean(Guard(), said) == said
    left = clean(Guard(what=("secrets", "pii")), said)
    assert text not in left
    assert left.startswith(f"it is [redacted:{kind}:")
    assert left.endswith("], thanks")


@pytest.mark.parametrize("text", NOT_PERSONAL)
def test_checksums_and_ranges_keep_false_alarms_few(text):
    """Numbers that only look alike stay."""
    assert clean(Guard(what=("pii",)), text) == text


def test_personal_data_in_requests():
    """In attributes of a request as well."""
    payload = traces([span(1, 1, user__email=PERSONAL[0][1])]).SerializeToString()
    guard = Guard(what=("secrets", "pii"))
    assert PERSONAL[0][1].encode() not in guard.apply(Signal.TRACES, payload)
    assert guard.counted(kind="email") == 1


def test_patterns_of_the_user():
    """They go first, under the name that they were given; one group is what goes."""
    patterns = {"order": r"ORD-[0-9]{8}", "customer": r"(?i)customer=(\w+)"}
    guard = Guard(patterns=patterns)
    left = clean(guard, "ORD-12345678 for Customer=ada")
    assert left.startswith("[redacted:order:")
    assert " for Customer=[redacted:customer:" in left
    assert guard.counted(kind="order") == 1
    assert clean(Guard(), "ORD-12345678") == "ORD-12345678"


def test_a_pattern_of_the_user_cannot_run_away():
    """RE2 takes linear time for what would keep other engines busy for ever."""
    guard = Guard(patterns={"evil": r"(?:a+)+b"})
    assert clean(guard, "a" * 50_000) == "a" * 50_000


@pytest.mark.parametrize(
    ("name", "pattern", "why"),
    [
        ("a b", "x", "letters, digits and hyphens"),
        ("a", "(", "no RE2 expression"),
        ("a", "(?<=x)y", "no RE2 expression"),
        ("a", "(x)(y)", "more than one group"),
        ("a", "x*", "matches an empty text"),
    ],
)
def test_patterns_that_cannot_be_used(name, pattern, why):
    """A bad pattern is refused, and the refusal says why."""
    with pytest.raises(ValueError, match=why):
        check_pattern(name, pattern)
