"""Attributes of the store, which are texts, as OTLP values; and the way back for searches.

The store keeps the text of each value, not its type. It is given back by its look: what
is exactly how the store writes a whole number, a fraction or a truth value is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

KeyValues = RepeatedCompositeFieldContainer[KeyValue]
"""Attributes of a message."""

_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?")
_LONGEST_NUMBER: Final = 25
_FIRST: Final = frozenset("-0123456789tf")
_INT64: Final = range(-(2**63), 2**63)
# Names and ids are texts, even where they are made of digits.
_TEXTS: Final = re.compile(r".*[._](?:id|name|version)")
_NUMBERS_ALL_THE_SAME: Final = frozenset({"thread.id"})


def add_attributes(attributes: KeyValues, texts: Mapping[str, str]) -> None:
    """Append attributes to a message.

    Args:
        attributes: Those of the message.
        texts: What the store has of them.
    """
    for key, text in texts.items():
        set_value(attributes.add(key=key).value, value_of(key, text))


def set_value(value: AnyValue, known: str | bool | float) -> None:
    """Set the value of an attribute."""
    # Not isinstance: a truth value is an int to it.
    kind = type(known)
    if kind is str:
        value.string_value = known  # type: ignore[assignment] # narrowed by type()
    elif kind is bool:
        value.bool_value = known  # type: ignore[assignment] # as above
    elif kind is int:
        value.int_value = known  # type: ignore[assignment] # as above
    else:
        value.double_value = known  # type: ignore[assignment] # as above


def value_of(key: str, text: str) -> str | bool | float:
    """Give a value of the store its type.

    Args:
        key: The name of the attribute.
        text: What the store has.

    Returns:
        A number or a truth value for what looks like one, unless the attribute is a
        name, an id or a version; else the text.
    """
    if len(text) > _LONGEST_NUMBER or text[:1] not in _FIRST:
        return text
    known = _typed(text)
    if known is text or _is_text(key):
        return text
    return known


@lru_cache(maxsize=4096)
def _is_text(key: str) -> bool:
    return bool(_TEXTS.fullmatch(key)) and key not in _NUMBERS_ALL_THE_SAME


@lru_cache(maxsize=65536)
def _typed(text: str) -> str | bool | float:
    if text in {"true", "false"}:
        return text == "true"
    if not _NUMBER.fullmatch(text):
        return text
    if "." not in text and "e" not in text:
        whole = int(text)
        return whole if str(whole) == text and whole in _INT64 else text
    fraction = float(text)
    return fraction if _written(fraction) == text else text


def _written(fraction: float) -> str:
    """How the engine writes a fraction: the shortest digits, exponents without zeros."""
    mantissa, e, exponent = repr(fraction).partition("e")
    if not e:
        return mantissa
    if int(exponent) in {-5, -6}:
        # It writes these two still without an exponent.
        return format(Decimal(repr(fraction)), "f")
    return f"{mantissa}e{int(exponent)}"
