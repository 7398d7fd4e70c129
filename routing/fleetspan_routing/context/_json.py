"""JSON that is cut and still JSON: arrays by items, texts in the middle.

Numbers stay as they were written and keys stay in order, twice where they were twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, cast

from fleetspan_routing.context._lines import Room
from fleetspan_routing.context._plain import matters

_STEPS: Final = ((2_000, 24), (1_000, 12), (500, 8), (300, 5), (200, 3), (120, 2))
"""From the mildest: longest text in characters, items at each end of an array."""


class _Number(str):
    """A number as it was written."""


class _Object(list["tuple[str, Value]"]):
    """An object's pairs."""


Value = _Number | _Object | str | bool | None | list["Value"]


def parsed(text: str) -> list[Value] | _Object | None:
    """Return an array or object; None when a text is neither."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        made = json.loads(
            text,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse,
            object_pairs_hook=_Object,
        )
    except (ValueError, RecursionError):
        return None
    return made if isinstance(made, list) else None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def cut_json(value: Value, room: Room) -> str:
    """Return JSON that fits into the room, or the shortest that is made of it."""
    text = ""
    for longest, items in _STEPS:
        text = _written(_shorter(value, longest, items, room))
        if len(text) <= room.characters:
            break
    return text


def _shorter(value: Value, longest: int, items: int, room: Room) -> Value:
    if isinstance(value, _Number):
        return value
    if isinstance(value, str):
        if len(value) <= longest:
            return value
        half = longest // 2
        mark = room.pointers.cut(len(value) - 2 * half)
        return f"{value[:half]}{mark}{value[-half:]}"
    if isinstance(value, _Object):
        return _Object(
            (key, _shorter(each, longest, items, room)) for key, each in value
        )
    if isinstance(value, list):
        values = cast("list[Value]", value)
        return _fewer(
            values, items, lambda each: _shorter(each, longest, items, room), room
        )
    return value


def _fewer(
    values: Sequence[Value], items: int, each: Callable[[Value], Value], room: Room
) -> list[Value]:
    """Keep both ends of an array, and between them the items that matter most."""
    if len(values) <= 2 * items + 1:
        return [each(value) for value in values]
    middle = range(items, len(values) - items)
    written = {at: _written(values[at]) for at in middle}
    scores = {at: matters(written[at], room) for at in middle}
    best = sorted((at for at in middle if scores[at] > 0), key=lambda at: -scores[at])
    keep = {*range(items), *best[:items], *range(len(values) - items, len(values))}
    cut = sum(len(text) for at, text in written.items() if at not in keep)
    mark = f"{len(values) - len(keep)} items: {room.pointers.cut(cut)}"
    objects = all(isinstance(value, _Object) for value in values)
    made: list[Value] = []
    marked = False
    for at, value in enumerate(values):
        if at in keep:
            made.append(each(value))
        elif not marked:
            marked = True
            made.append(_Object([("...", mark)]) if objects else mark)
    return made


def _written(value: Value) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, _Object):
        pairs = (f"{_quoted(key)}: {_written(each)}" for key, each in value)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        items = cast("list[Value]", value)
        return "[" + ", ".join(_written(each) for each in items) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    """Return a text as JSON, escaped where it could not be sent otherwise."""
    halves = any("\ud800" <= character <= "\udfff" for character in text)
    return json.dumps(text, ensure_ascii=halves)
