"""Moments that others ask for: applications, and Claude Code before it compacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.batch import RunKey
from fleetspan_collector.processors.run import Run
from fleetspan_collector.snapshots.moment import Moment, State, Trigger
from fleetspan_collector.snapshots.statements import rows_of
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.conditions import condition_on

_SAME_HOOK_NS: Final = 1_000_000_000
"""A hook that is sent by two ways, as a plugin and settings can, arrives twice."""

_HOOKS: Final = "hook"


class Requests:
    """Reads what was asked for.

    Args:
        engine: A connection that its owner uses from one thread at a time.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(
        self, runs: Sequence[Run], settings: ProcessorSettings
    ) -> Mapping[RunKey, list[Moment]]:
        """Return the moments that others ask for, of each run that has some.

        Raises:
            ClickHouseError: When the store fails.
        """
        found: dict[RunKey, list[Moment]] = {}
        for key, moment in self._all(runs, settings):
            found.setdefault(key, []).append(moment)
        return found

    def _all(
        self, runs: Sequence[Run], settings: ProcessorSettings
    ) -> Iterator[tuple[RunKey, Moment]]:
        yield from self._asked(runs)
        if settings.snapshot_before_compaction:
            yield from self._compactions(runs, settings.snapshot_limit)

    def _asked(self, runs: Sequence[Run]) -> list[tuple[RunKey, Moment]]:
        keys = {_key(run): run for run in runs}
        traces = {
            (run.facts.tenant, run.facts.trace_id): run
            for run in runs
            if run.facts.trace_id
        }
        condition = condition_on(keys, "RunId")
        if traces:
            condition = f"({condition}) OR {condition_on(traces, 'TraceId')}"
        found = []
        for row in rows_of(self._engine, "snapshot_requests", runs=condition):
            run = keys.get((row["Tenant"], row["RunId"]))
            if run is None:
                run = traces.get((row["Tenant"], row["TraceId"]))
                # A trace may hold several runs: it is that of the agent.
                if run is None or row["AgentId"] not in run.agents.strings("AgentId"):
                    continue
            found.append((_key(run), _asked(row)))
        return found

    def _compactions(
        self, runs: Sequence[Run], limit: int
    ) -> list[tuple[RunKey, Moment]]:
        sessions = [
            _key(run)
            for run in runs
            if run.facts.session_id == run.facts.run_id and _HOOKS in run.facts.sources
        ]
        if not sessions:
            return []
        found: list[tuple[RunKey, Moment]] = []
        counts: dict[RunKey, int] = {}
        last: dict[RunKey, int] = {}
        condition = condition_on(sessions, "SessionId")
        for row in rows_of(self._engine, "snapshot_compactions", sessions=condition):
            key = (row["Tenant"], row["SessionId"])
            if row["At"] - last.get(key, -_SAME_HOOK_NS) < _SAME_HOOK_NS:
                continue
            last[key] = row["At"]
            counts[key] = counts.get(key, 0) + 1
            by = f" ({row['By']})" if row["By"] else ""
            moment = Moment(
                trigger=Trigger.COMPACTION,
                place=str(counts[key]),
                # Just before: the compaction itself is not among what runs.
                at_ns=row["At"] - 1,
                reason=f"the context is about to be compacted{by}",
                agent_id=row["AgentId"] or row["SessionId"],
            )
            found.append((key, moment))
        return [each for each in found if int(each[1].place) > counts[each[0]] - limit]


def _key(run: Run) -> RunKey:
    return run.facts.tenant, run.facts.run_id


def _asked(row: Mapping[str, Any]) -> Moment:
    return Moment(
        trigger=Trigger.SDK,
        place=row["RequestId"],
        at_ns=row["At"],
        reason=row["Reason"],
        name=row["Name"],
        agent_id=row["AgentId"],
        state=State(
            kind=row["StateKind"],
            hash=row["StateHash"],
            size_bytes=int(row["StateBytes"]),
            chunks=tuple(row["StateChunks"]),
        ),
    )
