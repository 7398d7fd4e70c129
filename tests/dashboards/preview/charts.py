"""Charts as SVG: what each kind of panel shows, in its plainest form."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tests.dashboards.preview.values import shown

_W: Final = 800.0
_H: Final = 220.0
_LEFT: Final = 60.0
_COLOURS: Final = (
    *("#0969da", "#1a7f37", "#bf8700", "#cf222e", "#8250df", "#1b7c83"),
    *("#bc4c00", "#57606a", "#bf3989", "#4d2d00"),
)
_STATES: Final = {
    "at work": "#0969da",
    "error": "#cf222e",
    "abandoned": "#bf8700",
}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text[:26]).timestamp()


def _svg(inside: str, height: float = _H) -> str:
    return f'<svg viewBox="0 0 {_W:g} {height:g}" preserveAspectRatio="none">{inside}</svg>'


def _text(x: float, y: float, text: str, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {extra}>{html.escape(text)}</text>'


def series(rows: Sequence[Sequence[Any]], unit: str, *, stacked: bool) -> str:
    """Return lines over time, or columns on each other."""
    times = sorted({_seconds(row[0]) for row in rows})
    values: dict[str, dict[float, float]] = defaultdict(dict)
    for time_, label, value in rows:
        values[str(label)][_seconds(time_)] = float(value or 0)
    totals = [sum(one.get(at, 0) for one in values.values()) for at in times]
    top = max(totals if stacked else [max(one.values()) for one in values.values()])
    top = top or 1.0
    first, last = times[0], times[-1]
    span = max(last - first, 60.0)
    floor, roof, right = _H - 34, 6.0, _W - 8
    width = max((right - _LEFT) * 60 / span, 4.0)

    def x(at: float) -> float:
        return _LEFT + (at - first) / span * (right - _LEFT - width)

    def y(value: float) -> float:
        return floor - value / top * (floor - roof)

    parts = [
        _text(2, y(top * share) + 4, shown(top * share, unit)) for share in (0, 0.5, 1)
    ]
    for share in (0, 0.5, 1):
        at = y(top * share)
        parts.append(
            f'<line x1="{_LEFT}" x2="{right}" y1="{at}" y2="{at}" stroke="#eaecef"/>'
        )
    below = dict.fromkeys(times, 0.0)
    for place, (label, one) in enumerate(values.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        for at, value in sorted(one.items()):
            base = below[at] if stacked else 0.0
            if stacked:
                high, low = y(base + value), y(base)
                parts.append(
                    f'<rect x="{x(at):.1f}" y="{high:.1f}" width="{width:.1f}"'
                    f' height="{max(low - high, 0):.1f}" fill="{colour}"/>'
                )
                below[at] = base + value
            else:
                parts.append(
                    f'<circle cx="{x(at) + width / 2:.1f}" cy="{y(value):.1f}" r="3"'
                    f' fill="{colour}"/>'
                )
        if not stacked:
            line = " ".join(
                f"{x(at) + width / 2:.1f},{y(value):.1f}"
                for at, value in sorted(one.items())
            )
            parts.append(
                f'<polyline points="{line}" fill="none" stroke="{colour}"'
                ' stroke-width="1.5"/>'
            )
        if place < 6:
            parts.append(
                _text(_LEFT + place * 122, _H - 4, label[:20], f'style="fill:{colour}"')
            )
    for at in (first, last):
        anchor = 'text-anchor="end"' if at == last and last > first else ""
        parts.append(
            _text(
                x(at) + (width if anchor else 0),
                _H - 20,
                f"{datetime.fromtimestamp(at):%d %b %H:%M}",
                anchor,
            )
        )
    return _svg("".join(parts))


def bars(rows: Sequence[Sequence[Any]], unit: str) -> str:
    """Return one bar a row."""
    top = max(float(row[1] or 0) for row in rows) or 1.0
    height = max(len(rows) * 20.0, 60.0)
    parts = []
    for place, (label, value) in enumerate(rows):
        y = place * 20.0
        width = float(value or 0) / top * 480
        parts.append(_text(2, y + 13, str(label)[:32]))
        parts.append(
            f'<rect x="200" y="{y + 3:.0f}" width="{width:.1f}" height="13"'
            ' fill="#0969da"/>'
        )
        parts.append(_text(206 + width, y + 13, shown(value, unit)))
    return _svg("".join(parts), height)


def timeline(rows: Sequence[Sequence[Any]]) -> str:
    """Return a lane per name, coloured from each state on to the next."""
    lanes: dict[str, list[tuple[float, str | None]]] = defaultdict(list)
    for time_, name, state in rows:
        lanes[str(name)].append((_seconds(time_), state))
    every = [at for lane in lanes.values() for at, _ in lane]
    first, span = min(every), max(max(every) - min(every), 1.0)
    height = len(lanes) * 14.0 + 4
    parts = []
    for place, (name, lane) in enumerate(lanes.items()):
        y = place * 14.0
        parts.append(_text(2, y + 11, name[:24]))
        ends = [at for at, _ in lane[1:]] + [first + span]
        for (at, state), end in zip(lane, ends, strict=True):
            if state is None:
                continue
            x = 160 + (at - first) / span * 630
            width = max((end - at) / span * 630, 1.0)
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 2:.0f}" width="{width:.1f}" height="11"'
                f' fill="{_STATES[state]}"/>'
            )
    return _svg("".join(parts), height)


def graph(
    names: Sequence[str], rows: Sequence[Sequence[Any]], edges: Mapping[str, Any]
) -> str:
    """Return a tree of agents, level by level."""
    nodes = [dict(zip(names, row, strict=True)) for row in rows]
    columns = [column["name"] for column in edges["meta"]]
    pairs = [dict(zip(columns, row, strict=True)) for row in edges["data"]]
    parent = {pair["target"]: pair["source"] for pair in pairs}
    levels: dict[int, list[str]] = defaultdict(list)
    for node in nodes:
        depth, at = 0, node["id"]
        while at in parent and depth < 50:
            depth, at = depth + 1, parent[at]
        levels[depth].append(node["id"])
    places = {
        each: (
            (place + 0.5) * _W / len(level),
            26 + depth * (_H * 1.4 / max(len(levels), 1)),
        )
        for depth, level in levels.items()
        for place, each in enumerate(level)
    }
    parts = []
    for pair in pairs:
        (x1, y1), (x2, y2) = places[pair["source"]], places[pair["target"]]
        parts.append(
            f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}"'
            ' stroke="#8c959f"/>'
        )
    for node in nodes:
        x, y = places[node["id"]]
        colour = "#cf222e" if float(node["arc__failed"]) else "#1a7f37"
        parts.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="11" fill="#fff" stroke="{colour}"'
            ' stroke-width="3"/>'
        )
        parts.append(
            _text(x, y + 24, str(node["title"])[:14], 'text-anchor="middle"')
            + _text(x, y + 34, str(node["secondarystat"]), 'text-anchor="middle"')
        )
    return _svg("".join(parts), _H * 1.6)


def waterfall(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return spans as bars in the order of their start."""
    spans = [dict(zip(names, row, strict=True)) for row in rows][:30]
    first = min(float(span["startTime"]) for span in spans)
    total = max(float(s["startTime"]) + float(s["duration"]) for s in spans) - first
    parts = []
    for place, span in enumerate(spans):
        y = place * 14.0
        x = 240 + (float(span["startTime"]) - first) / total * 540
        width = max(float(span["duration"]) / total * 540, 1.0)
        colour = "#cf222e" if span["statusCode"] == 2 else "#0969da"
        parts.append(_text(2, y + 11, str(span["operationName"])[:40]))
        parts.append(
            f'<rect x="{x:.1f}" y="{y + 2:.0f}" width="{width:.1f}" height="10"'
            f' fill="{colour}"/>'
        )
    return _svg("".join(parts), len(spans) * 14.0 + 4)
