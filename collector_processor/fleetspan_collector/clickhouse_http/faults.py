"""Errors as ClickHouse gives them: code, text, status."""

from __future__ import annotations

import re
from typing import Final, Self

_CODES: Final = {
    "CANNOT_PARSE_NUMBER": 72,
    "SYNTAX_ERROR": 62,
    "UNKNOWN_DATABASE": 81,
    "UNKNOWN_SETTING": 115,
    "READONLY": 164,
    "TOO_MANY_SIMULTANEOUS_QUERIES": 202,
    "UNKNOWN_FORMAT": 73,
    "SESSION_NOT_FOUND": 372,
    "SESSION_IS_LOCKED": 373,
    "UNKNOWN_COMPRESSION_METHOD": 89,
    "CANNOT_DECOMPRESS": 271,
    "CHECKSUM_DOESNT_MATCH": 40,
    "ACCESS_DENIED": 497,
    "AUTHENTICATION_FAILED": 516,
    "NOT_IMPLEMENTED": 48,
    "RESULT_IS_TOO_LARGE": 396,
    "TOO_MANY_BYTES": 307,
}
# As ClickHouse's own HTTP interface maps them; everything else is 500.
_STATUS: Final = {
    **dict.fromkeys(
        (62, 72, 73, 40, 36, 89, 271, 26, 27, 41, 43, 46, 47, 53, 117), 400
    ),
    **dict.fromkeys((115, 42, 215, 6, 69, 386, 70, 457, 456), 400),
    **dict.fromkeys((60, 81, 16, 46), 404),
    **dict.fromkeys((497, 164, 344), 403),
    516: 403,
    159: 408,
    202: 503,
    396: 500,
    48: 501,
    241: 500,
    307: 413,
    372: 404,
    373: 409,
}
_TEXT: Final = re.compile(r"Code: (\d+)\. (?:DB::Exception: )?(.*)", re.DOTALL)
_TRAILING: Final = re.compile(r"\s*\(version [^)]*\)\.?(?:\s*\([A-Z_]+\))?\s*$")


class ClickHouseFault(Exception):  # noqa: N818 - ClickHouse calls it an exception
    """What is answered instead of a result.

    Attributes:
        code: ClickHouse's number.
        text: As ClickHouse writes it, without its version.
    """

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(text)

    @classmethod
    def of(cls, name: str, message: str) -> Self:
        """Make one of ours."""
        return cls(
            _CODES[name], f"Code: {_CODES[name]}. DB::Exception: {message}. ({name})"
        )

    @classmethod
    def from_engine(cls, error: BaseException) -> Self:
        """Make one of what the engine says."""
        message = str(error)
        begins = message.find("Code: ")
        found = _TEXT.match(message[begins:]) if begins >= 0 else None
        if found is None:
            text = message.splitlines()[0][:500] if message else type(error).__name__
            return cls(1002, f"Code: 1002. DB::Exception: {text}. (UNKNOWN_EXCEPTION)")
        code, text = int(found[1]), found[2]
        # The engine wraps its own text in itself.
        inner = _TEXT.match(text)
        if inner is not None and int(inner[1]) == code:
            text = inner[2]
        text = _TRAILING.sub("", text.strip())
        return cls(code, f"Code: {code}. DB::Exception: {text}")

    @property
    def status(self) -> int:
        """The status of the HTTP answer."""
        return _STATUS.get(self.code, 500)

    def body(self, version: str) -> bytes:
        """The text of the answer."""
        return f"{self.text} (version {version} (official build))\n".encode()
