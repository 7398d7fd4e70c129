"""Personal data, on request: shapes, and the checksums that keep false alarms few."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import partial
from typing import Final

from fleetspan._secret_kind import Kind

from ._finder import Shape, compile_bytes

_CARD_DIGITS: Final = range(13, 20)
_PHONE_DIGITS: Final = range(8, 16)
_NUMBER_IN_USE: Final = (b"000", b"666")


def _always(value: bytes) -> bool:
    return not value.startswith(b"[")


def is_card(value: bytes) -> bool:
    """Tell whether digits, with blanks or hyphens, are a payment card's (Luhn)."""
    digits = [byte - 48 for byte in value if 48 <= byte <= 57]
    if len(digits) not in _CARD_DIGITS or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_iban(value: bytes) -> bool:
    """Tell whether a text is an IBAN with a right checksum (ISO 13616)."""
    text = value.replace(b" ", b"").decode("ascii", "replace").upper()
    if not (15 <= len(text) <= 34 and text.isalnum()):
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(each, 36)) for each in moved)) % 97 == 1


def is_address(value: bytes) -> bool:
    """Tell whether a text is an IP address of somebody: not this machine, not any."""
    try:
        address = ipaddress.ip_address(value.decode("ascii", "replace"))
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


def is_phone(value: bytes) -> bool:
    """Tell whether there are as many digits as a phone number has (ITU-T E.164)."""
    return sum(48 <= byte <= 57 for byte in value) in _PHONE_DIGITS


def is_social_security_number(value: bytes) -> bool:
    """Tell whether three groups are ones that the US give out."""
    area, group, serial = value.split(b"-")
    return (
        area not in _NUMBER_IN_USE
        and area < b"900"
        and group != b"00"
        and serial != b"0000"
    )


def _shape(
    name: str, pattern: str, is_one: Callable[[bytes], bool], hint: str = ""
) -> Shape:
    return Shape(
        Kind(name=name, pattern=pattern, literals=(), hint=hint or pattern),
        lambda text, start, end: is_one(text[start:end]),
        partial(compile_bytes, pattern),
    )


_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_GROUP: Final = r"[0-9A-Fa-f]{1,4}"

PII: Final = (
    _shape(
        "email",
        r"\b([A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})\b",
        _always,
        hint=r"[A-Za-z0-9._%+-]@[A-Za-z0-9-]",
    ),
    _shape(
        "payment-card",
        r"\b((?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6\d{3}|3[0-9]\d\d)[ -]?\d{4}[ -]?\d{4}"
        r"[ -]?\d{1,4}(?:[ -]?\d{1,3})?|3[47]\d\d[ -]?\d{6}[ -]?\d{5})\b",
        is_card,
        hint=r"\d{4}[ -]?\d{4}[ -]?\d{4}|3[47]\d\d[ -]?\d{6}",
    ),
    _shape(
        "iban",
        r"\b([A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?)\b",
        is_iban,
        hint=r"\b[A-Z]{2}\d{2} ?[A-Z0-9]{4}",
    ),
    _shape("us-ssn", r"\b(\d{3}-\d{2}-\d{4})\b", is_social_security_number),
    _shape(
        "ip-address",
        rf"\b({_OCTET}(?:\.{_OCTET}){{3}})\b",
        is_address,
        hint=r"\d\.\d{1,3}\.\d{1,3}\.\d",
    ),
    _shape(
        "ip-address",
        rf"\b((?:{_GROUP}:){{7}}{_GROUP}|(?:{_GROUP}:){{1,6}}(?::{_GROUP}){{1,6}}"
        rf"|(?:{_GROUP}:){{1,7}}:)",
        is_address,
        hint=rf"{_GROUP}:[0-9A-Fa-f:]{{1,5}}:",
    ),
    _shape(
        "phone",
        r"(\+\d{1,3}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,4})\b",
        is_phone,
        hint=r"\+\d{1,3}[ .(-]?\d",
    ),
    _shape(
        "phone",
        r"((?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4})\b",
        is_phone,
        hint=r"\d{3}[ .-]\d{4}",
    ),
)
"""Shapes of personal data."""
