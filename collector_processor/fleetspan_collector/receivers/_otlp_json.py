"""OTLP/JSON, written as the protobuf bytes that mean the same.

Protobuf's own JSON reader is no use here: by the OTLP specification ids are hex, enums
are integers only, names are lowerCamelCase only, and unknown fields are ignored.

A 64-bit integer may be a number or a string, ``null`` is an absent field, a bytes value
is base64, NaN and the infinities are strings. Of a name given twice the last counts.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from .._signals import Signal
from ._faults import TooLarge, Undecodable
from ._schema import REQUESTS

# Messages inside messages, as protobuf's own decoder allows.
_MAX_DEPTH: Final = 100

_HEX_FIELDS: Final = {"trace_id", "span_id", "parent_span_id"}
_BASE64URL: Final = bytes.maketrans(b"-_", b"+/")
_SPECIAL: Final = {"NaN", "Infinity", "-Infinity"}
_KIND: Final = FieldDescriptor

# Writes one field, tag included; b"" for a value that protobuf leaves out.
_Write = Callable[[object, int], bytes]


class _Wrong(Exception):  # noqa: N818 - becomes an `Undecodable`
    """A value is wrong; the path is put together while unwinding."""

    def __init__(self, message: str) -> None:
        self.steps: list[str] = []
        super().__init__(message)


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
    except _Wrong as wrong:
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
        raise _Wrong(f"expected an object ({table.name}), got {_shown(value)}")
    if depth > _MAX_DEPTH:
        raise _Wrong(f"nested deeper than {_MAX_DEPTH} messages")
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
        except _Wrong as wrong:
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
            raise _Wrong(f"only one of {given[group]} and {name} may be given")
        given[group] = name


def _shown(value: object) -> str:
    """Show a wrong value, shortened."""
    try:
        text = orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:59] + "…"


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    out = bytearray()
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _sized(tag: bytes, body: bytes) -> bytes:
    return tag + _varint(len(body)) + body


def _to_string(value: object) -> bytes:
    if type(value) is not str:
        raise _Wrong(f"expected a string, got {_shown(value)}")
    return value.encode()


def _to_hex(value: object) -> bytes:
    if type(value) is not str:
        raise _Wrong(f"expected hex digits in a string, got {_shown(value)}")
    try:
        # Unlike bytes.fromhex this takes no spaces.
        return binascii.unhexlify(value)
    except ValueError:
        raise _Wrong(
            f"expected an even number of hex digits, got {_shown(value)} "
            "(ids are hex in OTLP/JSON, not base64)"
        ) from None


def _to_bytes(value: object) -> bytes:
    if type(value) is not str:
        raise _Wrong(f"expected base64 in a string, got {_shown(value)}")
    try:
        text = value.encode("ascii").rstrip(b"=").translate(_BASE64URL)
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise _Wrong(f"expected base64, got {_shown(value)}") from None


_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}\Z")


def _integer(low: int, high: int, *, text: bool) -> Callable[[object], int]:
    def convert(value: object) -> int:
        number: object = value
        if (type(value) is str and text and _DECIMAL.match(value)) or (
            type(value) is float and value.is_integer()
        ):
            number = int(value)
        if type(number) is not int:
            raise _Wrong(f"expected an integer, got {_shown(value)}")
        if not low <= number <= high:
            raise _Wrong(
                f"expected an integer from {low} to {high}, got {_shown(value)}"
            )
        return number

    return convert


def _to_double(value: object) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    if type(value) is str and (value in _SPECIAL or _NUMBER.match(value)):
        return float(value)
    raise _Wrong(f"expected a number, got {_shown(value)}")


_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")


def _to_bool(value: object) -> int:
    if type(value) is not bool:
        raise _Wrong(f"expected true or false, got {_shown(value)}")
    return int(value)


def _varint64(value: int) -> bytes:
    return _varint(value & 0xFFFFFFFFFFFFFFFF)


_INT32: Final = _integer(-(1 << 31), (1 << 31) - 1, text=True)
_INT64: Final = _integer(-(1 << 63), (1 << 63) - 1, text=True)
_UINT32: Final = _integer(0, (1 << 32) - 1, text=True)
_UINT64: Final = _integer(0, (1 << 64) - 1, text=True)
_ENUM: Final = _integer(-(1 << 31), (1 << 31) - 1, text=False)


def _scalar(item: FieldDescriptor) -> tuple[int, Callable[[object], bytes]]:
    """The wire type of a scalar field and how its value is written, without tag."""
    match item.type:
        case _KIND.TYPE_STRING:
            return 2, _to_string
        case _KIND.TYPE_BYTES:
            return 2, _to_hex if item.name in _HEX_FIELDS else _to_bytes
        case _KIND.TYPE_BOOL:
            return 0, lambda value: _varint(_to_bool(value))
        case _KIND.TYPE_ENUM:
            return 0, lambda value: _varint64(_ENUM(value))
        case _KIND.TYPE_INT32:
            return 0, lambda value: _varint64(_INT32(value))
        case _KIND.TYPE_INT64:
            return 0, lambda value: _varint64(_INT64(value))
        case _KIND.TYPE_UINT32:
            return 0, lambda value: _varint(_UINT32(value))
        case _KIND.TYPE_UINT64:
            return 0, lambda value: _varint(_UINT64(value))
        case _KIND.TYPE_SINT32:
            return 0, lambda value: _varint(_zigzag(_INT32(value)))
        case _KIND.TYPE_SINT64:
            return 0, lambda value: _varint(_zigzag(_INT64(value)))
        case _KIND.TYPE_FIXED64:
            return 1, lambda value: struct.pack("<Q", _UINT64(value))
        case _KIND.TYPE_SFIXED64:
            return 1, lambda value: struct.pack("<q", _INT64(value))
        case _KIND.TYPE_DOUBLE:
            return 1, lambda value: struct.pack("<d", _to_double(value))
        case _KIND.TYPE_FIXED32:
            return 5, lambda value: struct.pack("<I", _UINT32(value))
    raise AssertionError(f"OTLP has a new field type: {item.full_name}")


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def _message_field(tag: bytes, table: _Table) -> _Write:
    def write(value: object, depth: int) -> bytes:
        body = _encode(value, table, depth + 1)
        return tag + _varint(len(body)) + body

    return write


def _scalar_field(item: FieldDescriptor) -> _Write:
    wire, convert = _scalar(item)
    tag = _varint(item.number << 3 | wire)
    zero = () if item.has_presence else (b"", b"\0", bytes(4), bytes(8))

    if wire == 2:

        def write_text(value: object, depth: int) -> bytes:
            body = convert(value)
            return b"" if body in zero[:1] else tag + _varint(len(body)) + body

        return write_text

    def write(value: object, depth: int) -> bytes:
        body = convert(value)
        return b"" if body in zero else tag + body

    return write


def _repeated_field(item: FieldDescriptor, one: _Write, empty: object) -> _Write:
    def write(value: object, depth: int) -> bytes:
        if type(value) is not list:
            raise _Wrong(f"expected a list, got {_shown(value)}")
        parts: list[bytes] = []
        for index, element in enumerate(value):
            try:
                parts.append(one(empty if element is None else element, depth))
            except _Wrong as wrong:
                wrong.steps.append(f"[{index}]")
                raise
        return b"".join(parts)

    return write


def _packed_field(item: FieldDescriptor) -> _Write:
    _, convert = _scalar(item)
    tag = _varint(item.number << 3 | 2)
    elements = _repeated_field(item, lambda value, depth: convert(value), None)

    def write(value: object, depth: int) -> bytes:
        body = elements(value, depth)
        return _sized(tag, body) if body else b""

    return write


def _text_list_field(item: FieldDescriptor) -> _Write:
    _, convert = _scalar(item)
    tag = _varint(item.number << 3 | 2)
    return _repeated_field(item, lambda v, depth: _sized(tag, convert(v)), None)


def _table(descriptor: Descriptor, seen: dict[str, _Table]) -> _Table:
    if descriptor.full_name in seen:
        return seen[descriptor.full_name]
    table = seen[descriptor.full_name] = _Table(descriptor.name)
    for item in descriptor.fields:
        name = item.json_name
        write: _Write
        if item.message_type is not None:
            tag = _varint(item.number << 3 | 2)
            write = _message_field(tag, _table(item.message_type, seen))
            if item.is_repeated:
                write = _repeated_field(item, write, {})
        elif not item.is_repeated:
            write = _scalar_field(item)
        elif item.type in (_KIND.TYPE_STRING, _KIND.TYPE_BYTES):
            write = _text_list_field(item)
        else:
            write = _packed_field(item)
        table.fields[name] = (item.number, write)
        group = item.containing_oneof
        if group is not None and len(group.fields) > 1:
            table.oneofs[name] = group.name
    return table


_TABLES: Final = {
    signal: _table(request.DESCRIPTOR, {}) for signal, request in REQUESTS.items()
}
