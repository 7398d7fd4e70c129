"""Source code: what goes are whole function bodies or whole top-level blocks, or nothing.

Python is read with `ast`, also with the line numbers that ``cat -n`` puts before it, and
also a part of a file when the functions in it are whole: bodies become ``...`` and the rest
parses as before, which is checked before it is returned. Other languages are cut only
between top-level blocks, where no bracket is open; a diff between its hunks.
"""

from __future__ import annotations

import ast
import itertools
import re
import warnings
from collections.abc import Sequence
from typing import Final

from fleetspan_routing.context._lines import SHORTEST_GAP, Room, with_gaps
from fleetspan_routing.context._plain import matters
from fleetspan_routing.context.store import lines_of

_NUMBERED: Final = re.compile(r" {0,6}\d{1,7}[\t ] ?|[ ]{0,6}\d{1,7}:")
_CODE: Final = re.compile(
    r"""\s*(?:(?:def|class|import|from|return|if|for|while|else|elif|try|except|with|raise
        |assert|async|await|yield|pass|func|fn|pub|let|const|var|static|public|private
        |protected|package|use|using|namespace|struct|enum|interface|impl|type|export
        |function|switch|case|default)\b
      | @\w | \# | // | /?\*+(?:/|\s) | [\w.\[\]'"]+\s*(?:[-+*/|&]|:)?=\s?[^=] )
      | .*[;{}(,:\[]\s*$ | .*\w\(.*\),?\s*$ | \s*[)\]]+\s*$""",
    re.VERBOSE,
)
_CODE_SHARE: Final = 0.6
_FEWEST_LINES: Final = 8
_DIFF: Final = re.compile(r"(?:diff --git |@@ |--- a/|Index: )")
_QUOTES: Final = re.compile(r'"""|\'\'\'')
_DEFINES: Final = (ast.FunctionDef, ast.AsyncFunctionDef)

Span = tuple[int, int]


def is_code(lines: Sequence[str]) -> bool:
    """Say whether lines are source code or a diff, numbered or not."""
    bare = [line for line in unnumbered(lines) if line.strip()]
    if len(bare) < _FEWEST_LINES:
        return False
    if any(_DIFF.match(line) for line in bare[:2]):
        return True
    strict = sum(bool(_CODE.match(line)) or line[:1].isspace() for line in bare)
    marks = sum(bool(_CODE.match(line)) for line in bare)
    return strict >= _CODE_SHARE * len(bare) and marks >= len(bare) / 3


def unnumbered(lines: Sequence[str]) -> list[str]:
    """Return lines without the numbers before them, if all that have text have one."""
    if not any(lines):
        return list(lines)
    places = [_NUMBERED.match(line) for line in lines]
    if not all(
        place or not line.strip() for place, line in zip(places, lines, strict=True)
    ):
        return list(lines)
    return [
        line[place.end() :] if place else line
        for place, line in zip(places, lines, strict=True)
    ]


def cut_code(text: str, room: Room) -> str | None:
    """Return code that fits into its room as far as it may be cut; None when it may not."""
    lines = lines_of(text)
    bare = unnumbered(lines)
    if any(_DIFF.match(line) for line in bare[:2]):
        return _by_blocks(lines, _hunks(bare), room, "")
    whole = parses("".join(bare))
    part = _parsable(bare, whole)
    if part is not None:
        return _without_bodies(lines, bare, part, room)
    cut = _by_blocks(lines, _blocks(bare), room, _leader(bare))
    if cut is not None and whole is not None:
        # Python that defines no function, such as a module of tables.
        left = "".join(unnumbered(lines_of(cut)))
        return cut if parses(left) is not None else None
    return cut


def parses(source: str) -> ast.Module | None:
    """Return the tree of Python source; None when it is not, or is not text alone."""
    if "\r" in source.replace("\r\n", "\n") or "\0" in source or "\f" in source:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _parsable(bare: Sequence[str], whole: ast.Module | None) -> Span | None:
    """Return the lines that are Python on their own: all, or the whole blocks of a part."""
    if _defines(whole):
        return 0, len(bare)
    starts = [
        at
        for at, line in enumerate(bare)
        if re.match(r"\s*(?:@\w|(?:async )?def |class )", line)
    ]
    if not starts:
        return None
    least = min(_indent(bare[at]) for at in starts)
    tops = [at for at in starts if _indent(bare[at]) == least]
    for last in (len(bare), tops[-1]):
        part = _dedented(bare[tops[0] : last], least)
        if part is not None and _defines(parses(part)):
            return tops[0], last
    return None


def _defines(tree: ast.Module | None) -> bool:
    return tree is not None and any(isinstance(n, _DEFINES) for n in ast.walk(tree))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _dedented(lines: Sequence[str], indent: int) -> str | None:
    if any(line.strip() and _indent(line) < indent for line in lines):
        return None
    return "".join(line[indent:] if line.strip() else "\n" for line in lines)


def _without_bodies(
    lines: Sequence[str], bare: Sequence[str], part: Span, room: Room
) -> str | None:
    """Put ``...`` for bodies, those that matter least first, until the text fits."""
    first, last = part
    indent = _indent(bare[first]) if first or last < len(bare) else 0
    tree = parses(_dedented(bare[first:last], indent) or "")
    if tree is None:
        return None
    bodies = [(start + first, end + first) for start, end in _bodies(tree)]
    bodies = [b for b in bodies if _blank_before(bare, b) and _long(lines, b)]
    worth = {b: matters("".join(lines[b[0] : b[1]]), room) for b in bodies}
    bodies.sort(key=lambda b: (worth[b] > 0, -_length(lines, b)))
    gone: list[Span] = []
    size = sum(map(len, lines))
    for body in bodies:
        if size <= room.code_characters:
            break
        gone.append(body)
        size -= _length(lines, body)
    if not gone:
        return None
    text, plain = _elided(lines, bare, sorted(gone), room)
    # Numbers before lines are the tool's; what was Python without them has to be again.
    begin = first if first or last < len(bare) else 0
    kept_tail = len(bare) - last
    checked = plain[begin : len(plain) - kept_tail]
    return text if parses(_dedented(checked, indent) or "") is not None else None


def _bodies(tree: ast.AST) -> list[Span]:
    """Return the lines of the bodies of all functions that are not inside another."""
    found: list[Span] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _DEFINES):
            start = min([node.body[0].lineno, *_decorators(node.body[0])])
            end = node.body[-1].end_lineno or start
            if start > node.lineno:
                found.append((start - 1, end))
        else:
            found += _bodies(node)
    return found


def _decorators(node: ast.stmt) -> list[int]:
    return [each.lineno for each in getattr(node, "decorator_list", ())]


def _blank_before(bare: Sequence[str], body: Span) -> bool:
    """Whether nothing of the signature is on the body's first line."""
    above = bare[body[0] - 1].rstrip() if body[0] else ""
    return above.endswith(":") or above.lstrip().startswith("#") or "#" in above


def _long(lines: Sequence[str], body: Span) -> bool:
    return _length(lines, body) > SHORTEST_GAP


def _length(lines: Sequence[str], span: Span) -> int:
    return sum(map(len, lines[span[0] : span[1]]))


def _elided(
    lines: Sequence[str], bare: Sequence[str], gone: Sequence[Span], room: Room
) -> tuple[str, list[str]]:
    """Return the text without some bodies, and its lines without numbers."""
    made: list[str] = []
    plain: list[str] = []
    total = sum(_length(lines, body) for body in gone)
    at = 0
    marks = room.pointers.gaps(gone, total, ())
    for (start, end), mark in zip(gone, marks, strict=True):
        made += lines[at:start]
        plain += bare[at:start]
        indent = bare[start][: len(bare[start]) - len(bare[start].lstrip())]
        line = f"{indent}...  # {mark}\n"
        made.append(line)
        plain.append(line)
        at = end
    return "".join([*made, *lines[at:]]), [*plain, *bare[at:]]


def _hunks(bare: Sequence[str]) -> list[int]:
    return [at for at, line in enumerate(bare) if _DIFF.match(line)]


def _blocks(bare: Sequence[str]) -> list[int]:
    """Return where top-level blocks begin: after an empty line, with no bracket open."""
    starts = [0]
    depth = quotes = 0
    for at, line in enumerate(bare):
        top = line[:1].strip() and line[:1] not in ")}]"
        if at and top and not bare[at - 1].strip() and depth == 0 and quotes % 2 == 0:
            starts.append(at)
        depth += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
        quotes += len(_QUOTES.findall(line))
    return starts


def _by_blocks(
    lines: Sequence[str], starts: Sequence[int], room: Room, leader: str
) -> str | None:
    """Keep both end blocks and those that matter, if there are others to let go."""
    bounds = [*starts, len(lines)]
    if bounds[0] != 0:
        bounds.insert(0, 0)
    blocks = [(a, b) for a, b in itertools.pairwise(bounds) if a < b]
    if len(blocks) < 3:
        return None
    left = room.code_characters - _length(lines, blocks[0]) - _length(lines, blocks[-1])
    keep = {0, len(blocks) - 1}
    worth = {n: matters("".join(lines[a:b]), room) for n, (a, b) in enumerate(blocks)}
    for number in sorted(range(1, len(blocks) - 1), key=lambda n: -worth[n]):
        size = _length(lines, blocks[number])
        if size <= left:
            keep.add(number)
            left -= size
    if len(keep) == len(blocks):
        return None
    kept = {at for number in keep for at in range(*blocks[number])}
    return with_gaps(lines, kept, room, leader)


def _leader(bare: Sequence[str]) -> str:
    """Return what makes a mark a comment, by what the code itself does."""
    slashes = sum(
        line.lstrip().startswith(("//", "/*"))
        or line.rstrip().endswith((";", "{", "}"))
        for line in bare
    )
    hashes = sum(line.lstrip().startswith(("#", "def ", "import ")) for line in bare)
    return "// " if slashes > hashes else "# "
