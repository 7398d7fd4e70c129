"""Time of a run that went into waiting for a provider that said "later".

**Rule.** Model calls refused with 429, 529 or an error that says rate limit, overloaded or
throttled, and the back-off before the next call of their agent, made the run at least
``detect_rate_limit_wait_seconds`` longer; or one agent waited six times as long beside the
path, where nobody waited for it (it costs no wall time, and is of low severity). Calls of
one model are one finding: its limit is what they met.

**Threshold.** The original has no such rule. 10 s is more than the first four waits of an
exponential back-off that begins with half a second, which the libraries of providers do by
themselves: less than that is a limit that works as it should.

**Evidence.** The refused calls and the calls that came after them, and their agents.

**Saving.** `what_if` there were no waits and no refused calls. 0 USD: providers do not
charge for a refusal.

**False alarms.** At most 5 % of healthy runs; only where an error text of another kind has
such a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import (
    WhatIf,
    WithoutWait,
    timeline_of,
    what_if,
)
from fleetspan_collector.processors.detectors._bounds import SHOWN
from fleetspan_collector.processors.detectors._failures import (
    failed_calls,
    failures_of,
    is_rate_limit,
    without_calls,
)
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import NONE, Run

_BESIDE = 6


class RateLimitWait:
    """Finds waits for rate limits and overloaded providers."""

    name = "rate_limit_wait"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._seconds = settings.detect_rate_limit_wait_seconds

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        failed = np.flatnonzero(failed_calls(run))
        if not len(failed):
            return
        errors = run.llm_calls.strings("Error")
        models = run.llm_calls.strings("Model")
        limits = {each: is_rate_limit(each) for each in set(errors[failed])}
        by_model: dict[str, list[int]] = {}
        for call in failed.tolist():
            if limits[errors[call]]:
                by_model.setdefault(models[call], []).append(call)
        for model, calls in by_model.items():
            yield from self._judged(run, model, calls)

    def _judged(self, run: Run, model: str, refused: list[int]) -> Iterator[Finding]:
        if _lost_s(run, refused) < self._seconds:
            return
        failures = failures_of(run)
        after = {int(failures.after[call]) for call in refused} - {NONE}
        # A refused call may have been tried several times within.
        waited = after | set(refused)
        saved = what_if(
            run, WithoutWait(calls=tuple(waited)), *without_calls(run, refused)
        )
        longest_s = _longest_wait_s(run, refused)
        if saved.saved_s < self._seconds and longest_s < _BESIDE * self._seconds:
            return
        agents = sorted({int(run.tree.call_agent[call]) for call in refused} - {NONE})
        proof = sorted(waited)[:SHOWN]
        yield Finding(
            location=f"model:{model}",
            severity=_severity(saved, self._seconds),
            what=f"{len(refused)} calls of {model or 'an unknown model'} were refused "
            f"for a rate limit or an overloaded provider; waiting for it made the run "
            f"{saved.saved_s:.0f} s longer, and one agent up to {longest_s:.0f} s.",
            advice="Raise the limit, run fewer agents of this model at once, or send "
            "what is over the limit to another model or provider.",
            agents=tuple(agents[:SHOWN]),
            calls=tuple(proof),
            seconds=saved.saved_s,
            usd=0.0,
            details={
                "refused": len(refused),
                "agents": len(agents),
                "model": model,
                "longest_wait_s": round(longest_s, 3),
            },
        )


def _lost_s(run: Run, refused: list[int]) -> float:
    """Seconds of refused calls and of waits after them, wherever they lie."""
    timeline, lag_s = timeline_of(run), failures_of(run).lag_s[refused]
    took_ns = timeline.call_end[refused] - timeline.call_start[refused]
    return float(took_ns.sum() / 1e9 + lag_s[np.isfinite(lag_s)].sum())


def _longest_wait_s(run: Run, refused: list[int]) -> float:
    """Seconds that the agent which waited longest waited after refused calls."""
    lag_s = failures_of(run).lag_s[refused]
    owner = run.tree.call_agent[refused]
    # Without a next call nothing was waited for.
    waited = (owner != NONE) & np.isfinite(lag_s)
    by_agent = np.bincount(owner[waited], lag_s[waited], minlength=1)
    return float(by_agent.max())


def _severity(saved: WhatIf, least_s: float) -> Severity:
    if saved.saved_s < least_s:
        return Severity.LOW
    return Severity.HIGH if saved.saved_s >= saved.wall_s / 2 else Severity.MEDIUM
