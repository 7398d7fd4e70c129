"""What counts as planted and not found."""

from typing import Any

from fleetspan_collector.demo._plan import SPECIALS
from fleetspan_collector.demo.planted import FOUND_BY, not_found
from fleetspan_collector.processors.registry import PROCESSORS

TRUTH: dict[str, Any] = {
    "runs": [
        {"run_id": "r1", "special": "loop"},
        {"run_id": "r2", "special": "straggler"},
        {"run_id": "r3", "special": ""},
        {"run_id": "r4", "special": "stuck"},
    ]
}


def found(*pairs: tuple[str, str]) -> Any:
    """Return findings of a run by a detector."""
    return [{"run_id": run_id, "detector": detector} for run_id, detector in pairs]


def test_all_found():
    """Each odd run has its detector's finding, and others are no matter."""
    findings = found(("r1", "no_progress_loop"), ("r2", "straggler"), ("r3", "x"))
    assert list(not_found(TRUTH, findings)) == []


def test_another_run():
    """The finding of another run, or of another detector, is not it."""
    findings = found(("r2", "no_progress_loop"), ("r1", "straggler"))
    assert list(not_found(TRUTH, findings)) == [
        "no_progress_loop did not find the loop of r1",
        "straggler did not find the straggler of r2",
    ]


def test_switched_off():
    """A processor that does not run need not find anything."""
    findings = found(("r1", "no_progress_loop"))
    assert list(not_found(TRUTH, findings, off=("straggler",))) == []


def test_names():
    """What must be found is planted, and by a processor that there is."""
    assert FOUND_BY.keys() <= SPECIALS.keys()
    assert set(FOUND_BY.values()) <= PROCESSORS.keys()
    assert len(set(FOUND_BY.values())) == len(FOUND_BY) == 8
