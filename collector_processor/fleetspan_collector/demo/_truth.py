"""What the agent programs did, noted by themselves beside the SDK, to judge the store by."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

TOKENS: Final = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
"""The kinds of tokens, as ``ls --json`` names them."""


@dataclass(slots=True)
class AgentTruth:
    """What one agent did itself.

    Attributes:
        agent_id: Its id.
        run_id: Its run.
        name: Its name.
        parent: The agent that started it; ``None`` for a main agent.
        spawn_tool_call_id: The tool call that started it.
        llm_calls: Calls of models, the failed ones included.
        tool_calls: Calls of tools, the failed ones included.
        failed_calls: Calls of models that failed.
        failed_tools: Calls of tools that failed.
        calls_by_model: Number of calls by model.
        tokens_by_model: By model, tokens by kind.
        events: Events by kind.
    """

    agent_id: str
    run_id: str
    name: str
    parent: str | None
    spawn_tool_call_id: str | None
    llm_calls: int = 0
    tool_calls: int = 0
    failed_calls: int = 0
    failed_tools: int = 0
    calls_by_model: dict[str, int] = field(default_factory=dict)
    tokens_by_model: dict[str, dict[str, int]] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class RunTruth:
    """One run.

    Attributes:
        run_id: Its id.
        name: Its name.
        session_id: The conversation.
        special: What is odd about it on purpose, a key of `_plan.SPECIALS`; empty for
            the others.
        released: Whether it worked with the fleet's new version.
        start_ns: When it began, in nanoseconds since 1970.
    """

    run_id: str
    name: str
    session_id: str
    special: str
    released: bool
    start_ns: int


def tally(counts: dict[str, int], more: Mapping[str, int]) -> None:
    """Add counts to counts."""
    for name, number in more.items():
        counts[name] = counts.get(name, 0) + number


class Truth:
    """What one process did. Its methods may be called from any thread.

    Attributes:
        lock: Held while something is noted.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._runs: list[RunTruth] = []
        self._agents: list[AgentTruth] = []
        self._spans = 0
        self._starts = 0

    def run(self, run: RunTruth) -> None:
        """Note a run."""
        with self.lock:
            self._runs.append(run)

    def agent(self, agent: AgentTruth) -> None:
        """Note an agent, whose counts will grow."""
        with self.lock:
            self._agents.append(agent)

    def started(self) -> None:
        """Note that a run, agent or tool call has sent its start event."""
        with self.lock:
            self._starts += 1

    def ended(self) -> None:
        """Note that a span has ended."""
        with self.lock:
            self._spans += 1

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        with self.lock:
            document = {
                "spans": self._spans,
                "starts": self._starts,
                "runs": [asdict(run) for run in self._runs],
                "agents": [asdict(agent) for agent in self._agents],
            }
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(document, indent=1), "utf-8")
        draft.replace(path)


def gather(directory: Path) -> dict[str, Any]:
    """Add the truths of all processes up.

    Returns:
        ``spans`` and ``starts``; ``runs`` and ``agents`` as lists of documents. A run
        also has the sums over its agents, named as in ``ls --json``.
    """
    documents = [
        json.loads(path.read_text("utf-8")) for path in sorted(directory.glob("*.json"))
    ]
    agents = [agent for document in documents for agent in document["agents"]]
    runs = [run for document in documents for run in document["runs"]]
    by_run: dict[str, list[dict[str, Any]]] = {run["run_id"]: [] for run in runs}
    for agent in agents:
        by_run[agent["run_id"]].append(agent)
    return {
        "spans": sum(document["spans"] for document in documents),
        "starts": sum(document["starts"] for document in documents),
        "runs": [{**run, **add_up(by_run[run["run_id"]])} for run in runs],
        "agents": agents,
    }


def add_up(agents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the sums over some agents, named as in ``ls --json``."""
    agents = list(agents)
    tokens = dict.fromkeys(TOKENS, 0)
    for agent in agents:
        for of_model in agent["tokens_by_model"].values():
            tally(tokens, of_model)
    return {
        "agents": len(agents),
        "llm_calls": sum(agent["llm_calls"] for agent in agents),
        "tool_calls": sum(agent["tool_calls"] for agent in agents),
        "errors": sum(
            agent["failed_calls"] + agent["failed_tools"] for agent in agents
        ),
        **tokens,
    }
