"""Logs, listings, tracebacks and other lines: both ends stay, and what matters between.

Lines that repeat, numbers aside, are folded to the first two and the last. Of what does
not fit, errors, summaries, lines about the task and the first hits in each file stay. A
fenced block stays whole or goes whole, and so does a traceback, unless it is so long that
its ends have to do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from fleetspan_routing.context._lines import Room, with_gaps
from fleetspan_routing.context.names import pieces
from fleetspan_routing.context.store import lines_of

_ERROR: Final = re.compile(
    r"\b(?:error|exception|fail(?:ed|ure|ures)?|fatal|panic|traceback|denied|refused"
    r"|cannot|undefined|not found|no such)\b|\w(?:Error|Exception)\b",
    re.IGNORECASE,
)
_SUMMARY: Final = re.compile(
    r"\b\d+ (?:passed|failed|errors?|tests?|warnings?|skipped)\b"
)
_HIT: Final = re.compile(r"\s*([\w./+-]*[\w+-]\.\w+)[:-]\d+[:-]")
_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]+|\d+")
_FENCE: Final = re.compile(r"\s*(?:```|~~~)")
_TRACE: Final = "Traceback (most recent call last):"

_LONG_TRACE: Final = 40
_TRACE_ENDS: Final = (6, 24)
_LEAST_REPEATS: Final = 5
_ENDS: Final = 0.3
"""Share of the room that each end gets; the rest is for what matters between."""
_LEAST_LINE: Final = 100
"""Lines are not cut inside to fewer characters than these and the mark."""

Span = tuple[int, int]


def cut_plain(text: str, room: Room) -> str:
    """Return a text that fits into the room, or nearly: both ends and what matters."""
    lines = _without_long_lines(lines_of(text), room)
    units = _units(lines)
    kept = _folded(lines, units)
    size = sum(_size(lines, units[at]) for at in kept)
    if size > room.characters:
        kept = _fitting(lines, units, kept, room)
    keep = {at for unit in kept for at in range(*units[unit])}
    return with_gaps(lines, keep, room)


def fold(text: str, room: Room) -> str:
    """Return a text with the lines that repeat folded, and nothing else cut."""
    lines = lines_of(text)
    units = _units(lines)
    kept = _folded(lines, units)
    return with_gaps(lines, {at for unit in kept for at in range(*units[unit])}, room)


def _without_long_lines(lines: Sequence[str], room: Room) -> list[str]:
    """Cut lines that fill the room alone, such as a minified file's, in their middle."""
    most = max(_LEAST_LINE, room.characters // 4)
    made = []
    for line in lines:
        if len(line) > most:
            half = most // 2
            mark = room.pointers.cut(len(line) - 2 * half)
            line = f"{line[:half]}{mark}{line[-half:]}"
        made.append(line)
    return made


def _units(lines: Sequence[str]) -> list[Span]:
    """Split lines into what stays or goes together."""
    units: list[Span] = []
    at = 0
    while at < len(lines):
        if _FENCE.match(lines[at]):
            end = _fence_end(lines, at)
        elif _TRACE in lines[at]:
            end = _trace_end(lines, at)
            if end - at > _LONG_TRACE:
                head, tail = at + _TRACE_ENDS[0], end - _TRACE_ENDS[1]
                units += [(at, head), *((n, n + 1) for n in range(head, tail))]
                at = tail
        else:
            end = at + 1
        units.append((at, end))
        at = end
    return units


def _fence_end(lines: Sequence[str], at: int) -> int:
    for end in range(at + 1, len(lines)):
        if _FENCE.match(lines[end]):
            return end + 1
    return at + 1


def _trace_end(lines: Sequence[str], at: int) -> int:
    """Return where a traceback ends: after the first line that is not indented more."""
    indent = len(lines[at]) - len(lines[at].lstrip())
    for end in range(at + 1, len(lines)):
        line = lines[end]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return end + 1
    return len(lines)


def _folded(lines: Sequence[str], units: Sequence[Span]) -> list[int]:
    """Return the units that stay when repeats go."""
    alike = [
        " ".join(_NUMBER.sub("#", lines[start]).split())
        if end - start == 1
        else f"{start}\n"
        for start, end in units
    ]
    kept: list[int] = []
    at = 0
    while at < len(units):
        end = at
        while end < len(units) and alike[end] == alike[at]:
            end += 1
        run = range(at, end)
        # Rows of numbers alone are data, which only look alike.
        fold = len(run) >= _LEAST_REPEATS and any(c.isalpha() for c in alike[at])
        kept += [*run[:2], run[-1]] if fold else run
        at = end
    return kept


def _fitting(
    lines: Sequence[str], units: Sequence[Span], kept: Sequence[int], room: Room
) -> list[int]:
    ends = int(room.characters * _ENDS)
    chosen = {kept[0], kept[-1]}
    for order in (kept, kept[::-1]):
        left = ends
        for unit in order:
            left -= _size(lines, units[unit])
            if left < 0:
                break
            chosen.add(unit)
    left = room.characters - sum(_size(lines, units[unit]) for unit in chosen)
    scores = _scores(lines, units, kept, room)
    for unit in sorted(kept, key=lambda unit: -scores[unit]):
        if scores[unit] <= 0:
            break
        size = _size(lines, units[unit])
        if unit not in chosen and size <= left:
            chosen.add(unit)
            left -= size
    return sorted(chosen)


def _scores(
    lines: Sequence[str], units: Sequence[Span], kept: Sequence[int], room: Room
) -> dict[int, float]:
    """Say of each unit how much it matters."""
    hits: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    scores: dict[int, float] = {}
    for unit in kept:
        start, end = units[unit]
        text = "".join(lines[start:end])
        about = pieces(text) & room.wanted
        score = _alarm(text) + sum(1.0 / (1 + seen[piece]) for piece in about)
        seen.update(about)
        hit = _HIT.match(text)
        if hit:
            hits[hit.group(1)] += 1
            score += 1.5 / hits[hit.group(1)]
        scores[unit] = score
    return scores


def matters(text: str, room: Room) -> float:
    """Say how much a text matters: alarms, and what it has to do with the task."""
    return _alarm(text) + len(pieces(text) & room.wanted)


def _alarm(text: str) -> float:
    return 4.0 * bool(_ERROR.search(text)) + 4.0 * bool(_SUMMARY.search(text))


def _size(lines: Sequence[str], unit: Span) -> int:
    return sum(map(len, lines[unit[0] : unit[1]]))
