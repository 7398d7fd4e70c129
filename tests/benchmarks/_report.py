"""What a part returns, and how it is printed and written."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks import _machine
from tests.benchmarks._scale import Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a part has measured.

    Attributes:
        part: Its name.
        title: What the table shows.
        columns: Names of the columns, with units.
        rows: Cells; ``None`` is shown as a dash.
        settings: What it was run with.
        raw: Every number behind the table.
        notes: Sentences below the table: peers passed over, aims and ratios.
    """

    part: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    settings: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that ``percent`` per cent of the values do not exceed.

    Raises:
        ValueError: When there are no values.
    """
    if not values:
        raise ValueError("no values: nothing was measured")
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def table(result: Result) -> str:
    """Return the table of a result as text."""
    cells = [list(result.columns)]
    cells += [[_cell(each) for each in row] for row in result.rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(result.columns))]
    lines = [f"{result.part}: {result.title}", ""]
    for number, row in enumerate(cells):
        texts = [
            text.ljust(width) if at == 0 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(texts).rstrip())
        if number == 0:
            lines.append("  " + "  ".join("-" * width for width in widths))
    lines += ["", *(f"  {note}" for note in result.notes)]
    return "\n".join(lines).rstrip()


def write(result: Result, scale: Scale, folder: Path) -> Path:
    """Write a result with machine and versions; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.part}-{scale.name}.json"
    document = {
        "schema_version": 1,
        "machine": _machine.describe(),
        "scale": scale.as_dict(),
        **asdict(result),
    }
    path.write_text(json.dumps(document, indent=1, default=str) + "\n", "utf-8")
    return path


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        if abs(value) >= 100:
            return f"{value:,.0f}"
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
