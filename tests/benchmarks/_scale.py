"""How much each part measures: the full size, a quick one, and one for tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Sizes of the parts.

    Attributes:
        name: ``full``, ``quick`` or ``tiny``.
        throughput_spans: Spans sent to each system.
        freshness_s: Seconds of sending, once for raw and once for canonical rows.
        freshness_warm_up_s: Seconds before that, which are not counted.
        sdk_turns: Turns of a process of the SDK part; one turn is three spans.
        sdk_repetitions: Processes per variant of the SDK part.
        hooks_rounds: Hooks that each client of the hooks part sends.
        hook_starts: Starts of each program of the hook_start part.
        idle_settle_s: Seconds between start and measuring.
        idle_s: Seconds that idleness, and then the trickle, are watched.
        reads_calls: Model calls in each store that is read.
        reads_parts_of_a_day: Overlapping parts of each day and table of those.
        pages_spans: Spans in each store that the page asks.
        reads_repeats: How often each query is asked.
        transcript_bytes: Size of the transcripts that are read.
        analysis_spans: Spans that are analysed, for each size of runs.
        live_runs: Loops that are awaited, in each way.
        coordinator_graphs: Random graphs of each size that are run.
        coordinator_path_s: How long the critical path of each is, in seconds.
        routing_times: How often tasks are dealt out anew for cross-validation.
        routing_draws: Draws of outcomes that are learnt from, of each number.
        routing_picks: Models that are picked, in each way.
    """

    name: str
    throughput_spans: int
    freshness_s: float
    freshness_warm_up_s: float
    sdk_turns: int
    sdk_repetitions: int
    hooks_rounds: int
    hook_starts: int
    idle_settle_s: float
    idle_s: float
    reads_calls: tuple[int, ...]
    reads_parts_of_a_day: int
    reads_repeats: int
    pages_spans: tuple[int, ...]
    transcript_bytes: int
    analysis_spans: int
    live_runs: int
    coordinator_graphs: int
    coordinator_path_s: float
    routing_times: int
    routing_draws: int
    routing_picks: int

    def as_dict(self) -> dict[str, Any]:
        """Return the sizes for a report."""
        return asdict(self)


FULL: Final = Scale(
    name="full",
    throughput_spans=1_000_000,
    freshness_s=30.0,
    freshness_warm_up_s=2.0,
    sdk_turns=5_000,
    sdk_repetitions=9,
    hooks_rounds=1_000,
    hook_starts=100,
    idle_settle_s=10.0,
    idle_s=60.0,
    reads_calls=(1_000_000, 5_000_000),
    reads_parts_of_a_day=11,
    reads_repeats=30,
    pages_spans=(1_000_000, 10_000_000),
    transcript_bytes=1_000_000_000,
    analysis_spans=500_000,
    live_runs=30,
    coordinator_graphs=3,
    coordinator_path_s=5.0,
    routing_times=3,
    routing_draws=100,
    routing_picks=3_000,
)
QUICK: Final = Scale(
    name="quick",
    throughput_spans=100_000,
    freshness_s=8.0,
    freshness_warm_up_s=2.0,
    sdk_turns=2_000,
    sdk_repetitions=3,
    hooks_rounds=300,
    hook_starts=30,
    idle_settle_s=5.0,
    idle_s=10.0,
    reads_calls=(200_000,),
    reads_parts_of_a_day=11,
    reads_repeats=10,
    pages_spans=(200_000,),
    transcript_bytes=100_000_000,
    analysis_spans=100_000,
    live_runs=15,
    coordinator_graphs=2,
    coordinator_path_s=1.0,
    routing_times=1,
    routing_draws=20,
    routing_picks=1_000,
)
TINY: Final = Scale(
    name="tiny",
    throughput_spans=2_000,
    freshness_s=1.0,
    freshness_warm_up_s=0.2,
    sdk_turns=50,
    sdk_repetitions=1,
    hooks_rounds=20,
    hook_starts=2,
    idle_settle_s=0.2,
    idle_s=0.5,
    reads_calls=(10_000,),
    reads_parts_of_a_day=1,
    reads_repeats=2,
    pages_spans=(10_000,),
    transcript_bytes=1_000_000,
    analysis_spans=5_000,
    live_runs=2,
    coordinator_graphs=1,
    coordinator_path_s=0.1,
    routing_times=1,
    routing_draws=2,
    routing_picks=100,
)
