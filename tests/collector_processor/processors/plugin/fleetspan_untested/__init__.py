"""Agents that changed files and ran nothing afterwards that looks like a test."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Run

_CHANGES = frozenset({"Edit", "MultiEdit", "Write"})
_TESTS = frozenset({"Bash", "pytest", "run_tests"})


class UntestedChange:
    """Finds them.

    Args:
        settings: The collector's settings of processors; none is needed here.
    """

    name = "untested_change"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        del settings

    def findings(self, run: Run) -> Iterator[Finding]:
        """Look at one run."""
        tools = run.tool_calls.strings("Tool")
        owners = run.tree.tool_agent
        for agent in np.unique(owners[owners >= 0]).tolist():
            rows = np.flatnonzero(owners == agent)
            changes = [row for row in rows.tolist() if tools[row] in _CHANGES]
            if not changes:
                continue
            after = tools[rows[rows > changes[-1]]]
            if not _TESTS.intersection(after.tolist()):
                name = run.agents.strings("Name")[agent]
                yield Finding(
                    location=run.agents.strings("AgentId")[agent],
                    severity=Severity.LOW,
                    what=f"{name} changed files {len(changes)} times and ran no test",
                    advice="have it run the tests before it ends",
                    agents=(agent,),
                    tools=tuple(changes),
                    seconds=0.0,
                    usd=0.0,
                )
