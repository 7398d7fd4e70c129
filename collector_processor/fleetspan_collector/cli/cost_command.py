"""``fleetspan cost``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._cost_reading import read_store, read_transcripts
from fleetspan_collector.cli._cost_table import cost_table
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._since import parse_since, parse_until
from fleetspan_collector.cli._source import OwnerSource, find_owner, open_source
from fleetspan_collector.cli._spending import (
    OTHERS,
    TIMES,
    Line,
    Spending,
    group,
    rfc3339,
)
from fleetspan_collector.cli._text import plain, usd
from fleetspan_collector.config import Settings

_EVER_NS: Final = (1 << 63) - 1
_KINDS: Final = (*TIMES, *OTHERS)

By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        help=f"{', '.join(_KINDS)}; may be repeated. Weeks begin on Monday; a block is"
        " the client's five hours.",
        metavar="WHAT",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", help="From then on: 3d, 2h, a date or RFC 3339.", metavar="WHEN"
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", help="Before then; a date belongs to it whole.", metavar="WHEN"
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        "--timezone", help="Zone in which days begin; this machine's.", metavar="NAME"
    ),
]
Transcripts = Annotated[
    bool,
    typer.Option(
        "--transcripts",
        help="Read the local transcripts, or those in PATH, and not what is stored.",
    ),
]
Path_ = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]",
        help="With --transcripts: a transcript, or a folder of them.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class _Figures:
    """What was read.

    Attributes:
        spending: What was spent.
        source: ``collector``, ``store`` or ``transcripts``.
        where: Where that is.
        price_version: The prices, where they were looked up just now.
    """

    spending: Spending
    source: str
    where: str
    price_version: str | None = None


def cost(
    invocation: Invocation,
    path: Path_ = None,
    by: By = None,
    since: Since = None,
    until: Until = None,
    timezone: Timezone = None,
    transcripts: Transcripts = False,
) -> None:
    """Show what was spent, by day unless --by says otherwise.

    Reads what is stored. With no collector and no store it reads Claude Code's own
    transcripts on this machine, with the same prices. Tokens of unknown number and
    calls of unknown cost are left out of the sums, and marked.
    """
    kinds = _kinds(by)
    zone = _zone(timezone)
    begin = parse_since(since, zone=zone)
    end = parse_until(until, zone=zone)
    bounds = (_nanoseconds(begin, 0), _nanoseconds(end, _EVER_NS))
    settings = invocation.load().settings
    if path is not None and not transcripts:
        raise UsageError(
            f"{str(path)!r} cannot be used",
            because="a path is for transcripts",
            suggestion=f"fleetspan cost --transcripts {path}",
        )
    if transcripts or not _has_store(settings):
        figures = _from_transcripts(invocation, settings, path, bounds)
    else:
        figures = _from_store(settings, kinds, bounds)
    lines, totals = group(figures.spending, kinds, zone)
    now = time.time_ns()
    if invocation.json:
        invocation.write_json(
            {
                "by": kinds,
                "timezone": timezone,
                "week_starts_on": "monday",
                "since": None if begin is None else rfc3339(bounds[0]),
                "until": None if end is None else rfc3339(bounds[1]),
                "source": {"kind": figures.source, "where": figures.where},
                "price_version": figures.price_version,
                "rows": [_row(line, now) for line in lines],
                "totals": totals,
            }
        )
    elif not lines:
        invocation.err.print("no calls")
    else:
        out = invocation.out
        out.print(cost_table(lines, totals, kinds, zone, out.width))
        _say_rate(invocation, lines, zone, now)


def _kinds(by: Sequence[str] | None) -> list[str]:
    kinds = [word.strip() for each in by or ["day"] for word in each.split(",")]
    for kind in kinds:
        if kind not in _KINDS:
            raise UsageError(
                f"--by {kind!r} cannot be used",
                because=f"expected one of {', '.join(_KINDS)}",
                suggestion="fleetspan cost --by day --by model",
            )
    return list(dict.fromkeys(kinds))


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise UsageError(
            f"--timezone {name!r} cannot be used",
            because="there is no time zone of that name",
            suggestion="--timezone Europe/Berlin or --timezone UTC",
        ) from None


def _nanoseconds(moment: datetime | None, otherwise: int) -> int:
    if moment is None:
        return otherwise
    return max(0, int(moment.timestamp() * 1_000_000) * 1000)


def _has_store(settings: Settings) -> bool:
    path = settings.store.path
    return path is None or path.exists() or find_owner(settings) is not None


def _from_store(
    settings: Settings, kinds: Sequence[str], bounds: tuple[int, int]
) -> _Figures:
    with open_source(settings) as source:
        spending = read_store(source, kinds, *bounds)
    if isinstance(source, OwnerSource):
        return _Figures(spending, "collector", source.web)
    address = settings.store
    return _Figures(spending, "store", str(address.path or address.host))


def _from_transcripts(
    invocation: Invocation,
    settings: Settings,
    path: Path | None,
    bounds: tuple[int, int],
) -> _Figures:
    # Here, because it brings the engine, which asking a collector does not need.
    from fleetspan_collector.transcripts import default_folders

    places = default_folders() if path is None else [path]
    if not places or (path is not None and not path.exists()):
        missing = "no folder of Claude Code's" if path is None else f"no {path}"
        raise UsageError(
            "there is nothing to read",
            because=f"there is no store, and {missing} on this machine"
            if path is None
            else f"there is {missing}",
            suggestion="fleetspan up, or fleetspan cost --transcripts PATH",
        )
    where = ", ".join(str(place) for place in places)
    found = read_transcripts(places, settings, *bounds)
    spending, version, files, unreadable = found
    invocation.err.print(
        f"from {files} transcripts in {plain(where)}; prices: {version}"
    )
    for place, reason in list(unreadable.items())[:3]:
        invocation.err.print(f"not read: {plain(str(place))}: {plain(reason)}")
    return _Figures(spending, "transcripts", where, version)


def _row(line: Line, now: int) -> dict[str, object]:
    row: dict[str, object] = {
        _NAMES.get(name, name): value for name, value in line.labels.items()
    }
    row |= line.amounts
    row |= {"first_call_at": rfc3339(line.first), "last_call_at": rfc3339(line.last)}
    if line.block is not None:
        rate, projection = line.block.rate_and_projection(line.amounts["cost_usd"], now)
        row |= {
            "block_ends_at": rfc3339(line.block.end),
            "active": line.block.is_active(now),
            "cost_per_hour_usd": rate,
            "projected_cost_usd": projection,
        }
    return row


_NAMES: Final = {
    "session": "session_id",
    "agent": "agent_id",
    "run": "run_id",
    "agent-name": "agent_name",
    "agent-type": "agent_type",
}
"""Fields of JSON documents, where a grouping has another name."""


def _say_rate(
    invocation: Invocation, lines: Sequence[Line], zone: tzinfo | None, now: int
) -> None:
    """Say how fast the block that goes on is being spent, if it is not divided further."""
    active = [line for line in lines if line.block and line.block.is_active(now)]
    if len(active) != 1 or active[0].block is None:
        return
    block = active[0].block
    rate, projection = block.rate_and_projection(active[0].amounts["cost_usd"], now)
    if rate is None or projection is None:
        return
    end = datetime.fromtimestamp(block.end // 1_000_000_000, zone)
    invocation.out.print(
        f"this block: {usd(rate)} an hour, {usd(projection)} by {end:%H:%M} at that rate"
    )
