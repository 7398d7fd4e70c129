"""Runs that do the same again and again, as spans."""

from __future__ import annotations

from typing import Any, Final

from tests.collector_processor.fleet import agent, call, tool

S: Final = 1000
"""Milliseconds of a second."""


def looping(trace: int, repeats: int = 6) -> list[Any]:
    """Return the spans of an agent that does the same again and again, with one result."""
    spans = [agent(trace, 1, lasts_ms=repeats * 4 * S)]
    for number in range(repeats):
        at_ms = number * 4 * S
        spans.append(call(trace, 10 + number, 1, at_ms=at_ms, lasts_ms=2 * S))
        spans.append(
            tool(
                trace,
                40 + number,
                1,
                at_ms=at_ms + 2 * S,
                lasts_ms=2 * S,
                fleetspan__tool__arguments_hash="aaaa",
                fleetspan__tool__result_hash="bbbb",
            )
        )
    return spans


def run_of(trace: int) -> str:
    """Return a condition on the run of a trace."""
    return f"RunId LIKE '{trace:032x}%'"
