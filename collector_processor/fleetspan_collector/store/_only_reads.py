"""What ``readonly = 1`` lets through and a reader must not do.

Seen in the embedded engine 26.9 under ``readonly = 1``: ``SELECT file('/etc/passwd')``
reads any file, ``INTO OUTFILE`` writes one, ``KILL QUERY`` ends the collector's own
statements, and ``DESCRIBE url(…)`` opens what it describes. These are looked for in the
whole text, strings and comments too: a query that only talks of them is refused as
well, but none can be hidden from the search.
"""

from __future__ import annotations

import re
from typing import Final

# The engine takes these for white space too.
_SPACE: Final = r"[\s\u180e\u200b\u2060\ufeff]"
_GAP: Final = rf"(?:{_SPACE}|/\*.*?\*/|(?:--|//|\#)[^\n]*\n)"
_REFUSED: Final = {
    "file() reads files of this machine": rf"\bfile{_GAP}*\(",
    "INTO OUTFILE writes a file": r"\bOUTFILE\b",
    "KILL ends the statements of others": rf"\bKILL\b{_GAP}+\w",
    "DESCRIBE of a table function opens its files and addresses": (
        rf"\bDESC(?:RIBE)?{_GAP}+(?:TABLE{_GAP}+)?\w+{_GAP}*\("
    ),
    "a quoted name is not called as a function": rf"[`\"]{_GAP}*\(",
}
_PATTERNS: Final = {
    reason: re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for reason, pattern in _REFUSED.items()
}
_READING: Final = frozenset(
    ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "VALUES")
)
_TOKEN: Final = re.compile(
    rf"(?P<gap>{_GAP}+|(?:--|//|\#)[^\n]*$)"
    r"|'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|\"(?:[^\"\\]|\\.|\"\")*\""
    r"|(?P<word>\w+)|(?P<end>;)|.",
    re.DOTALL,
)


def refusal(query: str) -> str | None:
    """Say why a statement is not run, or ``None`` when it may be tried.

    Args:
        query: What a reader asks for.
    """
    for reason, pattern in _PATTERNS.items():
        if pattern.search(query):
            return reason
    first, ended = "", False
    for token in _TOKEN.finditer(query):
        if token["gap"]:
            continue
        if ended:
            return "it is more than one statement"
        ended = bool(token["end"])
        if not first and token[0] != "(":
            first = token[0].upper()
    if first not in _READING:
        return f"it begins with {first[:40] or 'nothing'}, expected SELECT or SHOW"
    return None
