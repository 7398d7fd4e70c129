"""What explaining a run reads: its dearest and longest steps, failures, and open work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fleetspan_collector.insights.asking import Asks, ask, text

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRows:
    """Rows about one run.

    Attributes:
        run: Its own row, with its analysis.
        agents: Its agents: the ones with most of the critical path first.
        costs: What agents cost, the dearest first, with their dearest call.
        steps: Its longest steps on the critical path.
        failures: What failed, most often first.
        at_work: What has begun and not ended, the latest first.
    """

    run: Row
    agents: list[Row]
    costs: list[Row]
    steps: list[Row]
    failures: list[Row]
    at_work: list[Row]


def read_run(source: Asks, run_id: str) -> RunRows | None:
    """Read a run; None when there is none of this id."""
    found = _rows(source, "explain_run", run=text(run_id))
    if not found:
        return None
    run = found[0]
    bounds = f"RunId = {text(run_id)} AND Bucket BETWEEN toDateTime({run['first_s']}) AND toDateTime({run['last_s']})"
    names = ("agents", "costs", "steps", "failures", "at_work")
    return RunRows(
        run=run,
        **{name: _rows(source, f"explain_{name}", rows=bounds) for name in names},
    )


def _rows(source: Asks, name: str, **tokens: str) -> list[Row]:
    rows: list[Row] = ask(source, name, **tokens).to_pylist()
    return rows
