"""What ``doctor`` says of Claude Code's feeds."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from fleetspan_collector._claude_code import HOOK_EVENTS, LOG_EVENTS, NEWEST_CLIENT
from fleetspan_collector.cli._checks import Check
from fleetspan_hook.spool import all_spools

DAYS: Final = 7
"""How far ``doctor`` looks back."""

NAME: Final = "claude code feeds"
SPOOL: Final = "claude code spool"
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_MOST_NAMED: Final = 5


def check_claude_feeds(rows: Iterable[Mapping[str, Any]]) -> Check:
    """Say what has arrived by event, and what of it is not understood.

    Args:
        rows: Of ``claude_feeds.sql``.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row["Feed"]][row["Name"]] += int(row["Count"])
    if not counts:
        return Check(name=NAME, status="ok", detail=f"nothing in {DAYS} days")
    detail = "; ".join([f"in {DAYS} days", *_arrived(counts)])
    problems = list(_problems(counts))
    if not problems:
        return Check(name=NAME, status="ok", detail=detail)
    return Check(
        name=NAME,
        status="warn",
        detail=f"{', '.join(problems)}; {detail}",
        fix='what could not be read is kept: fleetspan sql "SELECT Body FROM'
        " claude_hooks WHERE Event = ''\"; for a newer client, upgrade fleetspan",
    )


def check_spool() -> Check:
    """Say what the client's hooks have left for later on this machine."""
    spools = all_spools()
    waiting = sum(len(spool.names()) for spool in spools)
    dropped = sum(spool.dropped for spool in spools)
    refused = sum(spool.refused for spool in spools)
    detail = f"{waiting} waiting, {dropped} dropped, {refused} refused"
    if not waiting and not dropped and not refused:
        return Check(name=SPOOL, status="ok", detail="empty")
    return Check(
        name=SPOOL,
        status="warn",
        detail=detail,
        fix="fleetspan claude flush, with the collector running",
    )


def _arrived(counts: Mapping[str, Counter[str]]) -> Iterator[str]:
    hooks = +counts["hook"]
    if hooks:
        most_first = sorted(hooks.items(), key=lambda each: (-each[1], each[0]))
        named = (f"{event or 'unreadable'} {number}" for event, number in most_first)
        yield f"{hooks.total()} hooks ({', '.join(named)})"
    if counts["line"]:
        yield f"{counts['line'].total()} transcript lines"
    if counts["event"]:
        yield f"{counts['event'].total()} log events"
    versions = sorted(filter(None, counts["version"]), key=_parsed)
    if versions:
        newest = ".".join(map(str, NEWEST_CLIENT))
        later = [each for each in versions if _parsed(each) > NEWEST_CLIENT]
        text = f"client {', '.join(versions[-_MOST_NAMED:])}"
        yield f"{text} (looked at up to {newest})" if later else text


def _problems(counts: Mapping[str, Counter[str]]) -> Iterator[str]:
    for feed, what in (("hook", "malformed hooks"), ("line", "unreadable lines")):
        if counts[feed][""]:
            yield f"{counts[feed]['']} {what}"
    for feed, known, what in (
        ("hook", HOOK_EVENTS, "unknown hook events"),
        ("event", LOG_EVENTS, "unknown log events"),
    ):
        unknown = sorted(set(filter(None, counts[feed])) - known)
        if unknown:
            yield f"{what}: {', '.join(unknown[:_MOST_NAMED])}"
    # Releases come daily, and their third number says little.
    strange = [
        each
        for each in sorted(filter(None, counts["version"]))
        if _parsed(each)[:2] > NEWEST_CLIENT[:2] or not _VERSION.match(each)
    ]
    if strange:
        yield f"unknown client versions: {', '.join(strange[:_MOST_NAMED])}"


def _parsed(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)
    return tuple(map(int, found.groups())) if found else (0, 0, 0)
