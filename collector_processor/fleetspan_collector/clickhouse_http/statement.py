"""What a statement is, before the engine sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_TOKEN: Final = re.compile(
    r"(?P<gap>\s+|--[^\n]*|#[ !][^\n]*|/\*.*?\*/)"
    r"|(?P<string>'(?:[^'\\]|\\.|'')*')"
    r"|(?P<name>`(?:[^`\\]|\\.|``)*`|\"(?:[^\"\\]|\\.|\"\")*\"|[A-Za-z_]\w*)"
    r"|(?P<number>\d[\w.]*)|(?P<sign>.)",
    re.DOTALL,
)
_READS: Final = frozenset(
    ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "VALUES")
)
_DEFINES: Final = frozenset(
    ("CREATE", "DROP", "ALTER", "TRUNCATE", "RENAME", "OPTIMIZE", "DELETE", "UPDATE")
    + ("EXCHANGE", "ATTACH", "DETACH", "UNDROP")
)
_SESSION: Final = frozenset(("SET", "USE"))


class Kind(StrEnum):
    """What a statement does."""

    READ = "read"
    INSERT = "insert"
    DEFINE = "define"
    SESSION = "session"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement and what stands in it.

    Attributes:
        kind: What it does.
        text: It without its format, its settings and its data.
        first: Its first word, in capitals.
        output_format: Of a read; ``""`` when it names none.
        settings: Those that it names itself.
        table: Where an insert goes, as written, database and table.
        columns: Its columns as written, with brackets; ``""`` for all.
        input_format: Of its data; ``""`` for an insert from a query.
        query: What it inserts from; ``""`` for data.
        data: The data that stands behind it.
    """

    kind: Kind
    text: str
    first: str
    output_format: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    table: tuple[str, str] = ("", "")
    columns: str = ""
    input_format: str = ""
    query: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int
    quoted: bool

    @property
    def upper(self) -> str:
        return "" if self.quoted else self.text.upper()


class StatementError(ValueError):
    """The statement cannot be understood."""


def read_statement(text: bytes) -> Statement:
    """Tell what a statement is.

    Args:
        text: The statement; for an insert perhaps with its data.

    Raises:
        StatementError: When it is none.
    """
    # Data need not be text: what stands before it is.
    head = text.decode("latin-1")
    first = _first(head)
    if first == "INSERT":
        return _insert(text, head)
    try:
        whole = text.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise StatementError(f"it is not UTF-8: {error}") from None
    if not first:
        raise StatementError("Empty query")
    if first in _READS:
        return _read(whole, first)
    kind = Kind.OTHER
    if first in _DEFINES:
        kind = Kind.DEFINE
    elif first in _SESSION:
        kind = Kind.SESSION
    return Statement(kind=kind, text=whole.rstrip("; \n\t"), first=first)


def unquoted(name: str) -> str:
    """Return an identifier without its quotes."""
    if len(name) > 1 and name[0] in '`"' and name[-1] == name[0]:
        inside = name[1:-1].replace(name[0] * 2, name[0])
        return re.sub(r"\\(.)", r"\1", inside)
    return name


def _words(text: str, start: int = 0) -> list[_Word]:
    return [
        _Word(
            found[0],
            found.start(),
            found.end(),
            bool(found["string"]) or found[0][0] in '`"',
        )
        for found in _TOKEN.finditer(text, start)
        if not found["gap"]
    ]


def _first(text: str) -> str:
    for found in _TOKEN.finditer(text):
        if found["gap"] or found[0] == "(":
            continue
        return found[0].upper() if found["name"] else found[0]
    return ""


def _read(text: str, first: str) -> Statement:
    """Take the format and the settings off the end of a statement that reads."""
    words = _words(text)
    while words and words[-1].text == ";":
        words.pop()
    end = words[-1].end if words else 0
    output_format = ""
    settings: tuple[tuple[str, str], ...] = ()
    for _ in range(2):
        place = len(words) - 2
        if place > 0 and words[place].upper == "FORMAT" and not words[-1].quoted:
            output_format = words[-1].text
            del words[place:]
        else:
            settings, words = _trailing_settings(words, settings)
        end = words[-1].end if words else 0
    return Statement(
        kind=Kind.READ,
        text=text[:end],
        first=first,
        output_format=output_format,
        settings=settings,
    )


def _trailing_settings(
    words: list[_Word], known: tuple[tuple[str, str], ...]
) -> tuple[tuple[tuple[str, str], ...], list[_Word]]:
    """Settings at the very end: ``SETTINGS a = 1, b = 'x'``; what is otherwise stays."""
    depth = 0
    for place in range(len(words) - 1, 0, -1):
        if words[place].text == ")":
            depth += 1
        elif words[place].text == "(":
            depth -= 1
        if depth < 0:
            break
        if depth == 0 and words[place].upper == "SETTINGS":
            found = _assignments(words[place + 1 :])
            if found is None:
                break
            return (*known, *found), words[:place]
    return known, words


def _assignments(words: list[_Word]) -> list[tuple[str, str]] | None:
    found: list[tuple[str, str]] = []
    while words:
        if len(words) < 3 or words[1].text != "=":
            return None
        sign = words[2].text == "-" and len(words) > 3
        value = words[2].text + words[3].text if sign else words[2].text
        if value[0] == "'":
            value = re.sub(r"\\(.)", r"\1", value[1:-1].replace("''", "'"))
        found.append((words[0].text, value))
        words = words[4 if sign else 3 :]
        if words and words[0].text != ",":
            return None
        words = words[1:]
    return found


def _insert(text: bytes, head: str) -> Statement:
    """Read ``INSERT INTO [TABLE] [db.]table [(columns)] [SETTINGS …] …``."""
    scan = _Scan(head)
    scan.take("INSERT")
    scan.take("INTO", optional=True)
    scan.take("TABLE", optional=True)
    if scan.peek().upper == "FUNCTION":
        raise StatementError("INSERT INTO FUNCTION is not allowed")
    names = [scan.next().text]
    while scan.peek().text == ".":
        scan.next()
        names.append(scan.next().text)
    if len(names) > 2 or not re.match(r"[A-Za-z_`\"]", names[-1]):
        raise StatementError("expected INSERT INTO [db.]table")
    columns = scan.brackets() if scan.peek().text == "(" else ""
    settings: list[tuple[str, str]] = []
    while scan.take("SETTINGS", optional=True):
        settings += scan.settings()
    table = (unquoted(names[0]) if len(names) == 2 else "", unquoted(names[-1]))
    made = {
        "kind": Kind.INSERT,
        "first": "INSERT",
        "table": table,
        "columns": columns.encode("latin-1").decode("utf-8"),
    }
    following = scan.peek()
    if following.upper == "FORMAT":
        scan.next()
        name = scan.next().text
        if not name.isidentifier():
            raise StatementError("expected the name of a format after FORMAT")
        while scan.take("SETTINGS", optional=True):
            settings += scan.settings()
        data = text[scan.end :]
        return Statement(
            text=head[: scan.end],
            input_format=name,
            data=_without_break(data),
            settings=tuple(settings),
            **made,  # type: ignore[arg-type] # their types are those of the fields
        )
    if following.upper == "VALUES":
        scan.next()
        return Statement(
            text=head[: scan.end],
            input_format="Values",
            data=text[scan.end :],
            settings=tuple(settings),
            **made,  # type: ignore[arg-type]
        )
    query = text[following.start :].decode("utf-8").strip().rstrip(";")
    return Statement(
        text=head,
        query=query,
        settings=tuple(settings),
        **made,  # type: ignore[arg-type]
    )


def _without_break(data: bytes) -> bytes:
    """Data begins in the line after the format, or right behind it."""
    found = re.match(rb"[ \t]*;?[ \t]*\r?\n", data)
    return data[found.end() :] if found else data[1:] if data[:1] == b" " else data


class _Scan:
    """Walks through the words of an insert, and no further than it has to."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.end = 0

    def peek(self) -> _Word:
        place = self.end
        while found := _TOKEN.match(self._text, place):
            if not found["gap"]:
                quoted = bool(found["string"]) or found[0][0] in '`"'
                return _Word(found[0], found.start(), found.end(), quoted)
            place = found.end()
        return _Word("", len(self._text), len(self._text), False)

    def next(self) -> _Word:
        word = self.peek()
        self.end = word.end
        return word

    def take(self, word: str, *, optional: bool = False) -> bool:
        if self.peek().upper == word:
            self.next()
            return True
        if optional:
            return False
        raise StatementError(f"expected {word}, got {self.peek().text[:40]!r}")

    def brackets(self) -> str:
        start, depth = self.peek().start, 0
        while word := self.next():
            if word.text == "(":
                depth += 1
            elif word.text == ")":
                depth -= 1
                if depth == 0:
                    return self._text[start : self.end]
            elif not word.text:
                raise StatementError("a bracket is not closed")
        raise StatementError("a bracket is not closed")

    def settings(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        while True:
            name = self.next().text
            if self.next().text != "=":
                raise StatementError("expected name = value after SETTINGS")
            value = self.next().text
            if value[:1] == "'":
                value = re.sub(r"\\(.)", r"\1", value[1:-1].replace("''", "'"))
            found.append((name, value))
            if self.peek().text != ",":
                return found
            self.next()
