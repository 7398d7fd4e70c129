"""What a program did under ``fleetspan run``, as the store tells it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.run.inside._libraries import OWN, PACKAGES, SDK
from fleetspan_collector.store._sql import quote, render

# How long to ask again while the collector says that it is behind.
_PATIENCE_S: Final = 8.0
_REFUSED: Final = re.compile(
    r"^fleetspan_receiver_(?:refused_requests|rejected_items)_total(?:\{[^}]*\})? (\S+)$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the program's Python processes noted; empty for other programs.

    Attributes:
        imported: Libraries of models and agents that were imported.
        switched_on: Packages that reported them.
        left_out: Packages that would have reported the same library again, and for each
            the one that was taken.
        install: Packages that would have reported what nothing reported.
        python: The interpreter in whose environment they belong.
        problems: What failed of ours.
    """

    imported: list[str] = field(default_factory=list)
    switched_on: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    install: list[str] = field(default_factory=list)
    python: str | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What the store holds of it.

    Attributes:
        totals: The row of ``invocation_totals.sql``.
        runs: The rows of ``invocation_runs.sql``.
        slowest: The row of ``invocation_slowest.sql``, if there is one.
        complete: Whether everything acknowledged could be read.
        refused: Requests and items that the collector refused meanwhile, anybody's.
    """

    totals: Mapping[str, Any]
    runs: list[dict[str, Any]]
    slowest: Mapping[str, Any] | None
    complete: bool
    refused: int


def read(
    source: OwnerSource,
    *,
    database: str,
    invocation: str,
    since: datetime,
    refused_before: int,
) -> Used:
    """Read what the store holds, once everything acknowledged is in it.

    Args:
        source: The collector.
        database: Of the store.
        invocation: Id of the run of the command.
        since: When it began.
        refused_before: What `refused` returned then.
    """
    tokens = {
        "database": database,
        "invocation": quote(invocation),
        "since": since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
    }
    deadline = time.monotonic() + _PATIENCE_S
    (totals,) = _rows(source, "invocation_totals", tokens)
    # Each answer waits by itself for what was acknowledged before it.
    while not source.complete and time.monotonic() < deadline:
        (totals,) = _rows(source, "invocation_totals", tokens)
    complete = source.complete
    slowest = list(_rows(source, "invocation_slowest", tokens))
    return Used(
        totals=totals,
        runs=list(_rows(source, "invocation_runs", tokens)),
        slowest=slowest[0] if slowest else None,
        complete=complete,
        refused=max(0, refused(source) - refused_before),
    )


def refused(source: OwnerSource) -> int:
    """Return how many requests and items the collector has refused since its start."""
    try:
        page = source.text("/metrics")
    except CollectorError:
        return 0
    return int(sum(float(number) for number in _REFUSED.findall(page)))


def _rows(
    source: OwnerSource, name: str, tokens: dict[str, str]
) -> Iterator[dict[str, Any]]:
    answer = b"".join(source.sql(render(name, **tokens), "JSONEachRow"))
    for line in answer.splitlines():
        yield {key: _number(value) for key, value in json.loads(line).items()}


def _number(value: Any) -> Any:
    """The engine writes whole numbers of 64 bits as text."""
    is_whole = isinstance(value, str) and value.isascii() and value.isdecimal()
    return int(value) if is_whole else value


def read_notes(directory: Path) -> Inside:
    """Put together what the processes noted."""
    notes = []
    for path in sorted(directory.glob("*.json")):
        try:
            notes.append(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError):
            continue
    on = [each for note in notes for each in note["switched_on"]]
    install: dict[str, None] = {}
    python = None
    for note in notes:
        missing = _missing(note)
        if missing:
            python = python or note["python"]
            install |= dict.fromkeys(missing)
    return Inside(
        imported=sorted({each for note in notes for each in note["imported"]}),
        switched_on=sorted({each["package"] for each in on}),
        left_out={
            each["package"]: each["chosen"]
            for note in notes
            for each in note["left_out"]
        },
        install=list(install),
        python=python,
        problems=sorted({each for note in notes for each in note["problems"]}),
    )


def _missing(note: Mapping[str, Any]) -> list[str]:
    """Return what to install where a process ran, for what nothing reported there."""
    watched = {_plain(each["library"]) for each in note["switched_on"]}
    missing = []
    for module in note["imported"]:
        package = PACKAGES.get(module)
        if package is None or _plain(module) in watched:
            continue
        if _plain(package).endswith(tuple(watched or ("\0",))):
            # Its library goes by another name, such as agents: openai-agents.
            continue
        missing.append(package)
    reports = missing or watched or set(note["imported"]) & set(OWN)
    if reports and note["sending"] == "nothing":
        missing += SDK
    return list(dict.fromkeys(missing))


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
