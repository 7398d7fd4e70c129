"""What ``doctor`` says of destinations that telemetry is forwarded to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fleetspan_collector.cli._checks import Check

NAME: Final = "forwarding"


def check_forwarding(lags: Sequence[Mapping[str, Any]]) -> Check:
    """Look at how far each destination has come.

    Args:
        lags: ``forwarding`` of ``/api/v1/coverage``.
    """
    if not lags:
        return Check(name=NAME, status="ok", detail="no destinations")
    told = []
    for lag in lags:
        if lag["problem"]:
            behind = f"{lag['waiting_bytes']} bytes behind, {lag['lag_s']:.0f} s"
            told.append(
                f"{lag['destination']} takes nothing ({behind}): {lag['problem']}"
            )
        elif lag["dropped_records"]:
            told.append(
                f"{lag['destination']}: {lag['dropped_records']} requests were given up"
            )
    if not told:
        count = len(lags)
        detail = f"{count} destination{'s' if count > 1 else ''} up to date"
        return Check(name=NAME, status="ok", detail=detail)
    return Check(
        name=NAME,
        status="warn",
        detail="; ".join(told),
        fix="see its address and its keys in forward: fleetspan config show --origin",
    )
