"""Edits of a JSON text that leave every other byte as it is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

Path = tuple[str | int, ...]
"""Where a value is: member names, and positions in arrays."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_INDENT: Final = re.compile(r"[{\[][ \t]*\r?\n([ \t]+)")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


@dataclass(frozen=True, slots=True)
class _Child:
    """One member or item: where it begins (with its name), its value, its end."""

    key: str | int
    start: int
    value: int
    end: int


def parse(text: str) -> Any:
    """Return the value of a whole text.

    Raises:
        ValueError: When it is not JSON; the message says where.
    """
    try:
        value, end = _DECODER.raw_decode(text, _skip(text, 0))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _skip(text, end) != len(text):
        raise json.JSONDecodeError("Extra data", text, _skip(text, end))
    return value


def add_member(text: str, path: Path, name: str, value: object) -> str:
    """Put a member at the end of the object at a path, or replace the one of that name."""
    start = _find(text, path)
    children = _children(text, start)
    for child in reversed(children):
        if child.key == name:
            return text[: child.value] + _write(value) + text[child.end :]
    return _add(text, start, children, name, value)


def add_item(text: str, path: Path, value: object) -> str:
    """Put an item at the end of the array at a path."""
    start = _find(text, path)
    return _add(text, start, _children(text, start), None, value)


def remove(text: str, path: Path) -> str:
    """Take the value at a path, and its name, out of what holds it."""
    start = _find(text, path[:-1])
    children = _children(text, start)
    (index,) = [n for n, child in enumerate(children) if child.key == path[-1]][-1:]
    child = children[index]
    if index:
        return text[: children[index - 1].end] + text[child.end :]
    if len(children) > 1:
        return text[: child.start] + text[children[1].start :]
    close = _skip(text, child.end)
    return text[: start + 1] + text[close:]


def _add(
    text: str, start: int, children: list[_Child], name: str | None, value: object
) -> str:
    newline = _newline(text)
    if children:
        indent = _indent_at(text, children[0].start)
        if not _begins_line(text, children[0].start):
            indent += _unit(text)
        at = children[-1].end
        before, after = f",{newline}{indent}", ""
    else:
        outer = _indent_at(text, start)
        indent = outer + _unit(text)
        at = _skip(text, start + 1)
        text = text[: start + 1] + text[at:]
        at = start + 1
        before, after = f"{newline}{indent}", f"{newline}{outer}"
    label = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
    written = label + _write(value)
    return text[:at] + before + written + after + text[at:]


def _write(value: object) -> str:
    # On one line: a difference that a person is asked about should be short.
    return json.dumps(value, ensure_ascii=False)


def _find(text: str, path: Path) -> int:
    """Return where the value at a path begins."""
    start = _skip(text, 0)
    for key in path:
        # As for every reader of JSON, the last of equal names counts.
        start = [c.value for c in _children(text, start) if c.key == key][-1]
    return start


def _children(text: str, start: int) -> list[_Child]:
    is_object = text[start] == "{"
    closing = "}" if is_object else "]"
    found: list[_Child] = []
    at = _skip(text, start + 1)
    while text[at] != closing:
        begin = at
        key: str | int = len(found)
        if is_object:
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, at)
        found.append(_Child(key, begin, at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _indent_at(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _begins_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip(" \t") and "\n" in text[:at]


def _unit(text: str) -> str:
    match = _INDENT.search(text)
    return match.group(1) if match else "  "


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
