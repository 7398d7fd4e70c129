"""Figures as words: changes, savings, and what a phase came to."""

from __future__ import annotations

from typing import Final

from fleetspan_collector.cli._text import count, duration, usd
from fleetspan_collector.insights.change import Change
from fleetspan_collector.insights.ledger import CATEGORIES, Ledger

_PER: Final = {
    ("run", "seconds"): "a run",
    ("run", "usd"): "a run",
    ("run", "tokens"): "a run",
    ("run", "failures"): "of runs have an error",
    ("agent", "seconds"): "a time",
    ("agent", "usd"): "a run",
    ("agent", "failures"): "of them fail",
    ("tool", "seconds"): "a call",
    ("tool", "calls"): "a run",
    ("tool", "failures"): "of calls fail",
    ("model", "seconds"): "a call",
    ("model", "usd"): "a call",
    ("model", "failures"): "of calls fail",
    ("model", "cache_share"): "of what it reads comes from the cache",
}
_MORE_AND_LESS: Final = {
    "seconds": ("slower", "faster"),
    "usd": ("dearer", "cheaper"),
    "tokens": ("more tokens", "fewer tokens"),
    "calls": ("more calls", "fewer calls"),
}
_LESS_THAN: Final = 0.0001


def change_text(change: Change) -> str:
    """Say what has changed and by how much, such as ``tool grep: 40 % slower, …``."""
    what = f"{change.dimension} {change.subject}"
    if change.measure == "presence":
        share = percent(change.after or change.before)
        return (
            f"{what}: new, in {share} of runs"
            if change.after
            else f"{what}: gone, was in {share} of runs"
        )
    per = _PER[change.dimension, change.measure]
    now, before = amount(change.after, change.unit), amount(change.before, change.unit)
    if change.unit == "share":
        return f"{what}: {now} {per}, {before} before"
    more, less = _MORE_AND_LESS[change.measure]
    word = more if change.difference > 0 else less
    if change.ratio is None:
        return f"{what}: {word}, {now} {per}, none before"
    return f"{what}: {abs(change.ratio - 1):.0%} {word}, {now} {per}, {before} before"


def change_proof(change: Change) -> str:
    """Say how sure that is."""
    p = f"p {change.p:.4f}" if change.p >= _LESS_THAN else "p < 0.0001"
    runs = f"{change.runs_before} runs before, {change.runs_after} now"
    if change.measure == "presence":
        return f"{p}; {runs}"
    low, high = signed(change.low, change.unit), signed(change.high, change.unit)
    return f"95 %: {low} to {high}; {p}; {runs}"


def saved_text(seconds: float | None, dollars: float | None) -> str:
    """Write what is saved, both numbers: ``12.3s and $0.40``; not known is ``?``."""
    return f"{seconds_text(seconds)} and {usd(dollars)}"


def seconds_text(seconds: float | None) -> str:
    """Write a duration; nothing is ``0s``."""
    return "0s" if seconds == 0 else duration(seconds)


def ledger_text(ledger: Ledger, parts: int = 3) -> str:
    """Say where time went, the largest parts first."""
    ordered = sorted(ledger.seconds, key=lambda name: -ledger.seconds[name])
    shares = [
        f"{ledger.share(name):.0%} {CATEGORIES[name]}"
        for name in ordered[:parts]
        if ledger.share(name)
    ]
    return ", ".join(shares) or "not known"


def amount(value: float | None, unit: str) -> str:
    """Write an amount in its unit; not known is ``?``."""
    if value is None:
        return "?"
    if unit == "s":
        return seconds_text(value)
    if unit == "usd":
        return usd(value)
    if unit == "share":
        return percent(value)
    if unit == "tokens":
        return count(round(value))
    return f"{value:.3g}"


def signed(value: float, unit: str) -> str:
    """Write a difference with its sign."""
    sign = "-" if value < 0 else "+"
    return sign + amount(abs(value), unit)


def percent(share: float | None) -> str:
    """Write a share of 0 to 1; one decimal below 10 %."""
    if share is None:
        return "?"
    return f"{share:.1%}" if 0 < share < 0.0995 else f"{share:.0%}"


def several(number: int, thing: str) -> str:
    """Write a number of things: ``1 run``, ``2 runs``."""
    return f"{count(number)} {thing}{'' if number == 1 else 's'}"
