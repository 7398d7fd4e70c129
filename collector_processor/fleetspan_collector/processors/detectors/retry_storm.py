"""The same thing tried again and again within a short time, in vain.

**Rule.** At least ``detect_retry_storm_attempts`` failed attempts, each begun within
``detect_retry_storm_window_s`` of the end of the one before. Attempts are

- failed model calls of one agent with no other call of it between them, and the attempts
  within a call that says how many it took (``Attempts``);
- failed calls of one tool with the same arguments and the same error (numbers apart) by
  one agent, where its model was not asked between them: a program repeats them. Where the
  model was asked and still does the same, it is a ``no_progress_loop``.

**Threshold.** Four errors in a row are seen in 2.8 % of 500 recorded runs, half of which
failed (`routing_data.md`, 3: 50 % against 26 % of all); three are common. Two minutes are
twice the longest wait, of 60 s, at which libraries usually stop to double it.

**Evidence.** The attempts, and the call that came after them.

**Saving.** `what_if` none of the attempts and none of the waits between them had been; what
they cost, as far as they were billed (`_attempt_costs`).

**False alarms.** At most 5 % of healthy runs: polling that tells "not yet" as an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import (
    Lasts,
    Removed,
    WithoutWait,
    timeline_of,
    what_if,
)
from fleetspan_collector.processors.detectors._attempt_costs import attempts_usd
from fleetspan_collector.processors.detectors._bounds import SHOWN, largest
from fleetspan_collector.processors.detectors._failures import (
    failed_calls,
    failures_of,
    without_calls,
)
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run

_NUMBERS = re.compile(r"\d+")


class RetryStorm:
    """Finds attempts that are repeated in vain."""

    name = "retry_storm"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._attempts = settings.detect_retry_storm_attempts
        self._window_s = settings.detect_retry_storm_window_s

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        calls, tools = self._call_chains(run), self._tool_chains(run)
        for chain in largest(calls, key=lambda chain: int(_attempts(run)[chain].sum())):
            yield _of_calls(run, chain)
        for chain in largest(tools, key=len):
            yield _of_tools(run, chain)

    def _call_chains(self, run: Run) -> list[list[int]]:
        failed = failed_calls(run)
        if not failed.any():
            stated = run.llm_calls.floats("Attempts")
            # Comparing with what is unknown gives no.
            if not (stated > self._attempts).any():
                return []
        attempts, failures = _attempts(run), failures_of(run)
        waits = failures.lag_s <= self._window_s
        chains: list[list[int]] = []
        last = NONE
        in_vain = attempts[failures.order] > 0
        for call in failures.order[in_vain].tolist():
            # After one that worked in the end, what fails is another thing.
            goes_on = last != NONE and failed[last] and waits[last]
            if goes_on and failures.after[last] == call:
                chains[-1].append(call)
            else:
                chains.append([call])
            last = call
        return [each for each in chains if attempts[each].sum() >= self._attempts]

    def _tool_chains(self, run: Run) -> list[list[int]]:
        tools = run.tool_calls
        failed = np.flatnonzero(tools.floats("Success") == 0)
        if len(failed) < self._attempts:
            return []
        timeline, owner = timeline_of(run), run.tree.tool_agent
        columns = [tools.strings(name) for name in ("Tool", "ArgumentsHash")]
        errors = tools.strings("Error")
        open_chains: dict[tuple[object, ...], list[int]] = {}
        chains: list[list[int]] = []
        thoughts = _Thoughts(run)
        order = np.argsort(timeline.tool_start[failed], kind="stable")
        for tool in failed[order].tolist():
            error = _NUMBERS.sub("#", errors[tool])
            key = (int(owner[tool]), *(column[tool] for column in columns), error)
            chain = open_chains.get(key)
            if chain is not None and self._goes_on(run, chain[-1], tool, thoughts):
                chain.append(tool)
            else:
                open_chains[key] = [tool]
                chains.append(open_chains[key])
        return [each for each in chains if len(each) >= self._attempts]

    def _goes_on(self, run: Run, last: int, tool: int, thoughts: _Thoughts) -> bool:
        timeline = timeline_of(run)
        begun, ended = int(timeline.tool_start[tool]), int(timeline.tool_end[last])
        return begun - ended <= self._window_s * 1e9 and not thoughts.between(
            int(run.tree.tool_agent[tool]), int(timeline.tool_start[last]), begun
        )


def _of_calls(run: Run, chain: list[int]) -> Finding:
    failed, calls = failed_calls(run), run.llm_calls
    count = int(_attempts(run)[chain].sum())
    in_vain = [call for call in chain if failed[call]]
    following = int(failures_of(run).after[chain[-1]])
    waited = chain if following == NONE else [*chain, following]
    saved = what_if(run, WithoutWait(calls=tuple(waited)), *without_calls(run, in_vain))
    errors = sorted({str(each) for each in calls.strings("Error")[in_vain]})
    return Finding(
        location=f"call:{calls.strings('CallId')[chain[0]]}",
        severity=_severity(saved.saved_s, saved.wall_s),
        what=f"{count} attempts at one call of {calls.strings('Model')[chain[0]]} "
        f"failed one after another{_named(errors)}, {saved.saved_s:.0f} s.",
        advice="Let failures that last end the task or change the provider after a "
        "few attempts, with longer waits between them.",
        agents=_agents(run.tree.call_agent, chain),
        calls=tuple(chain[:SHOWN]),
        seconds=saved.saved_s,
        usd=attempts_usd(run, in_vain, following),
        details={"attempts": count, "error": errors[0] if errors else ""},
    )


def _of_tools(run: Run, chain: list[int]) -> Finding:
    tools = run.tool_calls
    saved = what_if(run, Lasts(0.0, tool=chain[0]), Removed(tools=tuple(chain[1:])))
    error = str(tools.strings("Error")[chain[0]])
    return Finding(
        location=f"tool:{tools.strings('ToolCallId')[chain[0]]}",
        severity=_severity(saved.saved_s, saved.wall_s),
        what=f"{tools.strings('Tool')[chain[0]]} failed {len(chain)} times one after "
        f"another with the same arguments{_named([error])}, {saved.saved_s:.0f} s.",
        advice="Stop after the first failures that are alike and hand the error to "
        "the model or to a person.",
        agents=_agents(run.tree.tool_agent, chain),
        tools=tuple(chain[:SHOWN]),
        seconds=saved.saved_s,
        usd=0.0,
        details={"attempts": len(chain), "error": error},
    )


class _Thoughts:
    """When the model of each agent was asked."""

    def __init__(self, run: Run) -> None:
        timeline, order = timeline_of(run), failures_of(run).order
        self._owner = run.tree.call_agent[order]
        self._start = timeline.call_start[order]

    def between(self, agent: int, after_ns: int, before_ns: int) -> bool:
        """Whether an agent's model was asked between two moments."""
        low, high = np.searchsorted(self._owner, [agent, agent + 1])
        mine = self._start[low:high]
        # What took no time began when the next call did.
        place = int(np.searchsorted(mine, after_ns))
        return place < len(mine) and int(mine[place]) < before_ns


@per_run
def _attempts(run: Run) -> Indexes:
    """For each call how many attempts of it failed."""
    stated = np.nan_to_num(run.llm_calls.floats("Attempts"), nan=1).astype(np.int64)
    failed = failed_calls(run)
    return np.where(failed, np.maximum(stated, 1), np.maximum(stated - 1, 0))


def _agents(owner: Indexes, chain: list[int]) -> tuple[int, ...]:
    return tuple(sorted({int(each) for each in owner[chain]} - {NONE}))


def _severity(saved_s: float, left_s: float) -> Severity:
    return Severity.HIGH if saved_s >= left_s / 2 else Severity.MEDIUM


def _named(errors: list[str]) -> str:
    shown = [error for error in errors if error][:1]
    return f" ({shown[0]})" if shown else ""
