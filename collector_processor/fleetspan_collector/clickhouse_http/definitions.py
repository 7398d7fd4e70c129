"""Statements that make and drop tables: which are run at all."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from fleetspan_collector.clickhouse_http.faults import ClickHouseFault
from fleetspan_collector.clickhouse_http.statement import unquoted

_ALLOWED: Final = re.compile(
    r"\s*(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:TABLE|VIEW|MATERIALIZED\s+VIEW|DATABASE)\b"
    r"|DROP\s+(?:TABLE|VIEW|DATABASE)\b|ALTER\s+TABLE\b|TRUNCATE\b|RENAME\s+TABLE\b"
    r"|OPTIMIZE\s+TABLE\b|EXCHANGE\s+TABLES\b|DELETE\s+FROM\b|UPDATE\b)",
    re.IGNORECASE,
)
_ENGINE: Final = re.compile(r"\bENGINE\s*=?\s*([A-Za-z]\w*)", re.IGNORECASE)
_ENGINES: Final = re.compile(
    r"(?:\w*MergeTree|Memory|Null|Log|TinyLog|StripeLog|Set|Join|View|MaterializedView"
    r"|Atomic|Ordinary)"
)
# Functions that read or write elsewhere, wherever in the statement they stand.
_ELSEWHERE: Final = re.compile(
    r"\b(?:file|url|s3\w*|gcs|hdfs\w*|azure\w*|remote\w*|cluster\w*|mysql|postgresql|mongodb"
    r"|redis|sqlite|odbc|jdbc|executable|deltaLake\w*|iceberg\w*|hudi|input|ytsaurus|paimon\w*"
    r"|fileCluster|urlCluster|s3Cluster|loop|dictionary|python)\s*\(",
    re.IGNORECASE,
)
_REFUSED: Final = re.compile(
    r"\b(?:INTO\s+OUTFILE|FROM\s+INFILE|ON\s+CLUSTER|NAMED\s+COLLECTION|STORAGE_POLICY"
    r"|(?:ATTACH|FETCH|FREEZE|UNFREEZE)\s+PART|IMPORT\b|DISK\s*=?\s*\(|disk\s*\()",
    re.IGNORECASE,
)

_TAKES_AWAY: Final = re.compile(
    r"\s*(?:DROP|RENAME|EXCHANGE)\s+(?:(DATABASE)|\w+)\b", re.IGNORECASE
)
_ONE_NAME: Final = r"[A-Za-z_]\w*|`(?:[^`\\]|\\.|``)*`|\"(?:[^\"\\]|\\.|\"\")*\""
_NAMED: Final = re.compile(rf"(?:({_ONE_NAME})\s*\.\s*)?({_ONE_NAME})")


def check_definition(text: str) -> None:
    """Refuse what reaches outside the engine's own tables.

    Raises:
        ClickHouseFault: When it does, or is of no kind that is run.
    """
    if not _ALLOWED.match(text):
        head = " ".join(text.split()[:3])[:60]
        raise ClickHouseFault.of("NOT_IMPLEMENTED", f"{head} … is not supported here")
    for pattern in (_ELSEWHERE, _REFUSED):
        found = pattern.search(text)
        if found:
            raise ClickHouseFault.of(
                "ACCESS_DENIED", f"Not allowed here: {found[0].strip()[:40]}"
            )
    for engine in _ENGINE.findall(text):
        if not _ENGINES.fullmatch(engine):
            raise ClickHouseFault.of(
                "ACCESS_DENIED", f"Not allowed here: ENGINE {engine}"
            )


def check_kept(text: str, current: str, database: str, tables: Collection[str]) -> None:
    """Refuse to take away what the collector itself works with.

    Args:
        text: The definition, which `check_definition` has let through.
        current: Where names without a database are looked for.
        database: The collector's own.
        tables: Its tables.

    Raises:
        ClickHouseFault: When it does.
    """
    found = _TAKES_AWAY.match(text)
    if found is None:
        return
    for where, name in _NAMED.findall(text, found.end()):
        table = unquoted(name)
        if found[1]:
            kept = table == database
        else:
            kept = (unquoted(where) or current) == database and table in tables
        if kept:
            raise ClickHouseFault.of(
                "ACCESS_DENIED", f"{table} is the collector's own, and stays"
            )
