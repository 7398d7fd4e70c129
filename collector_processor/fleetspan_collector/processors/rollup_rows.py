"""What agents and their sub-trees did, as rows of ``stored_agent_rollups``.

Of all runs of a batch at once: a table per run would cost more than what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleetspan_collector.processors.analysis import PROCESSORS_VERSION, Analysis
from fleetspan_collector.processors.complexity import RunComplexity
from fleetspan_collector.processors.critical_path import ledgers_of
from fleetspan_collector.processors.rollup import Rollup
from fleetspan_collector.processors.row_layouts import ROLLUPS, SECONDS

Arrays = Mapping[str, NDArray[Any]]


def rollup_rows(analyses: Sequence[Analysis]) -> pa.Table:
    """Make the rows of the agents of some runs."""
    parts = [
        _of_run(each, each.rollup)
        for each in analyses
        if each.rollup is not None and each.run.agents.count
    ]
    if not parts:
        return ROLLUPS.empty_table()
    return pa.table(
        {
            name: _array(np.concatenate([part[name] for part in parts]), kind)
            for name, kind in zip(ROLLUPS.names, ROLLUPS.types, strict=True)
        }
    )


def _of_run(analysis: Analysis, rollup: Rollup) -> Arrays:
    run = analysis.run
    facts, agents, count = run.facts, run.agents, run.agents.count
    own, tree = rollup.own, rollup.tree
    return {
        "Tenant": _repeated(facts.tenant, count),
        "RunId": _repeated(facts.run_id, count),
        **{
            name: agents.strings(name)
            for name in ("AgentId", "ParentAgentId", "Name", "Type", "Model", "Status")
        },
        "TaskKind": _kinds(analysis, count),
        "StartTime": agents.nanoseconds("StartTime"),
        "Depth": np.minimum(run.tree.depth, 2**16 - 1),
        "FanOut": rollup.fan_out,
        "TreeAgents": tree.agents,
        "LlmCalls": own.llm_calls,
        "TreeLlmCalls": tree.llm_calls,
        "ToolCalls": own.tool_calls,
        "TreeToolCalls": tree.tool_calls,
        "Errors": own.errors,
        "TreeErrors": tree.errors,
        "Tokens": own.tokens,
        "TreeTokens": tree.tokens,
        "CostUsd": own.usd,
        "TreeCostUsd": tree.usd,
        **_ledger(analysis, count),
        "ProcessorsVersion": np.full(count, PROCESSORS_VERSION),
        "Bucket": np.full(count, facts.bucket_s),
    }


def _repeated(text: str, count: int) -> NDArray[np.object_]:
    return np.full(count, text, dtype=object)


def _kinds(analysis: Analysis, count: int) -> NDArray[np.object_]:
    if not isinstance(analysis.complexity, RunComplexity):
        return _repeated("", count)
    return np.array(analysis.complexity.agent_kinds(), dtype=object)


def _ledger(analysis: Analysis, count: int) -> Arrays:
    if analysis.path is None:
        names = ("WallSeconds", *SECONDS.values(), "PathSeconds", "SlackSeconds")
        return dict.fromkeys(names, np.full(count, np.nan))
    ledgers = ledgers_of(analysis.run)
    return {
        "WallSeconds": ledgers.wall_s,
        **{name: ledgers.seconds[kind] for kind, name in SECONDS.items()},
        "PathSeconds": ledgers.path_s,
        "SlackSeconds": ledgers.slack_s,
    }


def _array(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    if values.dtype.kind == "f":
        if pa.types.is_integer(kind):
            # Sums of numbers that nobody can have used may be beyond what fits.
            whole = np.clip(np.nan_to_num(values), -(2.0**62), 2.0**62)
            return pa.array(whole.astype(np.int64), mask=np.isnan(values)).cast(kind)
        # NaN is unknown.
        return pa.array(values, kind, from_pandas=True)
    return pa.array(values, kind)
