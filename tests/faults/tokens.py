"""What calls cost in tokens once something is added to their prefix, or not cached."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.drawing import Draw
from tests.faults.plan import Agent, Call, Row

_COMPACTED: int = 1_000
"""An input smaller by so many tokens than the one before begins anew."""


def whole_input(row: Row) -> int:
    """Return all tokens that a call was given: fresh, read from and written to caches."""
    names = ("InputTokens", "CacheReadTokens", "CacheWriteTokens")
    return sum(int(row.get(name) or 0) for name in names)


def priced_calls(agent: Agent) -> list[Call]:
    """Return an agent's calls that came to something."""
    return [call for call in agent.calls if call.row.get("OutputTokens") is not None]


def until_compaction(calls: Sequence[Call], at: int) -> list[Call]:
    """Return the calls from a place on, as far as they share a prefix with the first."""
    kept = list(calls[at : at + 1])
    for call in calls[at + 1 :]:
        if whole_input(call.row) < whole_input(kept[-1].row) - _COMPACTED:
            break
        kept.append(call)
    return kept


def writes(row: Row) -> bool:
    """Whether the provider prices writing into its cache."""
    return row.get("CacheWrite5mTokens") is not None


def add_fresh(row: Row, tokens: int) -> None:
    """Add tokens to a call that no cache holds yet."""
    if writes(row):
        row["CacheWriteTokens"] += tokens
        row["CacheWrite5mTokens"] += tokens
    else:
        row["InputTokens"] += tokens


def add_known(row: Row, tokens: int) -> None:
    """Add tokens that an earlier call had: read from the cache, if this call's was."""
    if row["CacheReadTokens"]:
        row["CacheReadTokens"] += tokens
    else:
        add_fresh(row, tokens)


def carry(calls: Sequence[Call], tokens: int) -> None:
    """Add to calls something said before the first of them, which is cached then."""
    for number, call in enumerate(calls):
        if number == 0:
            add_fresh(call.row, tokens)
        else:
            add_known(call.row, tokens)


def forget(row: Row) -> None:
    """Let a call read nothing from the cache: all its input is fresh."""
    tokens = row["CacheReadTokens"]
    row["CacheReadTokens"] = 0
    add_fresh(row, tokens)


def another(draw: Draw, model: Call, grown: int, output_tokens: int) -> Call:
    """Return a further call after one, its prefix grown by some tokens."""
    prefix = whole_input(model.row)
    row = model.row | {
        "CallId": draw.id("call"),
        "SpanId": draw.span_id(),
        "OutputTokens": output_tokens,
    }
    cached = bool(model.row["CacheReadTokens"]) or writes(model.row)
    row["InputTokens"], row["CacheReadTokens"] = (0, prefix) if cached else (prefix, 0)
    row["CacheWriteTokens"] = 0
    if writes(row):
        row["CacheWrite5mTokens"] = 0
    add_fresh(row, grown)
    return Call(seconds=draw.around(model.seconds, 0.2), row=row)
