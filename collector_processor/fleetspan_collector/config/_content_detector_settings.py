"""Thresholds of the detectors of content, tokens and data; see `ProcessorSettings`."""

from __future__ import annotations

from dataclasses import dataclass

from fleetspan_collector.config import _parsers as parse
from fleetspan_collector.config._setting import setting

_MANY = 1_000_000_000
_share = parse.number()
_usd = parse.number()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentDetectorSettings:
    """From when on tokens, or calls that bring nothing, are a finding."""

    detect_no_progress_loop_times: int = setting(
        3,
        parse.whole(at_least=2, at_most=_MANY),
        "How often the same calls must bring the same results, with nothing new in "
        "between, the first time included.",
    )
    detect_no_progress_loop_pause_s: float = setting(
        300.0,
        parse.number(above=0),
        "Seconds between two tool calls after which the second one is no longer held to "
        "repeat the first.",
    )
    detect_context_growth_tokens: int = setting(
        100_000,
        parse.whole(at_least=1, at_most=_MANY),
        "Tokens of input that a call of an agent must have reached.",
    )
    detect_context_growth_window_share: float = setting(
        0.7,
        parse.number(above=0),
        "Share of its model's context window (0 to 1) that it must have reached, where "
        "that is less.",
    )
    detect_context_growth_level_tokens: int = setting(
        55_000,
        parse.whole(at_least=1, at_most=_MANY),
        "Tokens at which a conversation could be summed up: what lies beyond is waste.",
    )
    detect_context_growth_usd: float = setting(
        0.05, _usd, "US dollars that this must save.", zero="any"
    )
    detect_context_growth_share: float = setting(
        0.1,
        _share,
        "Share of the cost of the agent's calls (0 to 1) that this must save.",
        zero="any",
    )
    detect_broken_cache_prefix_tokens: int = setting(
        4_000,
        parse.whole(at_most=_MANY),
        "Tokens of input that a call must have had for the next one to be expected to "
        "read them from the provider's cache.",
    )
    detect_broken_cache_usd: float = setting(
        0.01,
        _usd,
        "US dollars that the calls of an agent that missed the cache must have cost more.",
        zero="any",
    )
    detect_broken_cache_share: float = setting(
        0.05,
        _share,
        "Share of the cost of the agent's calls (0 to 1) that this must be.",
        zero="any",
    )
    detect_oversized_output_tokens: int = setting(
        10_000,
        parse.whole(at_least=1, at_most=_MANY),
        "Tokens (of 4 bytes) from which on a tool's result is large.",
    )
    detect_oversized_output_usd: float = setting(
        0.005,
        _usd,
        "US dollars that the large results of one tool must have cost an agent.",
        zero="any",
    )
    detect_oversized_output_share: float = setting(
        0.03,
        _share,
        "Share of the cost of the agent's calls (0 to 1) that this must be.",
        zero="any",
    )
    detect_overpowered_model_complexity: float = setting(
        3.0,
        parse.number(),
        "Complexity (0 to 10) up to which an agent's task is simple.",
    )
    detect_overpowered_model_effort: float = setting(
        3.5,
        parse.number(),
        "Effort (0 to 10) up to which an agent has had little to do.",
    )
    detect_overpowered_model_usd: float = setting(
        0.02,
        _usd,
        "US dollars that a cheaper model must save.",
        zero="any",
    )
    detect_failing_tool_failures: int = setting(
        3,
        parse.whole(at_least=1, at_most=_MANY),
        "Different calls of a tool that must have failed.",
    )
    detect_failing_tool_share: float = setting(
        0.5,
        parse.number(above=0),
        "Share of a tool's calls (0 to 1) that must have failed.",
    )
