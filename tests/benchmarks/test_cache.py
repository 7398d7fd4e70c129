"""The cache benchmark on the dozen real runs of the repository."""

from __future__ import annotations

import pytest

from tests.benchmarks.cache import count, turns_of
from tests.faults import loading


def message(prompt: int, cached: int, provider: str = "Google") -> dict[str, object]:
    """Return a model call as the raw runs tell it."""
    usage = {"prompt": prompt, "cached": cached}
    return {"role": "assistant", "usage": usage, "provider": provider}


def test_the_truth_is_what_the_call_before_was_given_and_what_was_cached() -> None:
    """Half is enough; small prefixes are not counted; the provider is compared."""
    raw = {
        "instance_id": "one",
        "messages": [
            {"role": "user", "content": "task"},
            message(3_000, 0),
            message(6_000, 0),
            message(8_000, 3_000),
            {"role": "user", "content": "result"},
            message(10_000, 3_999, "Google AI Studio"),
        ],
    }
    turns = turns_of(raw)
    assert [turn.call for turn in turns] == ["one/2/call", "one/3/call"]
    assert [turn.missed for turn in turns] == [False, True]
    assert [turn.switched for turn in turns] == [False, True]
    assert turns[1].avoidable_usd == pytest.approx(4_001 * 1.8e-6)


def test_findings_on_real_runs_are_right_and_nearly_complete() -> None:
    """All of what is told did miss, and at least nine of ten misses are told of."""
    counted = count(loading.OWN)
    assert counted.runs == 12
    assert counted.missed == 40
    findings = counted.tally("findings")
    assert findings.right == findings.told
    assert findings.right >= 36
    assert counted.wrong_runs == 0
    # The price book's own price, and the one that the provider billed by.
    by_bill = counted.tally("truth").usd
    assert 0.9 * by_bill <= findings.usd <= by_bill
