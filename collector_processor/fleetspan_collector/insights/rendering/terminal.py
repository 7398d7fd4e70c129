"""Pages for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fleetspan_collector.cli._text import plain
from fleetspan_collector.insights.rendering.blocks import (
    Bars,
    Block,
    Grid,
    Heading,
    Item,
    Items,
    Paragraph,
)

_SHOWN: Final = 3
_LEAST_BAR: Final = 8
_MOST_BAR: Final = 40


def print_page(blocks: Iterable[Block], out: Console) -> None:
    """Print a page."""
    for number, block in enumerate(blocks):
        match block:
            case Heading():
                if number:
                    out.print()
                out.print(Text(plain(block.text), style="bold underline"))
            case Paragraph():
                style = "dim" if block.aside else ""
                out.print(Text(plain(block.text), style=style))
            case Grid():
                if block.rows:
                    out.print(_grid(block))
                    out.print()
            case Bars():
                out.print(_bars(block, out.width))
            case Items():
                _print_items(block, out)


def _grid(grid: Grid) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, head in enumerate(grid.head):
        if column < grid.words:
            table.add_column(plain(head), no_wrap=True, overflow="ellipsis")
        else:
            table.add_column(plain(head), justify="right", no_wrap=True)
    for row in grid.rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def _bars(bars: Bars, width: int) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    labels = max((len(bar.label) for bar in bars.bars), default=0)
    texts = max((len(bar.text) for bar in bars.bars), default=0)
    room = min(max(width - labels - texts - 4, _LEAST_BAR), _MOST_BAR)
    for bar in bars.bars:
        filled = "━" * round(bar.share * room)
        table.add_row(
            Text(plain(bar.label)), Text(filled, style="cyan"), Text(plain(bar.text))
        )
    return table


def _print_items(items: Items, out: Console) -> None:
    for number, item in enumerate(items.items, start=1):
        sign = f"{number}." if items.numbered else "-"
        title = Text(f"{sign} ").append(
            plain(item.title), style="bold" if item.lines else ""
        )
        if item.mark:
            title.append(f"  {plain(item.mark)}", style="green")
        out.print(title)
        for line in item.lines:
            out.print(
                Padding(Text(plain(line)), (0, 0, 0, len(sign) + 1), expand=False)
            )
        for text in _evidence(item):
            out.print(
                Padding(Text(text, style="dim"), (0, 0, 0, len(sign) + 1), expand=False)
            )


def _evidence(item: Item) -> Iterable[str]:
    for name, ids in item.evidence:
        shown = ", ".join(plain(each) for each in ids[:_SHOWN])
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        yield f"{name}: {shown}{more}"
