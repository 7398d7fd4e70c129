"""How much memory a request would need, before it is decoded.

Two bytes on the wire can be an empty span of 200 bytes in memory: 4 KB of gzip became
350 MB. A byte limit does not see this, so a large request is first measured: an upper
bound from counting tag bytes (in C), and only when that bound is over the limit an exact walk
over the wire format, which stops at the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from .._signals import Signal
from ._faults import TooLarge
from ._schema import REQUESTS, descriptor_of

_LEN: Final = 2  # wire type of strings, bytes, messages and packed numbers
_MAX_NESTING: Final = 100  # messages; protobuf refuses more

# Sizes in protobuf's C runtime (upb): a message has a header and a hidden presence word, a
# list holds 8 bytes a message or 16 a string and doubles when it grows.
_MESSAGE_HEADER_BYTES: Final = 16
_LIST_SLOT_BYTES: Final = 16
_STRING_SLOT_BYTES: Final = 32
_VARINT_SLOT_BYTES: Final = 16


@dataclass(slots=True)
class _Layout:
    """What the fields of one message cost, by tag.

    Attributes:
        size: Bytes of one such message and its place in a list.
        messages: Fields that are messages.
        leaves: Other repeated fields: what each occurrence costs, and what each byte of
            it costs (packed varints).
        counted: Whether anything in such a message costs more than its bytes.
    """

    size: int
    messages: dict[int, _Layout] = field(default_factory=dict)
    leaves: dict[int, tuple[int, int]] = field(default_factory=dict)
    counted: bool = False


def _layout(descriptor: Descriptor, seen: dict[str, _Layout]) -> _Layout:
    if descriptor.full_name in seen:
        return seen[descriptor.full_name]
    kind = FieldDescriptor
    size = _MESSAGE_HEADER_BYTES + _LIST_SLOT_BYTES
    for item in descriptor.fields:
        wide = item.type in (kind.TYPE_STRING, kind.TYPE_BYTES) and not item.is_repeated
        size += 16 if wide else 8
    layout = seen[descriptor.full_name] = _Layout(size)
    for item in descriptor.fields:
        tag = item.number << 3 | _LEN
        if item.message_type is not None:
            layout.messages[tag] = _layout(item.message_type, seen)
        elif item.is_repeated and item.type in (kind.TYPE_STRING, kind.TYPE_BYTES):
            layout.leaves[tag] = (_STRING_SLOT_BYTES, 0)
        elif item.is_repeated and item.type not in (
            kind.TYPE_FIXED64,
            kind.TYPE_DOUBLE,
        ):
            layout.leaves[tag] = (0, _VARINT_SLOT_BYTES)
    layout.counted = bool(layout.messages or layout.leaves)
    return layout


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to measure one signal's request.

    Attributes:
        root: The layout of the request message.
        screen: The dearest message or item behind each first byte of a tag.
        per_byte: Bytes in memory for each byte that is in no counted item.
    """

    root: _Layout
    screen: tuple[tuple[bytes, int], ...]
    per_byte: int


def _plan(signal: Signal) -> _Plan:
    seen: dict[str, _Layout] = {}
    root = _layout(descriptor_of(signal), seen)
    dearest: dict[int, int] = {}
    per_byte = 1
    for layout in seen.values():
        costs = {tag: child.size for tag, child in layout.messages.items()}
        for tag, (item, byte) in layout.leaves.items():
            costs[tag] = item
            per_byte = max(per_byte, byte)
        for tag, cost in costs.items():
            dearest[tag] = max(dearest.get(tag, 0), cost)
    screen: list[tuple[bytes, int]] = []
    for tag, cost in dearest.items():
        if tag < 128:
            screen.append((bytes([tag]), cost))
        # The same tag as an over-long varint, which decoders accept.
        screen.append((bytes([tag & 0x7F | 0x80]), cost))
    return _Plan(root, tuple(screen), per_byte)


_PLANS: Final = {signal: _plan(signal) for signal in REQUESTS}


def check_parsed_bytes(signal: Signal, payload: bytes, *, limit_bytes: int) -> None:
    """Refuse a request whose decoded form would need more than the limit.

    Args:
        signal: Which request the bytes should be.
        payload: The protobuf bytes, which need not be sound.
        limit_bytes: The most memory, in bytes, including a copy of the payload.

    Raises:
        TooLarge: When it would need more.
    """
    plan = _PLANS[signal]
    size = len(payload)
    worst = max(cost for _, cost in plan.screen) // 2 + plan.per_byte
    if size * worst <= limit_bytes:
        return
    bound = size * plan.per_byte
    for byte, cost in plan.screen:
        bound += payload.count(byte) * cost
    if bound <= limit_bytes:
        return
    if _walk(payload, plan.root, limit_bytes - size) > limit_bytes - size:
        raise TooLarge(
            "parsed_bytes",
            f"the request has {size} bytes but would need more than {limit_bytes} bytes "
            "once decoded, because it holds too many small items; send fewer at a time",
        )


def _walk(payload: bytes, root: _Layout, limit: int) -> int:
    """Add up what the messages of a payload cost, stopping beyond the limit.

    Malformed input ends the walk: decoding will refuse it anyway. Written for speed: it
    sees up to some millions of fields, most with a tag and a length of one byte.
    """
    cost = 0
    stack = [(0, len(payload), root, 1)]
    try:
        while stack:
            position, end, layout, depth = stack.pop()
            messages, leaves = layout.messages, layout.leaves
            deeper = depth + 1
            while position < end:
                tag = payload[position]
                position += 1
                if tag > 127:
                    tag, position = _varint(payload, position - 1)
                wire = tag & 7
                if wire == _LEN:
                    length = payload[position]
                    position += 1
                    if length > 127:
                        length, position = _varint(payload, position - 1)
                    if tag in messages:
                        child = messages[tag]
                        cost += child.size
                        if cost > limit:
                            return cost
                        if length and child.counted and depth < _MAX_NESTING:
                            stack.append((position, position + length, child, deeper))
                    elif tag in leaves:
                        item, per_byte = leaves[tag]
                        cost += item + per_byte * length
                    position += length
                elif wire == 0:
                    while payload[position] > 127:
                        position += 1
                    position += 1
                elif wire == 1:
                    position += 8
                elif wire == 5:
                    position += 4
    except IndexError:
        pass
    return cost


def _varint(payload: bytes, position: int) -> tuple[int, int]:
    """Read a varint; return it and the position behind it.

    Raises:
        IndexError: When the payload ends first, or it has more than 10 bytes.
    """
    value = 0
    for shift in range(0, 70, 7):
        byte = payload[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            return value, position
    raise IndexError
