"""Rewrites strings of a protobuf message where they stand: the rest keeps its bytes.

A request of 50,000 spans in which one attribute is to be changed is neither decoded nor
encoded: the walk goes down only where something may be, and writes new lengths on its
way back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

Rewrite = Callable[[bytes], bytes]

_MAX_NESTING: Final = 100


class Leaf(Enum):
    """What is rewritten as a whole."""

    TEXT = "text"
    KEY_VALUE = "key_value"
    ANY_VALUE = "any_value"
    OTHER = "other"  # bytes that are ids or numbers: left alone


_WHOLE: Final = {"KeyValue": Leaf.KEY_VALUE, "AnyValue": Leaf.ANY_VALUE}


class Unusual(Exception):  # noqa: N818 - never leaves the package
    """The message is written in a way that only protobuf's own decoder reads."""


@dataclass(slots=True)
class Layout:
    """What the length-delimited fields of a message are, by number."""

    fields: dict[int, Leaf | Layout] = field(default_factory=dict)


def layout_of(descriptor: Descriptor) -> Layout:
    """Return the layout of a message."""
    return _layout(descriptor, {})


def _layout(descriptor: Descriptor, seen: dict[str, Layout]) -> Layout:
    if descriptor.full_name in seen:
        return seen[descriptor.full_name]
    layout = seen[descriptor.full_name] = Layout()
    for item in descriptor.fields:
        if item.message_type is not None:
            whole = _WHOLE.get(item.message_type.name)
            layout.fields[item.number] = whole or _layout(item.message_type, seen)
        elif item.type == FieldDescriptor.TYPE_STRING:
            layout.fields[item.number] = Leaf.TEXT
        else:
            layout.fields[item.number] = Leaf.OTHER
    return layout


def rewrite(
    data: bytes,
    layout: Layout,
    places: list[int] | None,
    leaves: Mapping[Leaf, Rewrite],
    holds_any: Callable[[bytes], bool],
) -> bytes:
    """Return a message with some of its text rewritten.

    Args:
        data: The message.
        layout: Its layout.
        places: Where something may be, in order; ``None`` for everywhere.
        leaves: How each leaf is rewritten; the same object when it stays.
        holds_any: Whether a field that nobody knows has to go.

    Returns:
        The message, the same object when nothing was changed.

    Raises:
        Unusual: When it holds groups or is not sound.
    """
    try:
        return _message(data, 0, len(data), layout, places, leaves, holds_any, 1)
    except IndexError:
        raise Unusual from None


def _message(
    data: bytes,
    start: int,
    end: int,
    layout: Layout,
    places: list[int] | None,
    leaves: Mapping[Leaf, Rewrite],
    holds_any: Callable[[bytes], bool],
    depth: int,
) -> bytes:
    if depth > _MAX_NESTING:
        raise Unusual
    parts: list[bytes] = []
    kept_from = at = start
    fields = layout.fields
    while at < end:
        begins = at
        tag = data[at]
        at += 1
        if tag > 127:
            tag, at = _varint(data, at - 1)
        wire = tag & 7
        if wire == 0:
            while data[at] > 127:
                at += 1
            at += 1
            continue
        if wire in (1, 5):
            at += 8 if wire == 1 else 4
            continue
        if wire != 2:
            raise Unusual
        length = data[at]
        at += 1
        if length > 127:
            length, at = _varint(data, at - 1)
        content, at = at, at + length
        if at > end:
            raise Unusual
        if places is not None:
            place = bisect_left(places, content)
            if place == len(places) or places[place] >= at:
                continue
        known = fields.get(tag >> 3)
        old = data[content:at]
        if isinstance(known, Layout):
            new = _message(
                old,
                0,
                length,
                known,
                None if places is None else _within(places, content, at),
                leaves,
                holds_any,
                depth + 1,
            )
        elif known is None:
            if holds_any(old):
                parts.append(data[kept_from:begins])
                kept_from = at
            continue
        elif known is Leaf.OTHER:
            continue
        else:
            new = leaves[known](old)
        if new is not old:
            parts += (data[kept_from:begins], write_varint(tag), write_varint(len(new)))
            parts.append(new)
            kept_from = at
    if at != end:
        raise Unusual
    if kept_from == start and not parts:
        return data
    parts.append(data[kept_from:end])
    return b"".join(parts)


def _within(places: list[int], start: int, end: int) -> list[int]:
    first, last = bisect_left(places, start), bisect_left(places, end)
    return [place - start for place in places[first:last]]


def write_varint(value: int) -> bytes:
    """Write an unsigned number as protobuf does."""
    out = bytearray()
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            return value, at
    raise Unusual
