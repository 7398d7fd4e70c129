"""Redacts attributes: their keys, their values, and what only the key gives away."""

from __future__ import annotations

import re
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from fleetspan._redaction import Redactor, passes
from fleetspan._secret_kinds import SECRET_NAME

from ._finder import Finder

_SECRET_NAME: Final = re.compile(SECRET_NAME.encode())
_PASSWORD_NAME: Final = re.compile(rb"(?i)pass|pwd")
_SHORTEST_SECRET: Final = 8
_SHORTEST_PASSWORD: Final = 4


class Values:
    """Redacts OTLP values.

    Args:
        redactor: Replaces what is found in text.
        finder: Tells whether text is worth a look.
        secrets: Whether the name of an attribute may give its value away.
    """

    def __init__(self, redactor: Redactor, finder: Finder, *, secrets: bool) -> None:
        self._redactor = redactor
        self._finder = finder
        self._secrets = secrets

    def text(self, data: bytes) -> bytes:
        """Return text without what is to be redacted, in UTF-8."""
        if not self._finder.suspects(data):
            return data
        return self._redactor.clean(data)

    def key_value(self, data: bytes) -> bytes:
        """Return the bytes of an attribute."""
        attribute = KeyValue.FromString(data)
        return attribute.SerializeToString() if self._attribute(attribute) else data

    def any_value(self, data: bytes) -> bytes:
        """Return the bytes of a value."""
        value = AnyValue.FromString(data)
        return value.SerializeToString() if self._value(value, "") else data

    def _attribute(self, attribute: Any) -> bool:
        key = attribute.key.encode()
        named = self.named(key) if self._secrets else ""
        changed = self._value(attribute.value, named)
        clean = self.text(key)
        if clean is not key:
            attribute.key = clean.decode()
            return True
        return changed

    def _value(self, value: Any, named: str) -> bool:
        """Redact a value in place; with the kind that its name gives it, all of it."""
        kind = value.WhichOneof("value")
        if kind == "string_value":
            text = value.string_value.encode()
            clean = self._named(text, named) if named else self.text(text)
            if clean is text:
                return False
            value.string_value = clean.decode()
            return True
        if kind == "bytes_value":
            data = value.bytes_value
            clean = self._redactor.clean(data)
            if clean is data:
                return False
            value.bytes_value = clean
            return True
        # In a list: every one is looked at, also after one that was changed.
        if kind == "array_value":
            return any([self._value(each, named) for each in value.array_value.values])  # noqa: C419
        if kind == "kvlist_value":
            return any([self._attribute(each) for each in value.kvlist_value.values])  # noqa: C419
        if named == "password" and kind in ("int_value", "double_value"):
            number = str(getattr(value, kind)).encode()
            value.string_value = self._redactor.whole(named, number).decode()
            return True
        return False

    def named(self, key: bytes) -> str:
        """Return the kind of secret that a name tells of, else ``""``."""
        if not _SECRET_NAME.search(key):
            return ""
        return "password" if _PASSWORD_NAME.search(key) else "api-key"

    def _named(self, text: bytes, named: str) -> bytes:
        shortest = _SHORTEST_PASSWORD if named == "password" else _SHORTEST_SECRET
        if len(text) < shortest or not passes("value", text):
            return self.text(text)
        return self._redactor.whole(named, text)
