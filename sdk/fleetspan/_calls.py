"""Calls of models and of tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from opentelemetry.trace import SpanKind

from fleetspan import _budgets
from fleetspan import _semconv as semconv
from fleetspan._activity import Activity
from fleetspan._content import canonical_bytes, digest, readable
from fleetspan._guard import complain, guard
from fleetspan._runtime import Runtime
from fleetspan._scope import Scope

if TYPE_CHECKING:
    from fleetspan._metrics import Instruments

_UNSAID: Final = object()
_WRITE_5M: Final[str] = semconv.CACHE_WRITE_5M_TOKENS
_WRITE_1H: Final[str] = semconv.CACHE_WRITE_1H_TOKENS


class LLM(Activity):
    """One call of a model. See `fleetspan.llm`."""

    kind: ClassVar[str] = "llm"
    _has_usage: bool = False
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
        self._provider = provider
        self._session = session

    def _span_name(self) -> str:
        return f"{self.operation} {self.name}"

    def _begin(self, scope: Scope) -> dict[str, Any]:
        attributes = {
            semconv.OPERATION: self.operation,
            semconv.REQUEST_MODEL: self.name,
        }
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

    def _measure(self, runtime: Runtime, instruments: Instruments) -> None:
        said = self._late.get
        # Numbers and texts only: nothing that the garbage collector must follow while
        # it waits in the queue.
        labels = (
            self.operation,
            said(semconv.PROVIDER) or self._provider,
            self.name,
            said(semconv.RESPONSE_MODEL),
            self.error_type,
        )
        tokens = (
            said(semconv.INPUT_TOKENS),
            said(semconv.OUTPUT_TOKENS),
            said(semconv.CACHE_READ_TOKENS),
            said(semconv.CACHE_WRITE_TOKENS),
            said(semconv.REASONING_TOKENS),
        )
        runtime.defer(
            instruments.llm_ended,
            (labels, tokens, self.duration_s, said(semconv.TIME_TO_FIRST_CHUNK)),
        )

    def _finish(self, late: dict[str, Any]) -> None:
        if self._within:
            _budgets.charge(self._within, self.name, late)

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
        late = self._late
        if self._has_usage:
            for attribute in _USAGE:
                late.pop(attribute, None)
        self._has_usage = True
        writes: int | None = None
        for name, tokens, attribute in (
            ("cache_write_5m_tokens", cache_write_5m_tokens, _WRITE_5M),
            ("cache_write_1h_tokens", cache_write_1h_tokens, _WRITE_1H),
            ("cache_write_tokens", cache_write_tokens, ""),
        ):
            if tokens is not None and _fits(name, tokens):
                writes = tokens + (writes or 0)
                if attribute:
                    late[attribute] = tokens
        read = cache_read_tokens
        if read is not None and _fits("cache_read_tokens", read):
            late[semconv.CACHE_READ_TOKENS] = read
        else:
            read = 0
        if input_tokens is not None and _fits("input_tokens", input_tokens):
            late[semconv.INPUT_TOKENS] = input_tokens + read + (writes or 0)
        if writes is not None:
            late[semconv.CACHE_WRITE_TOKENS] = writes
            if self._runtime.writes_old_names:
                late[semconv.OLD_CACHE_WRITE_TOKENS] = writes
        if output_tokens is not None and _fits("output_tokens", output_tokens):
            late[semconv.OUTPUT_TOKENS] = output_tokens
        if reasoning_tokens is not None and _fits("reasoning_tokens", reasoning_tokens):
            late[semconv.REASONING_TOKENS] = reasoning_tokens

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

    def _step(self) -> Mapping[str, float]:
        return {"calls": 1.0}

    def _identify(self, scope: Scope) -> None:
        _name_lone_run(self, scope)

    def _finish(self, late: dict[str, Any]) -> None:
        success = self._succeeded
        late[semconv.SUCCESS] = self.error_type is None if success is None else success

    def _measure(self, runtime: Runtime, instruments: Instruments) -> None:
        runtime.defer(
            instruments.tool_ended, (self.name, self.error_type, self.duration_s)
        )

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


_USAGE: Final = (
    semconv.INPUT_TOKENS,
    semconv.OUTPUT_TOKENS,
    semconv.CACHE_READ_TOKENS,
    semconv.CACHE_WRITE_TOKENS,
    semconv.OLD_CACHE_WRITE_TOKENS,
    _WRITE_5M,
    _WRITE_1H,
    semconv.REASONING_TOKENS,
)


def _fits(name: str, tokens: object) -> bool:
    if type(tokens) is int and tokens >= 0:
        return True
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
