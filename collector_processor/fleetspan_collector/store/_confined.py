"""What somebody who may see the rows of one tenant alone must not ask the engine.

The engine itself adds the tenant's condition to every table that has tenants (see
`Engine.reader`). What is left are tables without tenants, the engine's own tables, and
functions that look behind tables. They are found in the engine's own reading of the
statement (``EXPLAIN QUERY TREE``), which no spelling can mislead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

_TABLE: Final = re.compile(
    r"^\s*TABLE id: \d+.*?, table_name: (.+?)(?:, |$)", re.MULTILINE
)
_TABLE_FUNCTION: Final = re.compile(r"table_function_name: ([\w]+)")
_COLUMN: Final = re.compile(
    r"^\s*COLUMN id: \d+, column_name: ([^,\n]+),", re.MULTILINE
)
_FUNCTION: Final = re.compile(r"function_name: ([\w]+)")
_FIRST_WORD: Final = re.compile(r"[\s(]*(\w+)")
_SHOWN: Final = re.compile(
    r"\s*(?:SHOW\s+(?:FULL\s+)?(?:TABLES|DATABASES|COLUMNS|CREATE|FUNCTIONS|SETTINGS)\b"
    r"|EXISTS\b|DESC(?:RIBE)?\s+(?:TABLE\s+)?[\w.`\"]+\s*$)",
    re.IGNORECASE,
)
_READING: Final = frozenset({"SELECT", "WITH", "VALUES"})
_TABLE_FUNCTIONS: Final = frozenset(
    {"numbers", "numbers_mt", "zeros", "zeros_mt", "one", "values", "null", "view"}
    | {"generate_series", "generateSeries", "generateRandom"}
)
_SYSTEM: Final = frozenset(
    {"one", "numbers", "numbers_mt", "zeros", "settings", "functions", "formats"}
    | {"data_type_families", "table_functions", "table_engines", "time_zones"}
    | {"collations", "databases", "tables", "columns", "contributors", "keywords"}
    | {"build_options", "licenses", "aggregate_function_combinators"}
)
# Columns of these that count rows or bytes, which are of all tenants.
_COUNTS: Final = re.compile(
    r"rows|bytes|parts|marks|size|granul|loading|ratio", re.IGNORECASE
)
_FUNCTIONS: Final = re.compile(
    r"^(?:file|filesystem\w*|dictGet\w*|dictHas|joinGet\w*|hasColumnInTable|currentQueryID"
    r"|initialQuery\w*|getServerPort|addressTo\w*|demangle|trap|getMacro|serverUUID|uptime"
    r"|hostName|FQDN|getOSKernelVersion|buildId|zookeeper\w*|logTrace|sleep\w*)$"
)


def confined_refusal(
    query: str,
    database: str,
    with_tenants: Iterable[str],
    explain: Callable[[str], str],
) -> str | None:
    """Say why a statement is not run for one tenant; ``None`` when it may be.

    Args:
        query: What is asked, which `refusal` has let through.
        database: The database of the store.
        with_tenants: Its tables that have tenants, and the views over them.
        explain: Returns the engine's reading of a statement; raises what it raises.
    """
    if _SHOWN.match(query):
        return None
    found = _FIRST_WORD.match(query)
    first = found[1].upper() if found else ""
    if first not in _READING:
        return f"{first or 'it'} tells of more than one tenant"
    tree = explain(f"EXPLAIN QUERY TREE run_passes = 1 {query}")
    for function in _TABLE_FUNCTION.findall(tree):
        if function not in _TABLE_FUNCTIONS:
            return f"the table function {function} looks behind tables"
    for function in _FUNCTION.findall(tree):
        if _FUNCTIONS.match(function):
            return f"the function {function} tells of the machine"
    allowed = {f"{database}.{table}" for table in with_tenants}
    system = False
    for table in _TABLE.findall(tree):
        name = table.strip().replace("`", "")
        if name in allowed:
            continue
        if name.startswith("system.") and name.removeprefix("system.") in _SYSTEM:
            system = system or name in {"system.tables", "system.columns"}
            continue
        return f"the table {name} has no tenants"
    if system:
        for column in _COLUMN.findall(tree):
            if _COUNTS.search(column):
                return f"the column {column} counts rows of all tenants"
    return None
