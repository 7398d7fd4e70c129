"""Single JSON values, written as protobuf's wire format."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable
from typing import Final

import orjson
from google.protobuf.descriptor import FieldDescriptor

_HEX_FIELDS: Final = {"trace_id", "span_id", "parent_span_id"}
_BASE64URL: Final = bytes.maketrans(b"-_", b"+/")
_SPECIAL: Final = {"NaN", "Infinity", "-Infinity"}
_KIND: Final = FieldDescriptor


class WrongValue(Exception):  # noqa: N818 - becomes an `Undecodable`
    """A value is wrong; its path is put together while unwinding.

    Attributes:
        steps: The path, innermost step first.
    """

    def __init__(self, message: str) -> None:
        self.steps: list[str] = []
        super().__init__(message)


def shown(value: object) -> str:
    """Show a wrong value, shortened."""
    try:
        text = orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:59] + "…"


def varint(value: int) -> bytes:
    """Write an unsigned number as protobuf does."""
    if value < 128:
        return bytes((value,))
    out = bytearray()
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sized(tag: bytes, body: bytes) -> bytes:
    """Write a length-delimited field."""
    return tag + varint(len(body)) + body


def _to_string(value: object) -> bytes:
    if type(value) is not str:
        raise WrongValue(f"expected a string, got {shown(value)}")
    return value.encode()


def _to_hex(value: object) -> bytes:
    if type(value) is not str:
        raise WrongValue(f"expected hex digits in a string, got {shown(value)}")
    try:
        # Unlike bytes.fromhex this takes no spaces.
        return binascii.unhexlify(value)
    except ValueError:
        raise WrongValue(
            f"expected an even number of hex digits, got {shown(value)} "
            "(ids are hex in OTLP/JSON, not base64)"
        ) from None


def _to_bytes(value: object) -> bytes:
    if type(value) is not str:
        raise WrongValue(f"expected base64 in a string, got {shown(value)}")
    try:
        text = value.encode("ascii").rstrip(b"=").translate(_BASE64URL)
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise WrongValue(f"expected base64, got {shown(value)}") from None


_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}\Z")


def _integer(low: int, high: int, *, text: bool) -> Callable[[object], int]:
    def convert(value: object) -> int:
        number: object = value
        if (type(value) is str and text and _DECIMAL.match(value)) or (
            type(value) is float and value.is_integer()
        ):
            number = int(value)
        if type(number) is not int:
            raise WrongValue(f"expected an integer, got {shown(value)}")
        if not low <= number <= high:
            raise WrongValue(
                f"expected an integer from {low} to {high}, got {shown(value)}"
            )
        return number

    return convert


def _to_double(value: object) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    if type(value) is str and (value in _SPECIAL or _NUMBER.match(value)):
        return float(value)
    raise WrongValue(f"expected a number, got {shown(value)}")


_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")


def _to_bool(value: object) -> int:
    if type(value) is not bool:
        raise WrongValue(f"expected true or false, got {shown(value)}")
    return int(value)


def _varint64(value: int) -> bytes:
    return varint(value & 0xFFFFFFFFFFFFFFFF)


_INT32: Final = _integer(-(1 << 31), (1 << 31) - 1, text=True)
_INT64: Final = _integer(-(1 << 63), (1 << 63) - 1, text=True)
_UINT32: Final = _integer(0, (1 << 32) - 1, text=True)
_UINT64: Final = _integer(0, (1 << 64) - 1, text=True)
_ENUM: Final = _integer(-(1 << 31), (1 << 31) - 1, text=False)


def scalar(item: FieldDescriptor) -> tuple[int, Callable[[object], bytes]]:
    """The wire type of a scalar field and how its value is written, without tag."""
    match item.type:
        case _KIND.TYPE_STRING:
            return 2, _to_string
        case _KIND.TYPE_BYTES:
            return 2, _to_hex if item.name in _HEX_FIELDS else _to_bytes
        case _KIND.TYPE_BOOL:
            return 0, lambda value: varint(_to_bool(value))
        case _KIND.TYPE_ENUM:
            return 0, lambda value: _varint64(_ENUM(value))
        case _KIND.TYPE_INT32:
            return 0, lambda value: _varint64(_INT32(value))
        case _KIND.TYPE_INT64:
            return 0, lambda value: _varint64(_INT64(value))
        case _KIND.TYPE_UINT32:
            return 0, lambda value: varint(_UINT32(value))
        case _KIND.TYPE_UINT64:
            return 0, lambda value: varint(_UINT64(value))
        case _KIND.TYPE_SINT32:
            return 0, lambda value: varint(_zigzag(_INT32(value)))
        case _KIND.TYPE_SINT64:
            return 0, lambda value: varint(_zigzag(_INT64(value)))
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
