"""Phases made up in memory, from a seed, with changes planted in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fleetspan_collector._columns import Columns
from fleetspan_collector.insights.phase import Phase, Span

KINDS: Final = ("research", "ticket", "review")
"""Names of the runs that a phase has, in turn."""

_RUN: Final = {
    "run_id": pa.string(),
    "session_id": pa.string(),
    "name": pa.string(),
    "status": pa.string(),
    "start_ns": pa.int64(),
    "last_ns": pa.int64(),
    "errors": pa.int64(),
    "agents": pa.int64(),
    "llm_calls": pa.int64(),
    "tool_calls": pa.int64(),
    "unpriced_calls": pa.int64(),
    "orphan_spans": pa.int64(),
    "analysed": pa.int64(),
    "unattributed_usd": pa.float64(),
    "set_aside": pa.list_(pa.string()),
} | dict.fromkeys(
    (
        "wall_s",
        "cost_usd",
        "input_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "output_tokens",
        "complexity",
        "effort",
    ),
    pa.float64(),
)
_ERRORS: Final = pa.schema(
    [
        ("kind", pa.string()),
        ("name", pa.string()),
        ("error", pa.string()),
        ("times", pa.int64()),
        ("runs", pa.int64()),
        ("run_ids", pa.list_(pa.string())),
        ("span_ids", pa.list_(pa.string())),
    ]
)


@dataclass
class Made:
    """One run in the making: what may be planted in it.

    Attributes:
        kind: Its name.
        tool: The tool that it uses.
        tool_s: Seconds of each of its four calls of that tool.
        model_s: Seconds of its model calls together.
        usd: What these cost.
        failures: How many of its tool calls fail.
    """

    kind: str
    tool: str
    tool_s: list[float]
    model_s: float
    usd: float
    failures: int


Plant = Callable[[Made, np.random.Generator], None]


def nothing(run: Made, rng: np.random.Generator) -> None:
    """Plant nothing."""


def phase(seed: int, *, plant: Plant = nothing, runs: int = 90) -> Phase:
    """Make a phase of ended runs of one agent each."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("runs", "agents", "calls", "tools")
    }
    for number in range(runs):
        kind = KINDS[number % len(KINDS)]
        made = Made(
            kind=kind,
            tool={"research": "web_search", "ticket": "find_customer"}.get(
                kind, "git_diff"
            ),
            tool_s=rng.gamma(16, 2 / 16, 4).tolist(),
            model_s=float(rng.gamma(100, 20 / 100)),
            usd=float(rng.lognormal(np.log(0.1), 0.1)),
            failures=int(rng.random() < 0.03),
        )
        plant(made, rng)
        for name, row in _rows(f"run-{seed}-{number}", made).items():
            rows[name].append(row)
    columns = {name: Columns(pa.Table.from_pylist(each)) for name, each in rows.items()}
    table = pa.Table.from_pylist(rows["runs"]).cast(
        pa.schema(list(_RUN.items())), safe=False
    )
    return Phase(
        span=Span(since_ns=0, until_ns=1),
        runs=Columns(table),
        agents=columns["agents"],
        calls=columns["calls"],
        tools=columns["tools"],
        errors=_ERRORS.empty_table(),
        findings=[],
    )


def _rows(run_id: str, made: Made) -> dict[str, dict[str, Any]]:
    seconds = sum(made.tool_s) + made.model_s
    tokens = made.usd * 1e5
    agent, model = f"{made.kind}-agent", f"model-of-{made.kind}"
    return {
        "runs": {
            "run_id": run_id,
            "session_id": "",
            "name": made.kind,
            "status": "ok",
            "start_ns": 0,
            "last_ns": 0,
            "errors": made.failures,
            "agents": 1,
            "llm_calls": 4,
            "tool_calls": len(made.tool_s),
            "unpriced_calls": 0,
            "orphan_spans": 0,
            "analysed": 1,
            "unattributed_usd": None,
            "set_aside": [],
            "wall_s": seconds,
            "cost_usd": made.usd,
            "input_tokens": tokens,
            "cache_read_tokens": 3000.0,
            "cache_write_tokens": 0.0,
            "output_tokens": 200.0,
            "complexity": None,
            "effort": None,
        },
        "agents": {
            "run_id": run_id,
            "name": agent,
            "agents": 1,
            "timed": 1,
            "failures": 0,
            "seconds": seconds,
            "path_s": seconds,
        },
        "calls": {
            "run_id": run_id,
            "agent": agent,
            "model": model,
            "calls": 4,
            "timed": 4,
            "failures": 0,
            "seconds": made.model_s,
            "priced": 4,
            "usd": made.usd,
            "input": tokens,
            "cache_read": 3000.0,
            "cache_write": 0.0,
        },
        "tools": {
            "run_id": run_id,
            "agent": agent,
            "tool": made.tool,
            "calls": len(made.tool_s),
            "timed": len(made.tool_s),
            "failures": made.failures,
            "answered": len(made.tool_s),
            "seconds": sum(made.tool_s),
        },
    }
