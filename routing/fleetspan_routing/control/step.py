"""A step that an agent is about to do, and how documents of hooks are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_routing.control.calls import Call
from fleetspan_routing.control.loops import fingerprint
from fleetspan_routing.control.meter import Agent, Session, SessionKey

AGENT_TOOLS: Final = frozenset({"Agent", "Task"})
"""What begins a sub-agent, in newer and older clients."""

_VOLATILE: Final = ("Ms", "_ms", "Id", "_id", "usage", "okens", "timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an agent is about to do.

    Attributes:
        hook: What the client says.
        event: Which hook it is.
        key: The session's tenant and id.
        session: The session.
        agent: Who is about to do it.
        call: The call of a tool; of a prompt, one without a tool.
        call_id: Its id; ``""`` when the hook does not say.
        now_ns: Unix nanoseconds.
    """

    hook: Mapping[str, Any]
    event: str
    key: SessionKey
    session: Session
    agent: Agent
    call: Call
    call_id: str
    now_ns: int

    @property
    def begins_agent(self) -> bool:
        """Whether it begins a sub-agent."""
        return self.call.tool in AGENT_TOOLS

    @property
    def fingerprint(self) -> bytes:
        """What is the same for calls that are the same."""
        return fingerprint(self.call.tool, canonical(self.call.arguments))


def word(document: Mapping[str, Any], key: str) -> str:
    """Return a text of a document; ``""`` when it is none."""
    value = document.get(key)
    return value if isinstance(value, str) else ""


def canonical(value: Any) -> Any:
    """Return what is equal for equal documents, however their keys are ordered."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), repr(canonical(v))) for key, v in value.items()))
    if isinstance(value, list):
        return tuple(map(canonical, value))
    return value


def lasting(value: Any) -> Any:
    """Leave out what differs whenever the same is answered: times and ids."""
    if isinstance(value, Mapping):
        return {
            key: lasting(v)
            for key, v in value.items()
            if not str(key).endswith(_VOLATILE)
        }
    return value
