"""What ``doctor`` says of those who are told of findings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fleetspan_collector.cli._checks import Check
from fleetspan_collector.insights.asking import Asks
from fleetspan_collector.store import _sql

NAME: Final = "deliveries"
HOURS: Final = 24
"""How far ``doctor`` looks back."""

_MOST_CHARACTERS: Final = 80
_FORMAT: Final = "JSONEachRow"


def check_deliveries(source: Asks, database: str) -> Check:
    """Say whether hooks and the OTLP endpoint have been told what they are to be told.

    Args:
        source: Where to read.
        database: The store's database.

    Raises:
        CollectorError: When it cannot be read.
    """
    query = _sql.render("delivery_health", database=database, hours=str(HOURS))
    text = b"".join(source.sql(query, _FORMAT))
    return check_of(json.loads(line) for line in text.splitlines())


def check_of(rows: Iterable[Mapping[str, Any]]) -> Check:
    """Make the check of rows of ``delivery_health.sql``."""
    told, failing = [], []
    for row in rows:
        delivered, lost = int(row["Delivered"]), int(row["Lost"])
        text = f"{row['Destination']} {delivered} delivered"
        if lost:
            text += f", {lost} not"
        if row["LastOutcome"] == "delivered" and not lost:
            told.append(text)
        else:
            failing.append(f"{text}, last: {_last(row)}")
    if not told and not failing:
        return Check(name=NAME, status="ok", detail=f"none in {HOURS} hours")
    detail = f"in {HOURS} hours: {'; '.join(failing + told)}"
    if not failing:
        return Check(name=NAME, status="ok", detail=detail)
    return Check(
        name=NAME,
        status="warn",
        detail=detail,
        fix='see why: fleetspan sql "SELECT * FROM deliveries WHERE Outcome !='
        " 'delivered' ORDER BY At DESC LIMIT 20\"; then correct notify_hooks or"
        " notify_otlp_endpoint",
    )


def _last(row: Mapping[str, Any]) -> str:
    parts = [str(row["LastOutcome"])]
    if row["LastCode"] is not None:
        parts.append(str(row["LastCode"]))
    answer = " ".join(str(row["LastAnswer"]).split())[:_MOST_CHARACTERS]
    if answer:
        parts.append(f"({answer})")
    return " ".join(parts)
