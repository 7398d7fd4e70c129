"""Values of the store, and the types that they come back with."""

from __future__ import annotations

import math

import pytest

from fleetspan_collector.jaeger._values import value_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-7", -7),
        ("9223372036854775807", 9223372036854775807),
        ("-9223372036854775808", -9223372036854775808),
        ("72.5", 72.5),
        ("0.00001", 0.00001),
        ("1e-7", 1e-7),
        ("1e21", 1e21),
        ("-1.5e300", -1.5e300),
        ("5e-324", 5e-324),
        ("true", True),
        ("false", False),
    ],
)
def test_what_the_store_writes_of_a_value_has_its_type(
    text: str, expected: float | bool
) -> None:
    """Whole numbers, fractions and truth values come back as such."""
    found = value_of("n", text)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "007", "+1", "1.50", "1.", ".5", "1e5", "1E21", "0x10", "1_000"),
        *("9223372036854775808", "-0", "True", "TRUE", "truth", "t", "nan", "inf"),
        *("1 ", " 1", "١٢", "1\n", "12,5", "2026-09-01", "1.2.3", '["1"]', '{"a": 1}'),
        "1234567890123456789012345678901234567890",
    ],
)
def test_what_only_resembles_one_stays_text(text: str) -> None:
    """A text that the store would not write for a number comes back as text."""
    assert value_of("n", text) == text


@pytest.mark.parametrize(
    "key",
    [
        "service.name",
        "session.id",
        "service.version",
        "tool_use_id",
        "messaging.message.id",
    ],
)
def test_names_ids_and_versions_are_texts(key: str) -> None:
    """They are texts, even where they are made of digits."""
    assert value_of(key, "42") == "42"
    assert value_of(key, "true") == "true"


@pytest.mark.parametrize("key", ["thread.id", "id", "process.pid", "paid", "n.ids"])
def test_numbers_whose_names_sound_alike(key: str) -> None:
    """The number of a thread is a number, and so is what only ends in the same letters."""
    assert value_of(key, "42") == 42


def test_what_is_not_a_number_to_the_store() -> None:
    """The engine writes what is no finite number as a word, which stays one."""
    assert [value_of("n", str(each)) for each in (math.nan, math.inf, -math.inf)] == [
        *("nan", "inf", "-inf")
    ]
