"""What each alert means and what to do, as a page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Final

from fleetspan_dashboards.alerts.rule import Rule

_CODE: Final = re.compile(r"`([^`]+)`")
STYLE: Final = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
code { background: color-mix(in srgb, currentColor 10%, transparent); padding: 0 .2em; border-radius: 3px }
section:target { outline: 2px solid; outline-offset: .6rem }
"""
_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fleetspan: alerts</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>Alerts</h1>
"""


def as_markdown(rules: Iterable[Rule]) -> str:
    """Return the runbook as Markdown."""
    return "\n".join(["# Alerts", "", *_markdown(rules)])


def _markdown(rules: Iterable[Rule]) -> Iterator[str]:
    for rule in rules:
        yield f'<a id="{rule.name}"></a>'
        yield ""
        yield f"## {rule.title}"
        yield ""
        yield f"`{rule.name}`, {rule.severity}: {_when(rule)}"
        yield ""
        yield rule.means
        yield ""
        yield from (f"- {step}" for step in rule.todo)
        yield ""


def as_html(rules: Iterable[Rule]) -> str:
    """Return the runbook as a page of its own, without scripts."""
    parts = [_HEAD.format(style=STYLE)]
    for rule in rules:
        steps = "".join(f"<li>{_inline(step)}</li>" for step in rule.todo)
        parts.append(
            f'<section id="{rule.name}">\n<h2>{_inline(rule.title)}</h2>\n'
            f"<p><code>{rule.name}</code>, {rule.severity}: {_inline(_when(rule))}</p>\n"
            f"<p>{_inline(rule.means)}</p>\n<ul>{steps}</ul>\n</section>\n"
        )
    parts.append("</main>\n</body>\n</html>\n")
    return "".join(parts)


def _when(rule: Rule) -> str:
    held = f", for {rule.for_s} s" if rule.for_s else ""
    return f"more than {rule.above:g} ({rule.unit}) within {rule.window_s} s{held}."


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text))
