"""The table of ``fleetspan cost``, for people: as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from rich.table import Table
from rich.text import Text

from fleetspan_collector.cli._spending import TIMES, Amounts, Line
from fleetspan_collector.cli._text import count, plain, usd
from fleetspan_collector.cli.ls_command import short_ids

_GAP: Final = 1
_LEAST_KEY: Final = 10
_NARROW: Final = 60


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of figures.

    Attributes:
        head: Its head; a break makes two lines of it.
        cell: What it says of some amounts.
        wanted: The higher, the later it goes when the terminal narrows.
    """

    head: str
    cell: Callable[[Amounts], str]
    wanted: int


def _cost(amounts: Amounts) -> str:
    """Our cost; ``+?`` says that some calls have none."""
    if amounts["cost_usd"] is None:
        return "?" if amounts["unpriced_calls"] else "-"
    return usd(amounts["cost_usd"]) + ("+?" if amounts["unpriced_calls"] else "")


def _difference(amounts: Amounts) -> str:
    ratio = amounts["difference_ratio"]
    if ratio is None:
        return "?"
    # No sign on what rounds to nothing.
    return f"{ratio:+.1%}" if abs(ratio) >= 0.0005 else "0.0%"


_COLUMNS: Final[Mapping[str, _Column]] = {
    "calls": _Column("calls", lambda a: count(a["calls"]), 3),
    "input": _Column("input", lambda a: count(a["input_tokens"]), 7),
    "output": _Column("output", lambda a: count(a["output_tokens"]), 8),
    "read": _Column("cache\nread", lambda a: count(a["cache_read_tokens"]), 6),
    "write": _Column("cache\nwrite", lambda a: count(a["cache_write_tokens"]), 5),
    "5m": _Column("write\n5m", lambda a: count(a["cache_write_5m_tokens"]), 2),
    "1h": _Column("write\n1h", lambda a: count(a["cache_write_1h_tokens"]), 2),
    "unpriced": _Column("un-\npriced", lambda a: str(a["unpriced_calls"]), 1),
    "cost": _Column("cost", _cost, 99),
    "reported": _Column("reported", lambda a: usd(a["reported_cost_usd"]), 4),
    "difference": _Column("differ-\nence", _difference, 4),
}


def cost_table(
    lines: Sequence[Line],
    totals: Amounts,
    by: Sequence[str],
    zone: tzinfo | None,
    width: int,
) -> Table:
    """Make the table; columns go, least wanted first, as the terminal narrows.

    Args:
        lines: The groups.
        totals: The sums over all of them.
        by: What they are grouped by.
        zone: The zone of times that are shown; the machine's own when None.
        width: Characters of the terminal.
    """
    keys = _keys(lines, by, zone, short=width < _NARROW)
    amounts = [*(line.amounts for line in lines), totals]
    cells = {
        name: [column.cell(each) for each in amounts]
        for name, column in _COLUMNS.items()
    }
    key_widths = _key_widths(keys, by, width)
    shown = _chosen(cells, totals, width - sum(key_widths) - _GAP * len(by))
    table = Table(
        box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold"
    )
    for name, wide in zip(by, key_widths, strict=True):
        table.add_column(
            name, no_wrap=True, overflow="ellipsis", vertical="bottom", width=wide
        )
    for name in shown:
        table.add_column(
            _COLUMNS[name].head,
            justify="right",
            no_wrap=True,
            vertical="bottom",
            width=_figures_width(name, cells),
        )
    for number, key in enumerate(keys):
        figures = (Text(cells[name][number]) for name in shown)
        table.add_row(*(Text(word) for word in key), *figures)
    figures = (Text(cells[name][-1]) for name in shown)
    rest = (Text("") for _ in by[1:])
    table.add_row(Text("total"), *rest, *figures, style="bold")
    return table


def _key_widths(keys: list[list[str]], by: Sequence[str], width: int) -> list[int]:
    """Return how wide names are; times are never cut, others to leave half the width."""
    widths = [
        max([len(name), len("total"), *(len(row[place]) for row in keys)])
        for place, name in enumerate(by)
    ]
    while sum(widths) + _GAP * len(by) > width // 2:
        longest = max(
            (place for place, name in enumerate(by) if name not in TIMES),
            key=lambda place: widths[place],
            default=None,
        )
        if longest is None or widths[longest] <= _LEAST_KEY:
            break
        widths[longest] -= 1
    return widths


def _figures_width(name: str, cells: Mapping[str, list[str]]) -> int:
    head = max(len(line) for line in _COLUMNS[name].head.split("\n"))
    return max(head, *(len(cell) for cell in cells[name]))


def _chosen(cells: Mapping[str, list[str]], totals: Amounts, room: int) -> list[str]:
    """Return the columns that there is room for, and something to say in."""
    names = list(_COLUMNS)
    if not totals["unpriced_calls"]:
        names.remove("unpriced")
    if totals["reported_cost_usd"] is None:
        names = [name for name in names if name not in ("reported", "difference")]
    split = totals["cache_write_5m_tokens"], totals["cache_write_1h_tokens"]
    known = sum(tokens or 0 for tokens in split)
    if known == (totals["cache_write_tokens"] or 0):
        # The sum says nothing more, while its parts are there.
        names.remove("write")

    while sum(_figures_width(name, cells) + _GAP for name in names) > room + _GAP and (
        len(names) > 1
    ):
        wanted = min(_COLUMNS[name].wanted for name in names)
        gone = [name for name in names if _COLUMNS[name].wanted == wanted]
        if "5m" in gone and "write" not in names:
            names.insert(names.index("5m"), "write")
        names = [name for name in names if name not in gone]
    return names


def _keys(
    lines: Sequence[Line], by: Sequence[str], zone: tzinfo | None, *, short: bool
) -> list[list[str]]:
    """Return what each line is called, one word for each grouping."""
    columns = [_words(lines, name, zone, short=short) for name in by]
    return [list(row) for row in zip(*columns, strict=True)]


def _words(
    lines: Sequence[Line], name: str, zone: tzinfo | None, *, short: bool
) -> list[str]:
    labels = [line.labels[name] for line in lines]
    if name == "block":
        return [_block(line, zone, short=short) for line in lines]
    if name in TIMES:
        return [label or "?" for label in labels]
    if name in ("session", "agent"):
        cut = short_ids(list(dict.fromkeys(label for label in labels if label)))
        ids = [cut[label] if label else "?" for label in labels]
        if name == "session":
            return ids
        return [_agent(line, each) for line, each in zip(lines, ids, strict=True)]
    return [plain(label) if label else "?" for label in labels]


def _agent(line: Line, short_id: str) -> str:
    kind, name = line.labels["agent-type"], line.labels["agent-name"]
    called = kind or name
    return f"{short_id} {plain(called)}" if called else short_id


def _block(line: Line, zone: tzinfo | None, *, short: bool) -> str:
    if line.block is None:
        return "?"
    start = datetime.fromtimestamp(line.block.start // 1_000_000_000, zone)
    if short:
        return f"{start:%m-%d %H:%M}"
    end = datetime.fromtimestamp(line.block.end // 1_000_000_000, zone)
    return f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}"
