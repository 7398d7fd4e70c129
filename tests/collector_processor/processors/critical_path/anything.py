"""Runs without any order: whatever times, parents and spawn calls come to mind."""

from __future__ import annotations

from hypothesis import strategies as st

from fleetspan_collector.processors.run import Run
from tests.collector_processor.processors.building import Building

TIMES = st.integers(0, 40).map(lambda half_s: half_s / 2)
ANY_LENGTH = st.none() | st.integers(-4, 40).map(lambda half_s: half_s / 2)
AGENTS = st.sampled_from(["", "a", "b", "c", "d", "nobody"])
ERRORS = st.sampled_from(["", "", "rate limit", "bad request"])


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run of up to four agents and ten calls and tool calls."""
    building = Building()
    names = draw(st.sets(st.sampled_from("abcd")))
    tools = [f"t{number}" for number in range(draw(st.integers(0, 5)))]
    for name in sorted(names):
        start, length = draw(TIMES), draw(ANY_LENGTH)
        building.agent(
            name,
            start,
            None if length is None else start + length,
            parent=draw(AGENTS),
            spawned_by=draw(st.sampled_from(["", *tools])),
            Activations=draw(st.sampled_from([1, 1, 2])),
        )
    for tool in tools:
        building.tool(
            draw(AGENTS),
            draw(TIMES),
            draw(ANY_LENGTH),
            call_id=tool,
            PermissionWaitMs=draw(st.sampled_from([None, None, 700.0, -5.0, 1e9])),
        )
    for _ in range(draw(st.integers(0, 5))):
        building.call(
            draw(AGENTS),
            draw(TIMES),
            draw(ANY_LENGTH),
            Error=draw(ERRORS),
            Attempts=draw(st.sampled_from([None, 1, 3])),
        )
    return building.run()
