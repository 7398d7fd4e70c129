"""Runs, agents, llm calls and tool calls."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from opentelemetry.trace import SpanKind

from fleetspan import _runtime
from fleetspan import _semconv as semconv
from fleetspan._activity import Activity
from fleetspan._content import canonical_bytes, digest, readable
from fleetspan._guard import complain, guard
from fleetspan._scope import Scope

_UNSAID: Final = object()


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

    def _measure(self, runtime: _runtime.Runtime) -> None:
        assert runtime.instruments is not None  # noqa: S101 - narrows the type
        runtime.defer(runtime.instruments.run_ended, self)


class Agent(Activity):
    """An agent at work; inside another, a sub-agent. See `fleetspan.agent`."""

    kind: ClassVar[str] = "agent"
    _start_event: ClassVar[str | None] = semconv.AGENT_START

    def __init__(
        self,
        name: str,
        *,
        type: str | None = None,
        task: str | None = None,
        model: str | None = None,
        session: str | None = None,
        id: str | None = None,
        user: str | None = None,
        background: bool = False,
        spawn_tool_call_id: str | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.model = model
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
        self.owner = self
        spawned_by = self._spawn_tool_call_id
        if spawned_by is None and isinstance(scope, Tool):
            spawned_by = scope.call_id
        task = self._task if self._runtime.capture_content else None
        said = {
            semconv.OPERATION: semconv.INVOKE_AGENT,
            semconv.AGENT_NAME: self.name,
            semconv.RUN_ID: self.run_id,
            semconv.CONVERSATION_ID: self.session_id,
            semconv.AGENT_ID: self._id,
            semconv.PARENT_AGENT_ID: self.parent_agent_id,
            semconv.AGENT_TYPE: self.type,
            semconv.REQUEST_MODEL: self.model,
            semconv.SPAWN_TOOL_CALL_ID: spawned_by,
            semconv.BACKGROUND: self._background or None,
            semconv.USER_ID: self._user or scope.shared.get(semconv.USER_ID),
            semconv.AGENT_TASK: None if task is None else readable(task),
        }
        return {name: value for name, value in said.items() if value is not None}

    def _identify(self, scope: Scope) -> None:
        attributes = self._attributes
        late: dict[str, Any] = {}
        if self.agent_id is None:
            self.agent_id = late[semconv.AGENT_ID] = self._own_id()
        if self.run_id is None:
            # With no run around it, an agent is the run.
            self.run_id = late[semconv.RUN_ID] = self.agent_id
        if late:
            attributes.update(late)
            self._span.set_attributes(late)
        self.shared = {
            semconv.RUN_ID: self.run_id,
            semconv.AGENT_ID: self.agent_id,
            semconv.AGENT_NAME: self.name,
        }
        for name in (semconv.CONVERSATION_ID, semconv.USER_ID):
            if name in attributes:
                self.shared[name] = attributes[name]

    def _measure(self, runtime: _runtime.Runtime) -> None:
        assert runtime.instruments is not None  # noqa: S101 - narrows the type
        runtime.defer(runtime.instruments.agent_ended, self)

    def _returned(self, value: object) -> None:
        self._content(semconv.AGENT_RESULT, value)

    def outcome(self, outcome: str, *, result: object = None) -> None:
        """Record how the agent's work came out.

        Args:
            outcome: One word, such as ``completed``, ``gave_up`` or ``handed_over``.
            result: What it produced; written only when content is captured.
        """
        self._record(semconv.AGENT_OUTCOME, outcome)
        self._content(semconv.AGENT_RESULT, result)

    def count_llm_call(self) -> None:
        """Count one model call that this agent made itself."""
        with self._counting:
            self.llm_calls += 1

    def count_tool_call(self) -> None:
        """Count one tool call that this agent made itself."""
        with self._counting:
            self.tool_calls += 1


class LLM(Activity):
    """One call of a model. See `fleetspan.llm`."""

    kind: ClassVar[str] = "llm"
    _span_kind: ClassVar[SpanKind] = SpanKind.CLIENT

    def __init__(
        self,
        model: str,
        *,
        provider: str | None = None,
        operation: str = "chat",
        session: str | None = None,
    ) -> None:
        self.name = model
        self.operation = operation
        if provider is not None:
            self._provider: str | None = provider
        if session is not None:
            self._session = session

    _provider = None

    def _span_name(self) -> str:
        return f"{self.operation} {self.name}"

    def _begin(self, scope: Scope) -> dict[str, Any]:
        attributes = {semconv.OPERATION: self.operation, semconv.REQUEST_MODEL: self.name}
        provider = self._provider
        if provider is not None:
            attributes[semconv.PROVIDER] = provider
            if self._runtime.writes_old_names:
                attributes[semconv.OLD_SYSTEM] = provider
        _inherit(self, scope, attributes)
        owner = scope.owner
        if owner is not None:
            owner.count_llm_call()
        return attributes

    def _identify(self, scope: Scope) -> None:
        _name_lone_run(self, scope)

    def _measure(self, runtime: _runtime.Runtime) -> None:
        assert runtime.instruments is not None  # noqa: S101 - narrows the type
        runtime.defer(runtime.instruments.llm_ended, self)

    def usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_5m_tokens: int | None = None,
        cache_write_1h_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
    ) -> None:
        """Record the tokens of the call. None is unknown, which is not zero.

        ``input_tokens`` EXCLUDES cached tokens, as Anthropic reports it. From an API that
        reports an inclusive number (OpenAI: ``prompt_tokens``) subtract the cached ones.
        The span's ``gen_ai.usage.input_tokens`` is written INCLUSIVE, as the conventions
        ask for: input + cache read + cache writes.

        Calling it again replaces what was said before, as a stream's last report does.

        Args:
            input_tokens: Input tokens that were neither read from nor written to a cache.
            output_tokens: Output tokens, reasoning included.
            cache_read_tokens: Input tokens read from the cache.
            cache_write_5m_tokens: Input tokens written to a cache of five minutes.
            cache_write_1h_tokens: Input tokens written to a cache of one hour.
            cache_write_tokens: Input tokens written to a cache of unknown duration,
                besides those of the two above.
            reasoning_tokens: The part of the output that was reasoning.
        """
        if not self._is_open("usage"):
            return
        said = {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cache_read_tokens": cache_read_tokens,
            "cache_write_5m_tokens": cache_write_5m_tokens,
            "cache_write_1h_tokens": cache_write_1h_tokens,
            "cache_write_tokens": cache_write_tokens,
            "reasoning_tokens": reasoning_tokens,
        }
        tokens = {name: n for name, n in said.items() if n is not None and _fits(name, n)}
        late = self._late
        for name in _USAGE:
            late.pop(name, None)
        writes = [tokens[name] for name in _WRITES if name in tokens]
        if "input_tokens" in tokens:
            late[semconv.INPUT_TOKENS] = (
                tokens["input_tokens"] + tokens.get("cache_read_tokens", 0) + sum(writes)
            )
        if writes:
            late[semconv.CACHE_WRITE_TOKENS] = sum(writes)
            if self._runtime.writes_old_names:
                late[semconv.OLD_CACHE_WRITE_TOKENS] = sum(writes)
        for field, attribute in _DIRECT:
            if field in tokens:
                late[attribute] = tokens[field]

    def cost(self, usd: float) -> None:
        """Record what the provider says the call cost, in US dollars."""
        with guard("record a cost"):
            self._record(semconv.COST_USD, float(usd))

    def response(
        self,
        *,
        model: str | None = None,
        id: str | None = None,
        finish_reason: str | Sequence[str] | None = None,
        provider: str | None = None,
    ) -> None:
        """Record what the answer says of itself.

        Args:
            model: The model that answered, which may be more exact than the one asked.
            id: The provider's id of the answer; the key under which a call is priced once.
            finish_reason: Why it ended, such as ``stop``; one, or one per choice.
            provider: Who answered, such as ``anthropic``.
        """
        self._record(semconv.RESPONSE_MODEL, model)
        self._record(semconv.RESPONSE_ID, id)
        if finish_reason is not None:
            one = isinstance(finish_reason, str)
            reasons = [finish_reason] if one else list(finish_reason)
            self._record(semconv.FINISH_REASONS, reasons)
        if provider is not None:
            self._record(semconv.PROVIDER, provider)
            if self._start_ns and self._runtime.writes_old_names:
                self._record(semconv.OLD_SYSTEM, provider)

    def first_token(self) -> None:
        """Record that the first token has just come; only the first call counts."""
        if self._is_open("first_token"):
            seconds = (self._runtime.clock() - self._start_ns) / 1e9
            self._late.setdefault(semconv.TIME_TO_FIRST_CHUNK, max(0.0, seconds))

    def time_to_first_token(self, seconds: float) -> None:
        """Record the time from the request to the first token, in seconds."""
        with guard("record the time to the first token"):
            self._record(semconv.TIME_TO_FIRST_CHUNK, float(seconds))

    def attempts(self, attempts: int) -> None:
        """Record how many times the request was sent, 1 without a retry."""
        with guard("record the attempts"):
            self._record(semconv.ATTEMPTS, int(attempts))

    def input(self, messages: object, *, system: object = None) -> None:
        """Record what was asked; written only when content is captured.

        Args:
            messages: Text, or the messages in the shape of the conventions.
            system: The system instructions.
        """
        self._content(semconv.INPUT_MESSAGES, messages)
        self._content(semconv.SYSTEM_INSTRUCTIONS, system)

    def output(self, messages: object) -> None:
        """Record what was answered; written only when content is captured."""
        self._content(semconv.OUTPUT_MESSAGES, messages)


class Tool(Activity):
    """One call of a tool. See `fleetspan.tool`."""

    kind: ClassVar[str] = "tool"
    _start_event: ClassVar[str | None] = semconv.TOOL_START
    _succeeded: bool | None = None
    _call_arguments: object = _UNSAID

    def __init__(
        self,
        name: str,
        *,
        call_id: str | None = None,
        arguments: object = None,
        type: str | None = None,
    ) -> None:
        self.name = name
        self.call_id = call_id
        self.type = type
        if arguments is not None:
            self._call_arguments = arguments

    def _span_name(self) -> str:
        return f"{semconv.EXECUTE_TOOL} {self.name}"

    def _begin(self, scope: Scope) -> dict[str, Any]:
        self._succeeded = None
        attributes: dict[str, Any] = {
            semconv.OPERATION: semconv.EXECUTE_TOOL,
            semconv.TOOL_NAME: self.name,
        }
        if self.call_id is not None:
            attributes[semconv.TOOL_CALL_ID] = self.call_id
        if self.type is not None:
            attributes[semconv.TOOL_TYPE] = self.type
        if self._call_arguments is not _UNSAID:
            with guard("hash a tool's arguments"):
                data = canonical_bytes(self._call_arguments)
                attributes[semconv.ARGUMENTS_HASH] = digest(data)
                if self._runtime.capture_content:
                    text = readable(self._call_arguments)
                    attributes[semconv.TOOL_ARGUMENTS] = text
        _inherit(self, scope, attributes)
        owner = scope.owner
        if owner is not None:
            owner.count_tool_call()
        return attributes

    def _identify(self, scope: Scope) -> None:
        _name_lone_run(self, scope)

    def _finish(self, late: dict[str, Any]) -> None:
        success = self._succeeded
        late[semconv.SUCCESS] = self.error_type is None if success is None else success

    def _measure(self, runtime: _runtime.Runtime) -> None:
        assert runtime.instruments is not None  # noqa: S101 - narrows the type
        runtime.defer(runtime.instruments.tool_ended, self)

    def _called_with(self, names: tuple[str, ...], args: Any, kwargs: Any) -> None:
        if self._call_arguments is _UNSAID:
            named = dict(zip(names, args, strict=False))
            for bound in ("self", "cls"):
                named.pop(bound, None)
            if len(args) > len(names):
                named["*"] = list(args[len(names) :])
            self._call_arguments = {**named, **kwargs}

    def _returned(self, value: object) -> None:
        if semconv.RESULT_HASH not in self._late:
            self.result(value)

    def arguments(self, arguments: object) -> None:
        """Record what the tool was called with, when it was not known at the start.

        Args:
            arguments: Anything that JSON can hold. Its hash is written; the arguments
                themselves only when content is captured.
        """
        with guard("hash a tool's arguments"):
            self._record(semconv.ARGUMENTS_HASH, digest(canonical_bytes(arguments)))
        self._content(semconv.TOOL_ARGUMENTS, arguments)

    def result(self, result: object, *, success: bool | None = None) -> None:
        """Record what the tool gave back.

        Args:
            result: Bytes, text, or anything that JSON can hold. Its hash and its size are
                written; the result itself only when content is captured.
            success: Whether the tool did its work; None: True unless it fails.
        """
        with guard("hash a tool's result"):
            data = canonical_bytes(result)
            self._record(semconv.RESULT_HASH, digest(data))
            self._record(semconv.RESULT_BYTES, len(data))
        self._content(semconv.TOOL_RESULT, result)
        if success is not None:
            self.success(success)

    def success(self, success: bool) -> None:
        """Record whether the tool did its work; by default it did, unless it failed."""
        if self._is_open("success"):
            self._succeeded = bool(success)

    def permission_wait(self, milliseconds: float) -> None:
        """Record how long the call waited for somebody's permission, in milliseconds."""
        with guard("record the wait for permission"):
            self._record(semconv.PERMISSION_WAIT_MS, float(milliseconds))


# usage() field -> attribute, for those written as they are
_DIRECT: Final = (
    ("output_tokens", semconv.OUTPUT_TOKENS),
    ("cache_read_tokens", semconv.CACHE_READ_TOKENS),
    ("cache_write_5m_tokens", semconv.CACHE_WRITE_5M_TOKENS),
    ("cache_write_1h_tokens", semconv.CACHE_WRITE_1H_TOKENS),
    ("reasoning_tokens", semconv.REASONING_TOKENS),
)
_WRITES: Final = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_tokens")
_USAGE: Final = (
    semconv.INPUT_TOKENS,
    semconv.CACHE_WRITE_TOKENS,
    semconv.OLD_CACHE_WRITE_TOKENS,
    *(attribute for _, attribute in _DIRECT),
)


def _fits(name: str, tokens: object) -> bool:
    if isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= 0:
        return True
    problem = f"left out, got {str(tokens)[:80]!r}, expected a whole number, 0 or more"
    complain(f"usage.{name}", problem)
    return False


def _inherit(call: LLM | Tool, scope: Scope, attributes: dict[str, Any]) -> None:
    """Take over whose call it is."""
    attributes.update(scope.shared)
    call.shared = scope.shared
    call.owner = scope.owner
    call.run_id = scope.run_id
    call.agent_id = scope.agent_id
    call.agent_name = scope.agent_name
    call.session_id = scope.session_id
    session = call._session
    if session is not None:
        call.session_id = attributes[semconv.CONVERSATION_ID] = session
        call.shared = {**scope.shared, semconv.CONVERSATION_ID: session}


def _name_lone_run(call: LLM | Tool, scope: Scope) -> None:
    """With neither run nor agent around it, a call's run is its trace."""
    if scope.run_id is None:
        trace_id = call.trace_id
        call.run_id = call._attributes[semconv.RUN_ID] = trace_id
        call._span.set_attribute(semconv.RUN_ID, trace_id)
        call.shared = {**call.shared, semconv.RUN_ID: trace_id}
