"""What counts as a difference between what was made and what is stored."""

from typing import Any

import pytest

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.demo.checks import COUNTED, Stored, check, differences

COUNTS: dict[str, int] = dict.fromkeys(COUNTED, 5)
RUN: dict[str, Any] = {"run_id": "r1", "name": "review", **COUNTS}
TRUTH: dict[str, Any] = {"spans": 9, "starts": 4, "runs": [RUN]}


def stored(**changes: Any) -> Stored:
    """Return what the store holds of `TRUTH`, with some of it changed."""
    counts: dict[str, Any] = {
        name: changes.pop(name) for name in COUNTED if name in changes
    }
    run = {**RUN, **counts}
    held: dict[str, Any] = {"spans": 9, "distinct_spans": 9, "starts": 4, "runs": [run]}
    return Stored(**{**held, **changes})


def test_nothing():
    """The same is no difference."""
    assert list(differences(TRUTH, stored())) == []
    check(TRUTH, stored())


def test_lost_span():
    """A span less is a difference."""
    assert list(differences(TRUTH, stored(spans=8, distinct_spans=8))) == [
        "9 spans were sent and 8 are stored",
        "9 different spans were sent and 8 are stored",
    ]


def test_lost_and_doubled():
    """One span lost and another there twice is a difference."""
    assert list(differences(TRUTH, stored(distinct_spans=8))) == [
        "9 different spans were sent and 8 are stored"
    ]


def test_lost_start_event():
    """A start event less is a difference."""
    assert list(differences(TRUTH, stored(starts=3))) == [
        "4 start events were sent and 3 are stored"
    ]


def test_lost_run():
    """A run less is a difference, and it is named."""
    assert list(differences(TRUTH, stored(runs=[]))) == [
        "1 runs were sent and 0 are stored",
        "the run r1 (review) is missing",
    ]


@pytest.mark.parametrize("name", COUNTED)
def test_wrong_count(name):
    """Each count of a run is compared."""
    assert list(differences(TRUTH, stored(**{name: 6}))) == [
        f"the run r1 (review) made 5 {name} and 6 are stored"
    ]


def test_error():
    """Differences are an error that shows some of them and exits with 1."""
    with pytest.raises(CollectorError) as raised:
        check(TRUTH, stored(runs=[], starts=0, spans=0))
    assert raised.value.exit_code == 1
    assert raised.value.because.endswith("; and 1 more")


def test_collector_not_ready():
    """What the collector says is wrong with it is part of the answer."""
    with pytest.raises(CollectorError, match="the collector is not ready: disk full"):
        check(TRUTH, stored(starts=0), unready="disk full")
