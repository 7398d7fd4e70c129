"""Thresholds of the detectors of time and structure; see `ProcessorSettings`."""

from __future__ import annotations

from dataclasses import dataclass

from fleetspan_collector.config import _parsers as parse
from fleetspan_collector.config._content_detector_settings import (
    ContentDetectorSettings,
)
from fleetspan_collector.config._setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeDetectorSettings(ContentDetectorSettings):
    """From when on time that a run spends, or agents that it starts, are a finding."""

    detect_dominating_step_share: float = setting(
        0.3,
        parse.number(above=0),
        "Share of a run's critical path, waits apart, from which one model or tool call "
        "is looked at as dominating it.",
    )
    detect_dominating_step_seconds: float = setting(
        30.0,
        parse.number(),
        "Seconds that such a call must take beyond what is usual for its kind.",
        zero="any",
    )
    detect_dominating_step_factor: float = setting(
        2.0,
        parse.number(at_least=1),
        "How many times as long as the longest other call of its kind in the run (or "
        "the 99th percentile of its history) such a call must be.",
    )
    detect_dominating_step_peers: int = setting(
        3,
        parse.whole(at_least=1, at_most=1_000_000),
        "Other calls of its kind that the run must have to tell what is usual; with "
        "fewer, the kind's history decides.",
    )
    detect_serialised_subagents_count: int = setting(
        3,
        parse.whole(at_least=2, at_most=1_000_000),
        "Sub-agents of one parent that must have run one after another.",
    )
    detect_serialised_subagents_seconds: float = setting(
        20.0,
        parse.number(),
        "Seconds that running them side by side must save.",
        zero="any",
    )
    detect_straggler_siblings: int = setting(
        3,
        parse.whole(at_least=2, at_most=1_000_000),
        "Sub-agents, itself included, that must have run side by side to call one of "
        "them a straggler.",
    )
    detect_straggler_factor: float = setting(
        2.5,
        parse.number(at_least=1),
        "How many times as long as the middle one of the others a straggler takes; "
        "also twice as long as the slowest of them.",
    )
    detect_straggler_seconds: float = setting(
        20.0,
        parse.number(),
        "Seconds that the run must have waited for the straggler.",
        zero="any",
    )
    detect_rate_limit_wait_seconds: float = setting(
        10.0,
        parse.number(),
        "Seconds of a run's critical path that rate limits and overloaded providers "
        "must have cost.",
        zero="any",
    )
    detect_retry_storm_attempts: int = setting(
        4,
        parse.whole(at_least=2, at_most=1_000_000),
        "Failed attempts at one thing, one after another, that make a retry storm.",
    )
    detect_retry_storm_window_s: float = setting(
        120.0,
        parse.number(above=0),
        "Seconds within which an attempt must follow the one before it.",
    )
    detect_slower_than_usual_samples: int = setting(
        30,
        parse.whole(at_least=1, at_most=1_000_000_000),
        "Samples of history without which nothing is held against it.",
    )
    detect_slower_than_usual_runs: int = setting(
        5,
        parse.whole(at_least=1, at_most=1_000_000_000),
        "Runs that the history must come from.",
    )
    detect_slower_than_usual_factor: float = setting(
        2.0,
        parse.number(at_least=1),
        "How many times as long, or as dear, as the middle of its history something "
        "must be; it must also be beyond what chance explains.",
    )
    detect_slower_than_usual_seconds: float = setting(
        20.0,
        parse.number(),
        "Seconds beyond the middle of its history that something must take.",
        zero="any",
    )
    detect_slower_than_usual_usd: float = setting(
        0.5,
        parse.number(),
        "US dollars beyond the middle of its history that a run or an agent must cost.",
        zero="any",
    )
    detect_stuck_agent_after_s: float = setting(
        180.0,
        parse.number(above=0),
        "Seconds without a sign of an agent that is at work, from which it is stuck; "
        "more where its own model calls take longer than half of that.",
    )
    detect_stuck_agent_tool_s: float = setting(
        900.0,
        parse.number(above=0),
        "Seconds that a tool call may take before its agent is stuck, where nothing is "
        "known of how long such calls take.",
    )
    detect_runaway_fanout_children: int = setting(
        50,
        parse.whole(at_least=2, at_most=1_000_000),
        "Sub-agents of one parent that are too many.",
    )
    detect_runaway_fanout_agents: int = setting(
        200,
        parse.whole(at_least=2, at_most=1_000_000),
        "Agents of one run that are too many.",
    )
    detect_runaway_fanout_depth: int = setting(
        8,
        parse.whole(at_least=2, at_most=1_000_000),
        "Levels of agents below the main one that are too deep.",
    )
    detect_runaway_fanout_usual: int = setting(
        10,
        parse.whole(at_least=1, at_most=1_000_000),
        "Sub-agents of one parent that are usual; what those beyond it cost is what "
        "ending a runaway saves.",
    )
    detect_runaway_fanout_usual_depth: int = setting(
        3,
        parse.whole(at_least=1, at_most=1_000_000),
        "Levels of agents below the main one that are usual; as above.",
    )
    detect_runaway_fanout_per_minute: int = setting(
        100,
        parse.whole(at_least=2, at_most=1_000_000),
        "Agents of one run started within one minute that are too many.",
    )
