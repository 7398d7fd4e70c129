"""Numbers and names in the sentences of findings."""

from __future__ import annotations

from fleetspan_collector.processors.run import NONE, Run


def count_of(number: int, noun: str) -> str:
    """Return ``1 call`` or ``1,200 calls``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def agent_name(run: Run, agent: int) -> str:
    """Return what an agent is called: its name, else its type, else its id.

    Args:
        run: The run.
        agent: Row of the agent; -1 for nobody.
    """
    if agent == NONE:
        return "the run"
    for column in ("Name", "Type", "AgentId"):
        text = str(run.agents.strings(column)[agent])
        if text:
            return text
    return "an agent"
