"""No-progress loop: an agent does again and again what has just led to the same result.

**Rule.** Tool calls of one agent, in their order. A call *repeats* when the agent has made
the same call (tool and hash of the arguments) with the same outcome within its last
`_WINDOW` calls. The outcome is the error, with numbers and ids taken out, of a call that
failed, else the hash of the result. A stretch of repeats, together with the calls right
before it that they repeat, is a loop when it holds at most `_LONGEST_CYCLE` different calls
and each of them ``detect_no_progress_loop_times`` times on average: ``A A A``, ``A B A B A
B``, in whatever order. Anything new in between is progress and ends the stretch, and so do
``detect_no_progress_loop_pause_s`` seconds without a call: whoever looks again after minutes
is waiting for something.

Calls without a hash of their arguments, and those with neither a hash of the result nor an
error, count as progress: that they made none cannot be shown. The `_MOST` longest loops of
a run are told.

**Source.** On 500 public runs a command was repeated in 98.4 % of those that failed and of
those that did not alike, and in 3.2 % the same command had the same output twice in a row.
Of the 239 of them that are at hand, it had three times in none.

**Evidence.** The calls of the stretch, the first round included, and the model calls that
asked for the repeats.

**Saving.** The run without the repeats and the model calls between them (`what_if`), and
what later calls would have cost less without carrying them along (`_carried`).

**False alarms.** At most 5 % of healthy runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import Removed, what_if
from fleetspan_collector.processors.detectors._carried import carried_usd
from fleetspan_collector.processors.detectors._conversation import (
    askers_of,
    conversations_of,
    ends_of,
    numbered,
    previous_of_same,
)
from fleetspan_collector.processors.detectors._wording import agent_name
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import NONE, Indexes, Run

_WINDOW: Final = 8
_LONGEST_CYCLE: Final = 4
_MOST: Final = 10
_CHANGING: Final = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+", re.IGNORECASE)


class NoProgressLoop:
    """Finds stretches of tool calls that only repeat; see the module.

    Args:
        settings: Thresholds.
    """

    name = "no_progress_loop"
    live = True

    def __init__(self, settings: ProcessorSettings) -> None:
        self._times = settings.detect_no_progress_loop_times
        self._pause_ns = int(settings.detect_no_progress_loop_pause_s * 1e9)

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        if run.tool_calls.count < self._times:
            return
        signatures = _signatures(run, self._times)
        if signatures is None:
            return
        agent = run.tree.tool_agent
        order = np.argsort(agent, kind="stable")
        signatures = signatures[order]
        loops = []
        for start, end in self._stretches(run, agent[order], signatures, order):
            kinds, first = np.unique(signatures[start:end], return_index=True)
            rounds = (end - start) / len(kinds)
            if len(kinds) <= _LONGEST_CYCLE and rounds >= self._times:
                block = order[start:end]
                loops.append((block[np.sort(first)], np.delete(block, first)))
        loops.sort(key=lambda loop: -len(loop[1]))
        for first, repeats in loops[:_MOST]:
            yield _finding(run, first, repeats)

    def _stretches(
        self, run: Run, agent: Indexes, signature: Indexes, order: Indexes
    ) -> Iterable[tuple[int, int]]:
        """Places in the order, begin and end, of calls that all repeat."""
        places = np.arange(len(order))
        previous = previous_of_same(agent * (len(order) + 1) + signature)
        repeats = (previous != NONE) & (places - previous <= _WINDOW)
        starts = run.tool_calls.nanoseconds("StartTime")[order]
        ends = ends_of(starts, run.tool_calls.floats("DurationMs")[order])
        joined = np.zeros(len(order), dtype=bool)
        joined[1:] = (agent[1:] == agent[:-1]) & (
            starts[1:] - ends[:-1] <= self._pause_ns
        )
        repeats &= joined
        edges = np.diff(np.concatenate(([0], repeats.astype(np.int8), [0])))
        begins, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True):
            kinds = set(signature[begin:stop].tolist())
            first = begin
            while (
                begin - first < _LONGEST_CYCLE
                and joined[first]
                and int(signature[first - 1]) in kinds
            ):
                first -= 1
            if stop - first >= self._times:
                yield first, stop


def _signatures(run: Run, times: int) -> Indexes | None:
    """Number tool calls by call and outcome; None when none is there so many times.

    A call that nothing can be said of has a number of its own.
    """
    tools = run.tool_calls
    arguments = tools.strings("ArgumentsHash")
    asked = numbered(tools.strings("Tool"), arguments)
    if np.bincount(asked).max() < times:
        return None
    outcome = tools.strings("ResultHash")
    failed = np.flatnonzero(tools.floats("Success") == 0)
    if len(failed):
        errors = tools.strings("Error")
        outcome = outcome.copy()
        for row in failed.tolist():
            if errors[row]:
                outcome[row] = "!" + _CHANGING.sub("#", errors[row][:1000])
    ended = ~np.isnan(tools.floats("DurationMs")) | (outcome != "")
    told = (arguments != "") & (outcome != "") & ended
    numbers = asked * (tools.count + 1) + numbered(outcome)
    _, numbers = np.unique(numbers, return_inverse=True)
    if np.bincount(numbers).max() < times:
        return None
    unknown = np.flatnonzero(~told)
    numbers[unknown] = tools.count + 1 + np.arange(len(unknown))
    _, dense = np.unique(numbers, return_inverse=True)
    return dense.astype(np.int64)


def _finding(run: Run, first: Indexes, repeats: Indexes) -> Finding:
    tools = run.tool_calls
    agent = int(run.tree.tool_agent[repeats[0]])
    calls = _wasted_calls(run, first, repeats)
    saved = what_if(
        run, Removed(tools=tuple(repeats.tolist()), calls=tuple(calls.tolist()))
    )
    row = int(repeats[0])
    outcome = "error" if tools.floats("Success")[row] == 0 else "result"
    names = sorted(set(tools.strings("Tool")[repeats].tolist()))
    times = len(repeats) // len(first) + 1
    who = agent_name(run, agent) if agent != NONE else "The run"
    calls_of = f"made a round of {len(first)} calls of" if len(first) > 1 else "called"
    return Finding(
        location=tools.strings("ToolCallId")[row],
        severity=Severity.HIGH if run.facts.open else Severity.MEDIUM,
        what=f"{who} {calls_of} {' and '.join(names)} {times} times with the same "
        f"arguments and the same {outcome}, and nothing new in between.",
        advice="Stop the agent when a call brings the same result again, or have the tool "
        "say that nothing has changed and what else to try; what waits should wait longer.",
        agents=(agent,) if agent != NONE else (),
        calls=tuple(calls.tolist()),
        tools=(*first.tolist(), *repeats.tolist()),
        seconds=saved.saved_s,
        usd=None
        if saved.saved_usd is None
        else saved.saved_usd + carried_usd(run, calls),
        details={
            "times": times,
            "different_calls": len(first),
            "repeats": len(repeats),
            "outcome": outcome,
        },
    )


def _wasted_calls(run: Run, first: Indexes, repeats: Indexes) -> Indexes:
    """The model calls that only led to repeats."""
    askers = askers_of(run)
    last = int(askers[repeats[-1]])
    if last == NONE:
        return np.empty(0, dtype=np.int64)
    return np.setdiff1d(
        conversations_of(run).between(int(askers[first[0]]), last), askers[first]
    )
