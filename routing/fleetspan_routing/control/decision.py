"""A decision, as data: what is answered, why, by which rule, and what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleetspan_routing.control.rules import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """What one rule says of a step.

    Attributes:
        by: Which: ``budget:NAME``, ``loop``, ``fan_out``, ``rule:NAME``, ``risk`` or
            ``approvals``.
        then: What it wants to be answered.
        reason: For the agent, in words that it can act on.
        location: What stays the same when the rule objects again for the same cause.
        evidence: Ids of calls of tools that prove it.
        details: Numbers and words behind the reason.
    """

    by: str
    then: Answer
    reason: str
    location: str
    evidence: tuple[str, ...] = ()
    details: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A model that was chosen for a sub-agent.

    Attributes:
        asked: What was asked for; ``""`` for what the client would take by itself.
        model: What it gets, or would get in a dry run.
        reason: In words.
        propensity: Probability with which it was chosen.
        tools: What the sub-agent has for tools, as far as is known.
        applied: Whether it is in place, whether asked for or changed; not in a dry run.
        details: The alternatives, with their expected quality and cost, and more.
    """

    asked: str
    model: str
    reason: str
    propensity: float
    tools: str = ""
    applied: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """An output of a tool that was made shorter.

    Attributes:
        output: The tool's answer as the model is to get it; all else in it as it was.
        characters: Of all its texts, as they were.
        kept: As they are now.
        shapes: What the texts that were cut were taken for: json, code or lines.
        refs: Of the whole of each, by which it is read back.
        applied: Whether the client is told; not in a dry run.
    """

    output: Any
    characters: int
    kept: int
    shapes: tuple[str, ...]
    refs: tuple[str, ...]
    applied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is answered to a step of an agent.

    Attributes:
        event: The hook that asked.
        tenant: Whose session it is.
        session_id: The session.
        agent_id: Who asked; the session's id for the main agent.
        agent_type: Its type; ``""`` for the main agent.
        tool: Which tool it wants; ``""`` for a prompt.
        call_id: Id of the call.
        answer: What holds.
        enforced: Whether the client is told; not in a dry run.
        objection: The strictest one; ``None`` when nobody objects.
        warnings: Budgets that are nearly used up, told once each.
        chosen: The model of the sub-agent that is about to begin.
        input: What the tool is given in place of what it was.
        approval: Id under which a person may approve it.
        shortened: The output of the tool, made shorter.
        read_back: Reference of what was kept back and is about to be read.
    """

    event: str
    tenant: str = ""
    session_id: str = ""
    agent_id: str = ""
    agent_type: str = ""
    tool: str = ""
    call_id: str = ""
    answer: Answer = Answer.NONE
    enforced: bool = True
    objection: Objection | None = None
    warnings: tuple[Objection, ...] = ()
    chosen: Chosen | None = None
    input: Mapping[str, Any] | None = None
    approval: str = ""
    shortened: Shortened | None = None
    read_back: str = ""

    @property
    def notable(self) -> bool:
        """Whether there is anything to record."""
        return any(
            (
                *(self.objection, self.warnings, self.chosen),
                *(self.shortened, self.read_back),
            )
        )
