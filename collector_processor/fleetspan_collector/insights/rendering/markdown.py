"""Pages as Markdown, with everything from telemetry escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

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

_SPECIAL: Final = re.compile(r"([\\`*_\[\]#|~])")
# What would make a list, a rule or a link without further marks.
_BEGINNING: Final = re.compile(r"^(\s*(?:\d+(?=[.)]))?)([-+=.)])")
_LINK: Final = re.compile(r"(:)(?=//)|(?<=www)(\.)|(@)", re.IGNORECASE)
_SHOWN: Final = 5
_BAR: Final = 20


def to_markdown(blocks: Iterable[Block]) -> str:
    """Write a page."""
    return "\n\n".join(part for block in blocks if (part := _block(block))) + "\n"


def escape(text: str) -> str:
    """Make a text mean itself: no markup, no HTML, no line of its own."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _LINK.sub(lambda found: "\\" + found[0], _SPECIAL.sub(r"\\\1", text))
    return _BEGINNING.sub(r"\1\\\2", text)


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {escape(block.text)}"
        case Paragraph():
            text = escape(block.text)
            return f"*{text}*" if block.aside else text
        case Grid():
            return _grid(block)
        case Bars():
            return "\n".join(
                f"- `{'█' * round(bar.share * _BAR):░<{_BAR}}` {escape(bar.label)}: "
                f"{escape(bar.text)}"
                for bar in block.bars
            )
        case Items():
            lines = (
                line
                for number, item in enumerate(block.items, start=1)
                for line in _item(item, f"{number}." if block.numbered else "-")
            )
            return "\n".join(lines)


def _grid(grid: Grid) -> str:
    if not grid.rows:
        return ""
    rule = [
        "---" if column < grid.words else "---:" for column in range(len(grid.head))
    ]
    rows = [map(escape, grid.head), rule, *(map(escape, row) for row in grid.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _item(item: Item, sign: str) -> Iterator[str]:
    mark = f" ({escape(item.mark)})" if item.mark else ""
    bold = f"**{escape(item.title)}**" if item.lines else escape(item.title)
    yield f"{sign} {bold}{mark}"
    indent = " " * (len(sign) + 1)
    for line in item.lines:
        yield f"{indent}- {escape(line)}"
    for name, ids in item.evidence:
        shown = ", ".join(f"`{plain(each).replace('`', '')}`" for each in ids[:_SHOWN])
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        yield f"{indent}- {name}: {shown}{more}"
