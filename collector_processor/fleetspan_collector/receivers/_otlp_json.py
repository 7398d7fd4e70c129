"""OTLP/JSON, written as the protobuf bytes that mean the same.

Protobuf's own JSON reader is no use here: by the OTLP specification ids are hex, enums
are integers only, names are lowerCamelCase only, and unknown fields are ignored.

A 64-bit integer may be a number or a string, ``null`` is an absent field, a bytes value
is base64, NaN and the infinities are strings. Of a name given twice the last counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from .._signals import Signal
from ._faults import TooLarge, Undecodable
from ._json_scalars import WrongValue, scalar, shown, sized, varint
from ._schema import REQUESTS, descriptor_of

# Messages inside messages, as protobuf's own decoder allows.
_MAX_DEPTH: Final = 100

# Writes one field, tag included; b"" for a value that protobuf leaves out.
_Write = Callable[[object, int], bytes]


@dataclass(slots=True)
class _Table:
    """How a message's JSON names are written.

    Attributes:
        name: The message's name, for error texts.
        fields: Field number and writer, by JSON name.
        oneofs: The group of each JSON name of which only one member may be given.
    """

    name: str
    fields: dict[str, tuple[int, _Write]] = field(default_factory=dict)
    oneofs: dict[str, str] = field(default_factory=dict)


def decode_json(signal: Signal, body: bytes, *, max_parsed_bytes: int) -> bytes:
    """Read an OTLP/JSON request.

    Args:
        signal: Which request it is.
        body: The JSON text, in UTF-8.
        max_parsed_bytes: The most memory, in bytes, that the text may need once parsed.

    Returns:
        The same request as protobuf bytes.

    Raises:
        Undecodable: When it is not such a request; the error names the offending path.
        TooLarge: When it needs more memory than allowed.
    """
    _check_memory(body, max_parsed_bytes)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"the body is not JSON: {error}") from None
    try:
        return _encode(document, _TABLES[signal], 1)
    except WrongValue as wrong:
        path = "".join(reversed(wrong.steps)).lstrip(".")
        raise Undecodable(str(wrong), field=path) from None


# Python objects for one of each, in bytes: a dict with an entry, a list, a place in either
# with a number, a string. Measured with sys.getsizeof on CPython 3.11, rounded up.
_DICT_BYTES: Final = 200
_LIST_BYTES: Final = 72
_ENTRY_BYTES: Final = 80
_STRING_BYTES: Final = 64
_WORST_BYTES_PER_BYTE: Final = 40  # of all texts, as in [{"":0},{"":0},…
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def _check_memory(body: bytes, limit_bytes: int) -> None:
    if len(body) * _WORST_BYTES_PER_BYTE <= limit_bytes:
        return
    if _memory(body) <= limit_bytes:
        return
    # Brackets and commas inside of strings cost nothing: count again without strings.
    bare = _STRING.sub(b"'", body)
    text_bytes = len(body) if body.isascii() else 2 * len(body)
    needed = _memory(bare) + bare.count(b"'") * _STRING_BYTES + text_bytes
    if needed > limit_bytes:
        raise TooLarge(
            "parsed_bytes",
            f"the request has {len(body)} bytes of JSON but would need about {needed} "
            f"bytes once parsed, at most {limit_bytes} are allowed; "
            "send fewer items at a time, or protobuf",
        )


def _memory(body: bytes) -> int:
    return (
        body.count(b"{") * _DICT_BYTES
        + body.count(b"[") * _LIST_BYTES
        + body.count(b",") * _ENTRY_BYTES
        + body.count(b'"') * _STRING_BYTES // 2
        + 2 * len(body)
    )


def _encode(value: object, table: _Table, depth: int) -> bytes:
    if type(value) is not dict:
        raise WrongValue(f"expected an object ({table.name}), got {shown(value)}")
    if depth > _MAX_DEPTH:
        raise WrongValue(f"nested deeper than {_MAX_DEPTH} messages")
    fields = table.fields
    parts: list[tuple[int, bytes]] = []
    last = 0
    ordered = True
    for name, item in value.items():
        known = fields.get(name)
        if known is None or item is None:
            continue
        number, write = known
        try:
            part = write(item, depth)
        except WrongValue as wrong:
            wrong.steps.append(f".{name}")
            raise
        if part:
            parts.append((number, part))
            ordered = ordered and number > last
            last = number
    if table.oneofs:
        _check_oneofs(value, table)
    if not ordered:
        # Protobuf's own writers go by field number; equal requests then have equal
        # bytes, whatever the order of names in their JSON.
        parts.sort(key=_number)
    return b"".join([part for _, part in parts])


def _number(part: tuple[int, bytes]) -> int:
    return part[0]


def _check_oneofs(value: dict[str, object], table: _Table) -> None:
    given: dict[str, str] = {}
    for name, item in value.items():
        group = table.oneofs.get(name)
        if group is None or item is None:
            continue
        if group in given:
            raise WrongValue(f"only one of {given[group]} and {name} may be given")
        given[group] = name


def _message_field(tag: bytes, table: _Table) -> _Write:
    def write(value: object, depth: int) -> bytes:
        body = _encode(value, table, depth + 1)
        return tag + varint(len(body)) + body

    return write


def _scalar_field(item: FieldDescriptor) -> _Write:
    wire, convert = scalar(item)
    tag = varint(item.number << 3 | wire)
    zero = () if item.has_presence else (b"", b"\0", bytes(4), bytes(8))

    if wire == 2:

        def write_text(value: object, depth: int) -> bytes:
            body = convert(value)
            return b"" if body in zero[:1] else tag + varint(len(body)) + body

        return write_text

    def write(value: object, depth: int) -> bytes:
        body = convert(value)
        return b"" if body in zero else tag + body

    return write


def _repeated_field(one: _Write, empty: object) -> _Write:
    def write(value: object, depth: int) -> bytes:
        if type(value) is not list:
            raise WrongValue(f"expected a list, got {shown(value)}")
        parts: list[bytes] = []
        for index, element in enumerate(value):
            try:
                parts.append(one(empty if element is None else element, depth))
            except WrongValue as wrong:
                wrong.steps.append(f"[{index}]")
                raise
        return b"".join(parts)

    return write


def _attributes_field(tag: bytes, table: _Table) -> _Write:
    """Write a list of attributes; those with a string, nearly all, take a short way."""
    general = _repeated_field(_message_field(tag, table), {})

    def write(value: object, depth: int) -> bytes:
        if type(value) is not list or depth + 2 > _MAX_DEPTH:
            return general(value, depth)
        parts: list[bytes] = []
        for index, item in enumerate(value):
            if type(item) is dict and len(item) == 2:
                key, inner = item.get("key"), item.get("value")
                if key and type(key) is str and type(inner) is dict and len(inner) == 1:
                    text = inner.get("stringValue")
                    if type(text) is str:
                        body = sized(b"\x12", sized(b"\x0a", text.encode()))
                        parts.append(sized(tag, sized(b"\x0a", key.encode()) + body))
                        continue
            try:
                parts.append(general([item], depth))
            except WrongValue as wrong:
                wrong.steps[-1] = f"[{index}]"
                raise
        return b"".join(parts)

    return write


def _packed_field(item: FieldDescriptor) -> _Write:
    _, convert = scalar(item)
    tag = varint(item.number << 3 | 2)
    elements = _repeated_field(lambda value, depth: convert(value), None)

    def write(value: object, depth: int) -> bytes:
        body = elements(value, depth)
        return sized(tag, body) if body else b""

    return write


def _text_list_field(item: FieldDescriptor) -> _Write:
    _, convert = scalar(item)
    tag = varint(item.number << 3 | 2)
    return _repeated_field(lambda v, depth: sized(tag, convert(v)), None)


def _table(descriptor: Descriptor, seen: dict[str, _Table]) -> _Table:
    if descriptor.full_name in seen:
        return seen[descriptor.full_name]
    table = seen[descriptor.full_name] = _Table(descriptor.name)
    for item in descriptor.fields:
        name = item.json_name
        write: _Write
        if item.message_type is not None:
            tag = varint(item.number << 3 | 2)
            inner = _table(item.message_type, seen)
            write = _message_field(tag, inner)
            if item.is_repeated and inner.name == "KeyValue":
                write = _attributes_field(tag, inner)
            elif item.is_repeated:
                write = _repeated_field(write, {})
        elif not item.is_repeated:
            write = _scalar_field(item)
        elif item.type in (item.TYPE_STRING, item.TYPE_BYTES):
            write = _text_list_field(item)
        else:
            write = _packed_field(item)
        table.fields[name] = (item.number, write)
        group = item.containing_oneof
        if group is not None and len(group.fields) > 1:
            table.oneofs[name] = group.name
    return table


_TABLES: Final = {signal: _table(descriptor_of(signal), {}) for signal in REQUESTS}
