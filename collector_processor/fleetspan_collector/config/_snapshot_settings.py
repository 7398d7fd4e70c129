"""When a snapshot of a run is taken; see `ProcessorSettings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fleetspan_collector.config import _parsers as parse
from fleetspan_collector.config._setting import setting
from fleetspan_collector.config._time_detector_settings import TimeDetectorSettings

_MOST: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSettings(TimeDetectorSettings):
    """The triggers of snapshots, and what is kept of an application's state.

    On top of the others, as slotted classes have one line of ancestors.
    """

    snapshot_every_agents: int = setting(
        10,
        parse.whole(at_most=_MOST),
        "A snapshot is taken whenever a run has started so many more agents.",
        zero="never",
    )
    snapshot_every_tokens: int = setting(
        200_000,
        parse.whole(at_most=_MOST),
        "A snapshot is taken whenever a run has used so many more new tokens: input "
        "without cache, cache writes and output.",
        zero="never",
    )
    snapshot_context_share: float = setting(
        0.7,
        parse.number(),
        "Share of its model's context window from which an agent's request makes a "
        "snapshot; again once it was below and has come back.",
        zero="never",
    )
    snapshot_budget_tokens: int = setting(
        0,
        parse.whole(at_most=_MOST),
        "Budget of new tokens of one run; a snapshot is taken at "
        "`snapshot_budget_share` of it.",
        zero="no budget",
        example="2000000",
    )
    snapshot_budget_usd: float = setting(
        0.0,
        parse.number(),
        "Budget of one run in US dollars; a snapshot is taken at "
        "`snapshot_budget_share` of it.",
        zero="no budget",
        example="25",
    )
    snapshot_budget_share: float = setting(
        0.7,
        parse.number(above=0),
        "Share of a budget at which a snapshot is taken.",
    )
    snapshot_error_count: int = setting(
        5,
        parse.whole(at_most=_MOST),
        "Failed calls and tool calls within `snapshot_error_window_s` that make an error "
        "burst, of which a snapshot is taken.",
        zero="never",
    )
    snapshot_error_window_s: float = setting(
        60.0,
        parse.number(above=0),
        "Seconds within which failures make one error burst.",
    )
    snapshot_before_compaction: bool = setting(
        True,
        parse.flag,
        "Take a snapshot when Claude Code says that it is about to compact a context.",
    )
    snapshot_before_tools: tuple[str, ...] = setting(
        (),
        parse.names,
        "Tools before whose calls a snapshot is taken, by name.",
        zero="none",
        shown="none",
        example="Bash,deploy",
    )
    snapshot_when_abandoned: bool = setting(
        True,
        parse.flag,
        "Take a snapshot of a run that nobody ended: its process died, or it fell silent.",
    )
    snapshot_limit: int = setting(
        100,
        parse.whole(at_least=1, at_most=10_000),
        "Snapshots of one run by one trigger; of more, the latest are looked at.",
    )
    snapshot_state: bool = setting(
        True,
        parse.flag,
        "Keep the state that applications send with `fleetspan.snapshot()`: byte for "
        "byte, whatever `content_policy` and `redact` say. Off, it is refused.",
    )
