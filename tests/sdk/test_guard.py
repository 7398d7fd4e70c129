"""Telemetry never breaks the program."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk._logs import (
    LoggerProvider,
    LogRecordProcessor,
    ReadWriteLogRecord,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import fleetspan
from fleetspan import _runtime
from fleetspan._config import Config
from fleetspan._guard import guard
from fleetspan._providers import Providers
from fleetspan.testing import Recorded


class _BrokenAtEnd(SpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("broken processor")


class _BrokenAtStart(SpanProcessor):
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        raise RuntimeError("broken processor")


class _BrokenLogs(LogRecordProcessor):
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        raise RuntimeError("broken log processor")

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


@pytest.fixture
def users_tracer() -> Generator[TracerProvider]:
    """Put a set-up with the user's own providers in force."""
    tracer = TracerProvider(shutdown_on_exit=False)
    logger = LoggerProvider(shutdown_on_exit=False)
    providers = Providers(
        tracer=tracer, logger=logger, meter=MeterProvider(shutdown_on_exit=False)
    )
    runtime = _runtime.Runtime(Config(), providers, deferred=False)
    before = _runtime.replace(runtime)
    logger.add_log_record_processor(_BrokenLogs())
    yield tracer
    _runtime.replace(before)


def test_plain_opentelemetry_lets_a_broken_processor_into_the_program() -> None:
    """The reason for the guard: on_end raises out of the user's with block."""
    tracer = TracerProvider(shutdown_on_exit=False)
    tracer.add_span_processor(_BrokenAtEnd())
    ours = tracer.get_tracer("t")
    with (
        pytest.raises(RuntimeError, match="broken processor"),
        ours.start_as_current_span("s"),
    ):
        pass


@pytest.mark.parametrize("broken", [_BrokenAtEnd, _BrokenAtStart])
def test_a_broken_processor_of_the_users_does_not_raise(
    users_tracer: TracerProvider,
    caplog: pytest.LogCaptureFixture,
    broken: type[SpanProcessor],
) -> None:
    """Neither do broken log processors; each kind is logged once, not per span."""
    users_tracer.add_span_processor(broken())
    done = []
    for _ in range(5):
        with fleetspan.agent("a"), fleetspan.tool("t") as tool:
            tool.result("x")
            done.append(True)
    assert len(done) == 5
    assert 1 <= len(caplog.records) <= 3
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_the_users_exception_wins_over_a_broken_processor(
    users_tracer: TracerProvider,
) -> None:
    """What the program raised is what arrives, and nothing is chained to it."""
    users_tracer.add_span_processor(_BrokenAtEnd())
    with pytest.raises(KeyError) as raised, fleetspan.agent("a"):
        raise KeyError("mine")
    assert raised.value.__context__ is None


def test_children_find_a_parent_where_a_processor_breaks_the_start(
    users_tracer: TracerProvider,
) -> None:
    """A span lost to a processor leaves its children attached to the span above."""
    exporter = InMemorySpanExporter()
    users_tracer.add_span_processor(SimpleSpanProcessor(exporter))
    with fleetspan.agent("outer") as outer:
        broken = _BrokenAtStart()
        users_tracer._active_span_processor._span_processors += (broken,)
        with fleetspan.tool("lost"):
            users_tracer._active_span_processor._span_processors = (
                users_tracer._active_span_processor._span_processors[:-1]
            )
            with fleetspan.llm("child"):
                pass
    child = next(
        span for span in exporter.get_finished_spans() if span.name == "chat child"
    )
    assert child.parent is not None
    assert format(child.parent.span_id, "016x") == outer.span_id


def test_in_our_provider_a_broken_processor_does_not_stop_the_others(
    recorded: Recorded,
) -> None:
    """The processors after a broken one still get the span."""
    runtime = _runtime.in_force()
    assert runtime is not None
    tracer: Any = runtime.providers.tracer
    ours = tracer._active_span_processor
    ours._span_processors = (_BrokenAtStart(), _BrokenAtEnd(), *ours._span_processors)
    with fleetspan.agent("a"):
        pass
    assert recorded.tree() == "invoke_agent a"


def test_a_value_that_cannot_be_hashed_costs_only_its_hash(recorded: Recorded) -> None:
    """A result that contains itself is not recorded; the span is."""
    loop: list[object] = []
    loop.append(loop)
    with fleetspan.tool("t", arguments=loop) as call:
        call.result(loop)
    written = recorded.spans()[0]["attributes"]
    assert written["fleetspan.success"] is True
    assert "fleetspan.tool.result_hash" not in written
    assert sum(fleetspan.suppressed_errors().values()) == 2


def test_the_guard_lets_interruptions_pass() -> None:
    """Exception is kept away; KeyboardInterrupt, SystemExit and CancelledError are not."""
    with guard("try"):
        raise ValueError
    with pytest.raises(KeyboardInterrupt), guard("try"):
        raise KeyboardInterrupt


def test_subscribers_hear_everything_and_disturb_nobody(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """One that raises is logged once; the others, and the program, go on."""
    heard: list[str] = []

    def broken(notice: fleetspan.Notice) -> None:
        raise RuntimeError("broken subscriber")

    with (
        fleetspan.subscribe(broken),
        fleetspan.subscribe(lambda notice: heard.append(notice.kind)),
        fleetspan.subscribe(lambda notice: heard.append("only"), kinds=["llm.end"]),
        fleetspan.run("r"),
        fleetspan.agent("a"),
    ):
        with fleetspan.llm("m"):
            pass
        with fleetspan.tool("t"):
            fleetspan.decision("q")
    with fleetspan.run("after"):
        pass
    assert heard == [
        "run.start", "agent.start", "llm.start", "llm.end", "only", "tool.start",
        "decision", "tool.end", "agent.end", "run.end",
    ]  # fmt: skip
    assert len(caplog.records) == 1
    end = next(notice for notice in recorded.notices if notice.kind == "agent.end")
    assert (end.name, end.run_id, end.agent_id, end.error_type) == (
        "a",
        "0000000000000001",
        "0000000000000002",
        None,
    )
    assert end.duration_s is not None
    assert end.duration_s > 0


def test_an_unknown_kind_is_a_config_error() -> None:
    """A subscription to a kind that does not exist is refused with the kinds there are."""
    with pytest.raises(
        fleetspan.ConfigError, match=r"got 'agents', expected one of run\."
    ):
        fleetspan.subscribe(print, kinds=["agents"])  # type: ignore[list-item]
