"""What runs, agents, llm calls and tool calls have in common."""

# ruff: noqa: BLE001 - nothing of ours may reach the program; note() logs it

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Self, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, Status, StatusCode

from fleetspan import _budgets, _subscribers
from fleetspan import _semconv as semconv
from fleetspan._content import readable
from fleetspan._decorate import decorate
from fleetspan._events import Events, event_attributes
from fleetspan._guard import complain, guard, note
from fleetspan._runtime import Runtime, current
from fleetspan._scope import SCOPE_KEY, SPAN_KEY, Scope, enclosing, leave
from fleetspan._start_events import emit_start
from fleetspan._subscribers import Notice

if TYPE_CHECKING:
    from fleetspan._metrics import Instruments

P = ParamSpec("P")
R = TypeVar("R")

_NO_SPAN = trace.INVALID_SPAN


class Activity(Scope, Events):
    """Something that has a span. Use it as ``with``, ``async with`` or decorator.

    As a decorator it is a template: every call gets an activity of its own. Functions,
    coroutine functions, generators and async generators can be decorated.

    Attributes:
        name: Name of the run, agent or tool; model of an llm call.
        run_id: The run it belongs to; None before it starts.
        session_id: The conversation, or None.
        agent_id: The agent it belongs to; an agent's own id.
        error_type: What went wrong, or None.
    """

    kind: ClassVar[str] = ""
    _span_kind: ClassVar[SpanKind] = SpanKind.INTERNAL
    _start_event: ClassVar[str | None] = None

    # Class-level defaults keep the construction of a call cheap.
    error_type: str | None = None
    parent_agent_id: str | None = None
    _error_message: str = ""
    _session: str | None = None
    _user: str | None = None
    _start_ns: int = 0
    _end_ns: int = 0
    _depth: int = 0
    _span: Span = _NO_SPAN
    _parent_span: Span | None = None
    _context: Context | None = None
    _runtime: Runtime
    _within: tuple[_budgets.Budget, ...] = ()

    def __init__(self, name: str) -> None:
        self.name = name

    # --- to be said by each kind

    def _span_name(self) -> str:
        raise NotImplementedError

    def _begin(self, scope: Scope) -> dict[str, Any]:
        """Return the attributes to start with; take over what the scope says."""
        raise NotImplementedError

    def _identify(self, scope: Scope) -> None:
        """Do what needs the span's id."""

    def _finish(self, late: dict[str, Any]) -> None:
        """Add the attributes that are known only at the end."""

    def _measure(self, runtime: Runtime, instruments: Instruments) -> None:
        """Have the metrics recorded."""

    def _step(self) -> Mapping[str, float]:
        """What beginning it takes of budgets."""
        return {}

    def _spend(self, budgets: tuple[_budgets.Budget, ...]) -> None:
        _budgets.before(budgets, self._step())
        self._within = budgets

    def _called_with(self, names: tuple[str, ...], args: Any, kwargs: Any) -> None:
        """Take note of a decorated function's arguments."""

    def _returned(self, value: object) -> None:
        """Take note of what a decorated function returned."""

    # --- what the user reads

    @property
    def span(self) -> Span:
        """OpenTelemetry's span."""
        return self._span

    @property
    def trace_id(self) -> str:
        """The trace, as 32 hex digits."""
        return format(self._span.get_span_context().trace_id, "032x")

    @property
    def span_id(self) -> str:
        """The span, as 16 hex digits."""
        return format(self._span.get_span_context().span_id, "016x")

    @property
    def duration_s(self) -> float:
        """Seconds from start to end; so far, while it goes on."""
        if not self._start_ns:
            return 0.0
        return ((self._end_ns or self._runtime.clock()) - self._start_ns) / 1e9

    def all_attributes(self) -> dict[str, Any]:
        """Return the attributes of the start and those recorded since."""
        return {**self._attributes, **self._late} if self._start_ns else {}

    # --- what the user records

    def set(self, name: str, value: str | bool | float | list[str]) -> None:
        """Record an attribute of your own.

        Args:
            name: Its name; yours, not one of ours or of the conventions.
            value: Text, a number, a truth value or a list of texts.
        """
        self._record(name, value)

    def set_session(self, session: str) -> None:
        """Record which conversation this, and what starts inside it later, belongs to."""
        self._record(semconv.CONVERSATION_ID, session)
        self.session_id = session
        self.shared = {**self.shared, semconv.CONVERSATION_ID: session}

    def fail(self, error_type: str, message: str = "") -> None:
        """Mark this as failed, without an exception.

        Args:
            error_type: Class of the error, of low cardinality, such as ``timeout``.
            message: What it said.
        """
        if self._is_open("fail"):
            self.error_type = str(error_type)
            self._error_message = str(message)

    def _record(self, name: str, value: Any) -> None:
        if value is not None and self._is_open(name):
            self._late[name] = value

    def _is_open(self, what: str) -> bool:
        if self._start_ns and not self._end_ns:
            return True
        state = "has ended" if self._end_ns else "has not started"
        complain(f"{self.kind} {what}", f"recorded nothing: the {self.kind} {state}")
        return False

    def _record_event(self, kind: str, values: Mapping[str, object]) -> None:
        with guard("record an event"):
            if not self._is_open(kind):
                return
            if values.get("agent") is None and self.agent_name:
                values = {**values, "agent": self.agent_name}
            attributes = event_attributes(
                kind, values, capture_content=self._runtime.capture_content
            )
            now = self._runtime.clock()
            self._span.add_event(semconv.EVENT_PREFIX + kind, attributes, now)
            if callbacks := _subscribers.by_kind.get(kind):
                _subscribers.publish(callbacks, self._notice(kind, now, attributes))

    # --- life

    def start(self, *, at_ns: int | None = None, parent: Scope | None = None) -> Self:
        """Start without becoming current: for callbacks, where ``with`` cannot be used.

        Args:
            at_ns: When it started, in nanoseconds since the epoch; None: now.
            parent: The activity it belongs to; None: the current one.

        Returns:
            Itself; call `end` when it is over.

        Raises:
            BudgetSpentError: When a budget around it is spent, and says so.
        """
        if (budgets := _budgets.around()) and not self._start_ns:
            self._spend(budgets)
        try:
            context = get_current()
            if isinstance(parent, Activity) and parent._context is not None:
                context = parent._context
            self._open(context, at_ns)
        except Exception as error:
            note("start a span", error)
        return self

    def end(
        self, *, at_ns: int | None = None, error: BaseException | None = None
    ) -> None:
        """End what `start` began; again is harmless.

        Args:
            at_ns: When it ended, in nanoseconds since the epoch; None: now.
            error: What it failed with.
        """
        try:
            self._close(error, at_ns)
        except Exception as problem:
            note("end a span", problem)

    def __enter__(self) -> Self:
        if (budgets := _budgets.around()) and not self._start_ns:
            self._spend(budgets)
        try:
            if self._start_ns and not self._end_ns:
                self._depth += 1
                complain(self.kind, "is entered again while it is open, and not nested")
                return self
            self.previous = context = get_current()
            self._open(context, None)
            attach(self._context)  # type: ignore[arg-type]
        except Exception as error:
            note("start a span", error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._depth:
            self._depth -= 1
            return
        try:
            self.ended = True
            leave(self)
            self._close(error, None)
        except Exception as problem:
            note("end a span", problem)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function: each call of it is such an activity."""
        return decorate(self, function)

    def _clone(self) -> Self:
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._start_ns = other._end_ns = other._depth = 0
        return other

    def _open(self, context: Context, at_ns: int | None) -> None:
        if self._start_ns and not self._end_ns:
            complain(self.kind, "is started again while it is open")
            return
        self.ended = False
        self.error_type = None
        self._end_ns = 0
        self._late: dict[str, Any] = {}
        self._runtime = runtime = current()
        scope, context = enclosing(context)
        self._attributes = attributes = self._begin(scope)
        self._start_ns = start_ns = at_ns or runtime.clock()
        self._parent_span = context.get(SPAN_KEY)  # type: ignore[assignment]
        self._span = self._make_span(context, attributes, start_ns)
        self._identify(scope)
        values = context.copy()
        values[SPAN_KEY] = self._span
        values[SCOPE_KEY] = self
        self._context = Context(values)
        if self._start_event is not None and runtime.logger is not None:
            runtime.defer(
                emit_start,
                (
                    runtime.logger,
                    self._start_event,
                    start_ns,
                    attributes,
                    self._span.get_span_context(),
                    self._parent_span and self._parent_span.get_span_context(),
                ),
            )
        if _subscribers.by_kind:
            self._tell(".start", start_ns, attributes)

    def _make_span(
        self, context: Context, attributes: dict[str, Any], start_ns: int
    ) -> Span:
        try:
            # By position: (name, context, kind, attributes, links, start time, and that
            # OpenTelemetry is not to record exceptions and set the status itself).
            return self._runtime.tracer.start_span(
                self._span_name(),
                context,
                self._span_kind,
                attributes,
                None,
                start_ns,
                False,
                False,
            )
        except Exception as error:
            # A broken span processor of the user's provider: what starts inside this
            # still finds its parent.
            note("start a span", error)
            return NonRecordingSpan(trace.get_current_span(context).get_span_context())

    def _close(self, error: BaseException | None, at_ns: int | None) -> None:
        if not self._start_ns or self._end_ns:
            return
        self.ended = True
        runtime, span, late = self._runtime, self._span, self._late
        # A clock that was set back must not make a span end before it starts.
        end_ns = max(at_ns or runtime.clock(), self._start_ns)
        try:
            if error is not None:
                self._take_error(error, end_ns)
            self._finish(late)
            if self.error_type is not None:
                late[semconv.ERROR_TYPE] = self.error_type
                text = self._error_message
                span.set_status(
                    Status(
                        StatusCode.ERROR,
                        f"{self.error_type}: {text}" if text else self.error_type,
                    )
                )
            if late:
                span.set_attributes(late)
        finally:
            self._end_ns = end_ns
            span.end(end_ns)
            if runtime.instruments is not None:
                self._measure(runtime, runtime.instruments)
            if _subscribers.by_kind:
                self._tell(".end", end_ns, {**self._attributes, **late})

    def _take_error(self, error: BaseException, now_ns: int) -> None:
        """Note an exception; a generator's early close and ``sys.exit(0)`` are none."""
        if isinstance(error, GeneratorExit):
            return
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return
        module, name = type(error).__module__, type(error).__qualname__
        self.error_type = name if module == "builtins" else f"{module}.{name}"
        with guard("record an exception"):
            self._error_message = str(error)
            if isinstance(error, Exception):
                self._span.record_exception(error, timestamp=now_ns)

    def _tell(self, moment: str, now_ns: int, attributes: Mapping[str, Any]) -> None:
        kind = self.kind + moment
        callbacks = _subscribers.by_kind.get(kind)
        if callbacks:
            _subscribers.publish(callbacks, self._notice(kind, now_ns, attributes))

    def _notice(self, kind: str, now_ns: int, attributes: Mapping[str, Any]) -> Notice:
        is_end = bool(self._end_ns)
        return Notice(
            kind=kind,
            name=self.name,
            time_unix_nano=now_ns,
            trace_id=self.trace_id,
            span_id=self.span_id,
            run_id=self.run_id,
            session_id=self.session_id,
            agent_id=self.agent_id,
            parent_agent_id=self.parent_agent_id,
            attributes=attributes,
            duration_s=self.duration_s if is_end else None,
            error_type=self.error_type if is_end else None,
        )

    def _own_id(self) -> str:
        """Return the span's id as hex; where nothing is recorded, one of the same shape."""
        mine = self._span.get_span_context()
        outer = self._parent_span.get_span_context() if self._parent_span else None
        if not mine.span_id or (outer is not None and outer.span_id == mine.span_id):
            return format(random.getrandbits(64) or 1, "016x")
        return format(mine.span_id, "016x")

    def _content(self, name: str, value: object) -> None:
        """Record content, when that is wanted."""
        if value is not None and self._is_open(name) and self._runtime.capture_content:
            with guard("capture content"):
                self._late[name] = readable(value)
