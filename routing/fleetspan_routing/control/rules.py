"""What a user has laid down: budgets, guards, rules for tools, and what risk needs a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol


class Pattern(Protocol):
    """A regular expression, of whatever engine."""

    def search(self, text: str, /) -> object | None:
        """Return what is found, or None."""
        ...


class Answer(StrEnum):
    """What an agent is told, the mildest first; of two the stricter one holds."""

    NONE = "none"
    """No opinion: the client goes on as it would without control."""
    ALLOW = "allow"
    """Go on, and do not ask the user."""
    ASK = "ask"
    """Let the user of the session decide."""
    APPROVE = "approve"
    """No, until a person outside the session has approved exactly this."""
    DENY = "deny"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return list(Answer).index(self)


class Scope(StrEnum):
    """What a budget is of; each one of them has its own."""

    SESSION = "session"
    SUB_TREE = "sub_tree"
    """A sub-agent with all that it began."""
    AGENT_TYPE = "agent_type"
    """All sub-agents of a type in one session."""
    USER = "user"
    """All sessions of a user, of a day (UTC)."""
    DAY = "day"
    """All sessions of a day (UTC)."""


class Measure(StrEnum):
    """What a budget limits."""

    TOKENS = "tokens"
    USD = "usd"
    WALL_S = "wall_s"
    CALLS = "calls"
    SUBAGENTS = "subagents"
    DEPTH = "depth"

    @property
    def unit(self) -> str:
        """How amounts are written."""
        return {
            Measure.TOKENS: "tokens",
            Measure.USD: "USD",
            Measure.WALL_S: "seconds",
            Measure.CALLS: "tool calls",
            Measure.SUBAGENTS: "sub-agents",
            Measure.DEPTH: "levels of sub-agents",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be used.

    Attributes:
        name: What people call it; unique.
        of: What each has one of.
        only: Agent types, or users, that it is for; none: all.
        limits: At most so much of each measure.
        warn_at: Share of a limit from which it is worth a warning, 0 to 1.
        then: What is answered once it is spent.
    """

    name: str
    of: Scope
    limits: Mapping[Measure, float]
    only: frozenset[str] = frozenset()
    warn_at: float = 0.8
    then: Answer = Answer.DENY


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopGuard:
    """Stops an agent that does the same again and again and gets the same.

    Attributes:
        repeats: The repetition that is stopped, at least 2: the first time counts as one.
        longest: How many different calls may make up what is repeated.
        then: What is answered.
    """

    repeats: int = 3
    longest: int = 4
    then: Answer = Answer.DENY


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOutGuard:
    """Stops a session that begins too many sub-agents.

    Attributes:
        at_once: How many may be at work at the same time.
        in_total: How many a session may begin; ``None`` for any number.
        then: What is answered.
    """

    at_once: int = 20
    in_total: int | None = None
    then: Answer = Answer.DENY


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """What holds for calls of tools; everything that it names has to be met.

    Attributes:
        name: What people call it.
        tools: Patterns of names (``*`` and ``?``) of tools; none: all.
        agents: Types of agents it is for; none: all.
        paths: Patterns of paths: one that the call names has to match one of them.
        paths_outside: One that the call names has to match none of them.
        hosts: As paths, for hosts.
        hosts_outside: As paths_outside, for hosts.
        commands: One has to be found in the command line of a shell.
        then: What is answered.
        because: Told to the agent.
    """

    name: str
    tools: tuple[str, ...] = ()
    agents: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    paths_outside: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    hosts_outside: tuple[str, ...] = ()
    commands: tuple[Pattern, ...] = ()
    then: Answer = Answer.DENY
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRule:
    """From which risk on a call needs somebody's consent.

    Attributes:
        threshold: 0 to 1; see `risk`.
        then: What is answered.
    """

    threshold: float = 0.7
    then: Answer = Answer.ASK


class Mode(StrEnum):
    """Whether what is decided is done."""

    OFF = "off"
    DRY_RUN = "dry_run"
    """It is recorded, and nothing is changed."""
    ON = "on"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRule:
    """Whether the models of sub-agents are chosen here.

    Attributes:
        mode: Off, or recorded only, or done.
        tiers: File of tiers; ``None`` when off.
        target: Share of the strongest model's quality that is to be kept.
        explore: Share of sub-agents that try another model, so that there are outcomes.
        by_text: Whether what a sub-agent is asked may decide, where that was seen to hold.
    """

    mode: Mode = Mode.OFF
    tiers: Path | None = None
    target: float = 0.95
    explore: float = 0.0
    by_text: bool = True


TALKATIVE: Final = ("Bash", "PowerShell", "Grep", "WebFetch", "mcp__*")
"""Tools whose output is made shorter unless others are named: not `Read`, by which an agent
gets back what was cut, and none whose answer is more than a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRule:
    """Whether long outputs of tools are made shorter before a model reads them.

    Attributes:
        mode: Off, or recorded only, or done.
        tools: Patterns of names (``*`` and ``?``) of tools.
        over: What an output may have, in characters.
        code_over: The same for source code, which is cut between functions only.
    """

    mode: Mode = Mode.OFF
    tools: tuple[str, ...] = TALKATIVE
    over: int = 2_000
    code_over: int = 12_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All of it.

    Attributes:
        if_unreachable: What clients do when no collector answers in time; the user has to
            say it.
        mode: On, or dry-run.
        budgets: In the order of the file.
        loop: ``None``: not guarded.
        fan_out: ``None``: not guarded.
        tools: In the order of the file.
        risk: ``None``: not scored.
        models: What holds for the models of sub-agents.
        outputs: What holds for the outputs of tools.
    """

    if_unreachable: Answer
    mode: Mode = Mode.ON
    budgets: tuple[Budget, ...] = ()
    loop: LoopGuard | None = None
    fan_out: FanOutGuard | None = None
    tools: tuple[ToolRule, ...] = ()
    risk: RiskRule | None = None
    models: ModelRule = field(default_factory=ModelRule)
    outputs: OutputRule = field(default_factory=OutputRule)
