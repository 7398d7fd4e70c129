"""Runs and agents."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from opentelemetry.context import get_current

from fleetspan import _semconv as semconv
from fleetspan._activity import Activity
from fleetspan._content import readable
from fleetspan._runtime import Runtime
from fleetspan._scope import Scope, enclosing

if TYPE_CHECKING:
    from fleetspan._metrics import Instruments


class Run(Activity):
    """What one top-level agent, or several, were asked to do. See `fleetspan.run`."""

    kind: ClassVar[str] = "run"
    _start_event: ClassVar[str | None] = semconv.RUN_START

    def __init__(
        self,
        name: str,
        *,
        session: str | None = None,
        id: str | None = None,
        user: str | None = None,
    ) -> None:
        self.name = name
        self._session = session
        self._id = id
        self._user = user

    def _span_name(self) -> str:
        return f"{semconv.INVOKE_WORKFLOW} {self.name}"

    def _begin(self, scope: Scope) -> dict[str, Any]:
        self.session_id = self._session or scope.session_id
        self.agent_id = self.agent_name = None
        attributes: dict[str, Any] = {
            semconv.OPERATION: semconv.INVOKE_WORKFLOW,
            semconv.WORKFLOW_NAME: self.name,
        }
        if self.session_id is not None:
            attributes[semconv.CONVERSATION_ID] = self.session_id
        user = self._user or scope.shared.get(semconv.USER_ID)
        if user is not None:
            attributes[semconv.USER_ID] = user
        if self._id is not None:
            attributes[semconv.RUN_ID] = self._id
        return attributes

    def _identify(self, scope: Scope) -> None:
        attributes = self._attributes
        if self._id is None:
            self.run_id = attributes[semconv.RUN_ID] = self._own_id()
            self._span.set_attribute(semconv.RUN_ID, self.run_id)
        else:
            self.run_id = self._id
        kept = (semconv.RUN_ID, semconv.CONVERSATION_ID, semconv.USER_ID)
        self.shared = {name: attributes[name] for name in kept if name in attributes}

    def _measure(self, runtime: Runtime, instruments: Instruments) -> None:
        runtime.defer(
            instruments.run_ended, (self.name, self.error_type, self.duration_s)
        )


class Agent(Activity):
    """An agent at work; inside another, a sub-agent. See `fleetspan.agent`."""

    kind: ClassVar[str] = "agent"
    _nesting: int = 0
    _start_event: ClassVar[str | None] = semconv.AGENT_START

    def __init__(
        self,
        name: str,
        *,
        type: str | None = None,
        task: str | None = None,
        model: str | None = None,
        tools: Iterable[str] = (),
        session: str | None = None,
        id: str | None = None,
        user: str | None = None,
        background: bool = False,
        spawn_tool_call_id: str | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.model = model
        self._tools = tools
        self._task = task
        self._session = session
        self._id = id
        self._user = user
        self._background = background
        self._spawn_tool_call_id = spawn_tool_call_id

    def _span_name(self) -> str:
        return f"{semconv.INVOKE_AGENT} {self.name}"

    def _begin(self, scope: Scope) -> dict[str, Any]:
        self.llm_calls = 0
        self.tool_calls = 0
        self._counting = threading.Lock()
        self.agent_name = self.name
        self.agent_id = self._id
        self.parent_agent_id = scope.agent_id
        self.run_id = scope.run_id
        self.session_id = self._session or scope.session_id
        self._nesting = _nesting(scope)
        self.owner = self
        spawned_by = self._spawn_tool_call_id
        if spawned_by is None:
            spawned_by = scope.call_id
        attributes: dict[str, Any] = {
            semconv.OPERATION: semconv.INVOKE_AGENT,
            semconv.AGENT_NAME: self.name,
        }
        for name, value in (
            (semconv.RUN_ID, self.run_id),
            (semconv.CONVERSATION_ID, self.session_id),
            (semconv.AGENT_ID, self._id),
            (semconv.PARENT_AGENT_ID, self.parent_agent_id),
            (semconv.AGENT_TYPE, self.type),
            (semconv.REQUEST_MODEL, self.model),
            (semconv.SPAWN_TOOL_CALL_ID, spawned_by),
            (semconv.USER_ID, self._user or scope.shared.get(semconv.USER_ID)),
        ):
            if value is not None:
                attributes[name] = value
        if self._background:
            attributes[semconv.BACKGROUND] = True
        if tools := sorted({str(name) for name in self._tools}):
            attributes[semconv.AGENT_TOOLS] = tools
        if self._task is not None and self._runtime.capture_content:
            attributes[semconv.AGENT_TASK] = readable(self._task)
        return attributes

    def _step(self) -> Mapping[str, float]:
        scope, _ = enclosing(get_current())
        depth = _nesting(scope)
        return {"subagents": 1.0, "depth": float(depth)} if depth else {}

    def _identify(self, scope: Scope) -> None:
        attributes = self._attributes
        if self.agent_id is None:
            self.agent_id = attributes[semconv.AGENT_ID] = self._own_id()
            self._span.set_attribute(semconv.AGENT_ID, self.agent_id)
        if self.run_id is None:
            # With no run around it, an agent is the run.
            self.run_id = attributes[semconv.RUN_ID] = self.agent_id
            self._span.set_attribute(semconv.RUN_ID, self.run_id)
        self.shared = {
            semconv.RUN_ID: self.run_id,
            semconv.AGENT_ID: self.agent_id,
            semconv.AGENT_NAME: self.name,
        }
        for name in (semconv.CONVERSATION_ID, semconv.USER_ID):
            if name in attributes:
                self.shared[name] = attributes[name]

    def _measure(self, runtime: Runtime, instruments: Instruments) -> None:
        runtime.defer(
            instruments.agent_ended,
            (
                self.name,
                self.model,
                self.error_type,
                self.duration_s,
                self.llm_calls,
                self.tool_calls,
            ),
        )

    def _returned(self, value: object) -> None:
        self._content(semconv.AGENT_RESULT, value)

    def outcome(
        self,
        quality: float | str,
        verifier: str | None = None,
        *,
        task: str | None = None,
        rationale: str | None = None,
        agent: str | None = None,
        result: object = None,
    ) -> None:
        """Record how the agent's work came out: how good it is, or in a word.

        Args:
            quality: 0 (of no use) to 1 (all that was asked for), as `Events.outcome` says;
                or one word, such as ``completed``, ``gave_up`` or ``handed_over``.
            verifier: Who or what says how good it is.
            task: What was done.
            rationale: Why.
            agent: Whose result; by default this agent's.
            result: What it produced; written only when content is captured.
        """
        if isinstance(quality, str):
            self._record(semconv.AGENT_OUTCOME, quality)
        else:
            super().outcome(
                quality, verifier, task=task, rationale=rationale, agent=agent
            )
        self._content(semconv.AGENT_RESULT, result)

    def count_llm_call(self) -> None:
        """Count one model call that this agent made itself."""
        with self._counting:
            self.llm_calls += 1

    def count_tool_call(self) -> None:
        """Count one tool call that this agent made itself."""
        with self._counting:
            self.tool_calls += 1


def _nesting(scope: Scope) -> int:
    """How many agents are around what starts in a scope; those of other processes are one."""
    if scope.agent_id is None:
        return 0
    return 1 if scope.owner is None else scope.owner._nesting + 1
