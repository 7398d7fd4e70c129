"""Keeps the outcomes of runs as they are analysed: the subscriber of the outcome store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fleetspan_collector.processors.run import Run
from fleetspan_collector.routing.verdicts import Said, Verdict, read_verdicts
from fleetspan_collector.store._engine import Engine
from fleetspan_routing.complexity import classify

STATUS: Final = "status"
"""The verifier of agents of which nobody said more than that they ended."""

_TABLE: Final = "stored_outcomes"
_MOST_LEFT: Final = 2000
_QUALITIES: Final = {"ok": 1.0, "error": 0.0}
_TEXTS: Final = (
    *("Tenant", "RunId", "AgentId", "SessionId", "Workload", "Role", "Tools"),
    *("Repository", "TaskKind", "Model", "Verifier", "Asked", "Chosen"),
)
_LAYOUT: Final = pa.schema(
    [
        *((name, pa.string()) for name in _TEXTS),
        ("At", pa.timestamp("ms")),
        ("Quality", pa.float64()),
        ("CostUsd", pa.float64()),
        ("Seconds", pa.float64()),
        ("Tokens", pa.int64()),
        ("Propensity", pa.float64()),
        ("Chances", pa.map_(pa.string(), pa.float64())),
        ("Applied", pa.uint8()),
        ("Bucket", pa.timestamp("s")),
        ("Version", pa.uint64()),
        ("IsDeleted", pa.uint8()),
    ]
)
_TOKENS: Final = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens")


class OutcomeKeeper:
    """Writes the outcomes of runs that were just analysed.

    Looking at a run again writes the same rows again, with a higher version.

    Args:
        engine: A connection that this object alone uses.
        kept: Called after rows were written.

    Attributes:
        wants_live: Whether somebody waits for it, which nobody does.
    """

    wants_live = False

    def __init__(self, engine: Engine, kept: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._kept = kept
        self._left: list[Run] = []

    def analysed(self, runs: Sequence[Run], written: object = None) -> None:
        """Keep the outcomes of runs that have ended.

        What the store did not take is tried again with the next ones.

        Raises:
            ClickHouseError: When the store fails.
        """
        latest = {(run.facts.tenant, run.facts.run_id): run for run in self._left}
        latest |= {(run.facts.tenant, run.facts.run_id): run for run in runs}
        self._left = [run for run in latest.values() if not run.facts.open]
        self._left = self._left[-_MOST_LEFT:]
        if self._left:
            said = read_verdicts(self._engine, self._left)
            rows = [row for run in self._left for row in _rows(run, said)]
            self._write(rows)
        self._left = []

    def _write(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        version = time.time_ns()
        for row in rows:
            row |= {"Version": version, "IsDeleted": 0}
        self._engine.insert_arrow(_TABLE, pa.Table.from_pylist(rows, schema=_LAYOUT))
        self._kept()


def _rows(run: Run, said: Said) -> Iterator[dict[str, Any]]:
    facts, agents = run.facts, run.agents
    owners = run.tree.call_agent
    usd = run.llm_calls.floats("CostUsd")
    counted = [np.nan_to_num(run.llm_calls.floats(name)) for name in _TOKENS]
    tokens = np.sum(counted, axis=0)
    starts, ends = (agents.nanoseconds(name) for name in ("StartTime", "EndTime"))
    ids, types, names = (agents.strings(n) for n in ("AgentId", "Type", "Name"))
    models, tasks = run.llm_calls.strings("Model"), agents.strings("Task")
    spawned, status = agents.strings("SpawnToolCallId"), agents.strings("Status")
    for row in range(agents.count):
        verdict = _verdict(run, said, row, status[row])
        mine = owners == row
        model = _most(models[each] for each in np.flatnonzero(mine))
        if verdict is None or not model:
            continue
        routed = said.routed.get((facts.tenant, facts.session_id, spawned[row] or ""))
        ended = ends[row] if ends[row] > 0 else facts.last_activity_ns
        priced = usd[mine][~np.isnan(usd[mine])]
        yield {
            "Tenant": facts.tenant,
            "RunId": facts.run_id,
            "AgentId": ids[row],
            "SessionId": facts.session_id,
            "At": int(ended) // 10**6,
            "Workload": facts.service,
            "Role": types[row] or names[row],
            "Tools": routed.tools if routed else _tools(run, said, row, mine),
            "Repository": facts.project,
            "TaskKind": str(
                classify(tasks[row] or "", types[row] or "", names[row] or "")
            ),
            "Model": model,
            "Quality": verdict.quality,
            "Verifier": verdict.verifier,
            "CostUsd": float(priced.sum()) if len(priced) == mine.sum() else None,
            "Seconds": max(0.0, float(ended - starts[row]) / 1e9),
            "Tokens": int(tokens[mine].sum()),
            "Asked": routed.asked if routed else "",
            "Chosen": routed.chosen if routed else "",
            "Propensity": routed.propensity if routed else None,
            "Chances": routed.chances if routed else {},
            "Applied": int(routed.applied) if routed else None,
            "Bucket": facts.bucket_s,
        }


def _tools(run: Run, said: Said, row: int, mine: npt.NDArray[np.bool_]) -> str:
    """Which tools an agent's own span names, or the first of its calls that does."""
    calls = run.llm_calls.strings("SpanId")
    spans = [run.agents.strings("SpanId")[row]]
    spans += [calls[each] for each in np.flatnonzero(mine)]
    where = (run.facts.tenant, run.facts.trace_id)
    named = (said.tools.get((*where, span or "")) for span in spans)
    return next(filter(None, named), "")


def _most(models: Iterable[str]) -> str:
    """The model that made most of an agent's calls; ``""`` without any."""
    counted = Counter(model for model in models if model)
    return counted.most_common(1)[0][0] if counted else ""


def _verdict(run: Run, said: Said, row: int, status: str) -> Verdict | None:
    """The word that counts for an agent; of the run as a whole it is its root's."""
    facts = run.facts
    agent_id = run.agents.strings("AgentId")[row]
    is_root = run.tree.depth[row] == 0
    for group in (facts.trace_id, facts.session_id):
        names = (agent_id, "") if is_root else (agent_id,)
        for name in names:
            found = said.verdicts.get((facts.tenant, group, name))
            if group and found is not None:
                return found
    if status in _QUALITIES:
        return Verdict(quality=_QUALITIES[status], verifier=STATUS)
    return None
