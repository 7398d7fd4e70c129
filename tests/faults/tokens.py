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


def carry(calls: Sequence[Call], known: int, fresh: int) -> None:
    """Add to calls what was said before the first of them.

    Args:
        calls: Calls that share a prefix.
        known: Tokens that an earlier call was given already.
        fresh: Tokens that only the first of them is given for the first time.
    """
    for number, call in enumerate(calls):
        add_known(call.row, known if number == 0 else known + fresh)
        if number == 0:
            add_fresh(call.row, fresh)


def read_again(row: Row) -> None:
    """Let a call read all of its input from the cache."""
    tokens = whole_input(row)
    row |= {"InputTokens": 0, "CacheReadTokens": tokens, "CacheWriteTokens": 0}
    if writes(row):
        row["CacheWrite5mTokens"] = row["CacheWrite1hTokens"] = 0


def forget(row: Row) -> None:
    """Let a call read nothing from the cache: all its input is fresh."""
    tokens = row["CacheReadTokens"]
    row["CacheReadTokens"] = 0
    add_fresh(row, tokens)


def caches(agent: Agent) -> bool:
    """Whether any of an agent's calls reads from a cache, or writes into one."""
    return any(
        bool(call.row["CacheReadTokens"]) or writes(call.row)
        for call in priced_calls(agent)
    )


def another(
    draw: Draw, model: Call, grown: int, output_tokens: int, *, cached: bool
) -> Call:
    """Return a further call after one, its prefix grown by some tokens."""
    prefix = whole_input(model.row)
    row = model.row | {
        "CallId": draw.id("call"),
        "SpanId": draw.span_id(),
        "OutputTokens": output_tokens,
    }
    row["InputTokens"], row["CacheReadTokens"] = (0, prefix) if cached else (prefix, 0)
    row["CacheWriteTokens"] = 0
    if writes(row):
        row["CacheWrite5mTokens"] = 0
    add_fresh(row, grown)
    return Call(seconds=draw.around(model.seconds, 0.2), row=row)
