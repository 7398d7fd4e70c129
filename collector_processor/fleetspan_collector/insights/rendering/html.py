"""Pages as one HTML file: no script, nothing loaded, light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape as _escape
from importlib import resources
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

_SHOWN: Final = 5
_MOST: Final = 200
"""Ids of one kind that a page holds; the JSON form has all."""
# Nothing may be loaded or run, whatever a name in telemetry has made it into the page.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(blocks: Iterable[Block]) -> str:
    """Write a page."""
    blocks = list(blocks)
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    style = resources.files("fleetspan_collector.insights.rendering") / "page.css"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style.read_text('utf-8')}</style>\n"
        "</head>\n<body>\n<main>\n"
        + "\n".join(_block(block) for block in blocks)
        + "\n</main>\n</body>\n</html>\n"
    )


def escape(text: str) -> str:
    """Make a text mean itself."""
    return _escape(plain(text), quote=True)


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
        case Paragraph():
            kind = ' class="aside"' if block.aside else ""
            return f"<p{kind}>{escape(block.text)}</p>"
        case Grid():
            return _grid(block)
        case Bars():
            return _bars(block)
        case Items():
            name = "ol" if block.numbered else "ul"
            items = "\n".join(map(_item, block.items))
            return f'<{name} class="items">\n{items}\n</{name}>'


def _grid(grid: Grid) -> str:
    if not grid.rows:
        return ""

    def cells(row: tuple[str, ...], tag: str) -> str:
        return "".join(
            f"<{tag}{'' if column < grid.words else ' class=figure'}>{escape(text)}</{tag}>"
            for column, text in enumerate(row)
        )

    rows = "\n".join(f"<tr>{cells(row, 'td')}</tr>" for row in grid.rows)
    head = f"<thead><tr>{cells(grid.head, 'th')}</tr></thead>"
    return f'<div class="wide"><table>{head}\n<tbody>\n{rows}\n</tbody></table></div>'


def _bars(bars: Bars) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(bar.label)}</td>"
        f'<td class="bar"><span style="width:{min(max(bar.share, 0), 1) * 100:.1f}%">'
        f"</span></td><td class=figure>{escape(bar.text)}</td></tr>"
        for bar in bars.bars
    )
    return (
        f'<div class="wide"><table class="bars"><tbody>\n{rows}\n</tbody></table></div>'
    )


def _item(item: Item) -> str:
    mark = f' <span class="mark">{escape(item.mark)}</span>' if item.mark else ""
    title = (
        f"<strong>{escape(item.title)}</strong>" if item.lines else escape(item.title)
    )
    lines = "".join(f"<p>{escape(line)}</p>" for line in item.lines)
    evidence = "".join(
        f"<div class=evidence>{escape(name)}: {_ids(ids)}</div>"
        for name, ids in item.evidence
    )
    return f"<li>{title}{mark}{lines}{evidence}</li>"


def _ids(ids: tuple[str, ...]) -> str:
    shown = ", ".join(f"<code>{escape(each)}</code>" for each in ids[:_SHOWN])
    if len(ids) <= _SHOWN:
        return shown
    rest = ", ".join(f"<code>{escape(each)}</code>" for each in ids[_SHOWN:_MOST])
    if len(ids) > _MOST:
        rest += f" and {len(ids) - _MOST} more, in the JSON form"
    return (
        f"{shown} <details><summary>{len(ids) - _SHOWN} more</summary>{rest}</details>"
    )
