"""A run as the OTLP requests that would have told of it.

::

    workflow ── agent ── chat
                      ├─ execute_tool
                      └─ execute_tool ── agent of a lower level ── …

Spans carry what a plain OpenTelemetry GenAI instrumentation sends, and ``fleetspan.*``
only where the standard has no name: task and type of an agent, attempts within a call,
waits for permission, a parent that is not the span's. In `Style.CONTENT` tool calls have
their arguments and results, and ids are those of spans; in `Style.SDK` they have our
hashes, and ids are told, as by our SDK, with a span for each time that an agent was set
to work. What is still open has a start event and no span.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import pyarrow as pa
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fleetspan import _semconv as semconv
from fleetspan_collector.processors.run import Run
from tests.collector_processor.fleet import attributes, logs, traces
from tests.faults.plan import Row
from tests.faults.turns import Turn, span_at, turns_of, whole

_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")
_TIMES: Final = ("StartTime", "EndTime", "LastActivity")
_FAR_NS: Final = 7 * 86_400_000_000_000
_ERRORS: Final[Mapping[str, str]] = {
    "429 Too Many Requests": "429",
    "rate_limit_error: number of request tokens has exceeded your per-minute limit": (
        "rate_limit_error"
    ),
    "RateLimitError: Error code: 429": "openai.RateLimitError",
    "529 overloaded_error": "InternalServerError",
    "RESOURCE_EXHAUSTED": "ClientError",
    "500 Internal Server Error": "500",
    "APIConnectionError: connection reset by peer": "APIConnectionError",
    "502 Bad Gateway": "502",
    "ReadTimeout": "httpx.ReadTimeout",
}
"""What ``error.type`` says beside a message, by message: a code, or a client's class."""


class Style(Enum):
    """Who tells of a run."""

    CONTENT = "a GenAI instrumentation that records content"
    SDK = "our SDK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A run as requests.

    Attributes:
        requests: Traces, and logs if something of it is open.
        run_id: Its id in the store.
        trace_id: Its trace, in hexadecimal digits.
        agents: Ids of agents in the store, by their ids in the run.
        calls: The same of model calls.
        tools: The same of tool calls.
    """

    requests: list[Message]
    run_id: str
    trace_id: str
    agents: Mapping[str, str]
    calls: Mapping[str, str]
    tools: Mapping[str, str]


def as_otlp(run: Run, style: Style = Style.CONTENT) -> Told:
    """Return a run as requests.

    Args:
        run: The run; its topmost agent is the first without a known parent.
        style: Who tells of it.
    """
    return _Telling(run, style).told()


class _Telling:
    def __init__(self, run: Run, style: Style) -> None:
        self._facts = run.facts
        self._own = style is Style.SDK
        self._trace = _digest(run.facts.run_id, 16)
        self._top = _digest(f"workflow {run.facts.run_id}", 8)
        self._agents = _rows(run.agents.table)
        self._calls = _rows(run.llm_calls.table)
        self._tools = _rows(run.tool_calls.table)
        self._span_of = {
            row["AgentId"]: _span_id(row, "AgentId") for row in self._agents
        }
        self._turns = {row["AgentId"]: self._turns_of(row) for row in self._agents}
        self._tool_span = {
            row["ToolCallId"]: _span_id(row, "ToolCallId") for row in self._tools
        }
        self._tool_owner = {row["ToolCallId"]: row["AgentId"] for row in self._tools}
        self._spans: list[Span] = []
        self._events: list[LogRecord] = []

    def told(self) -> Told:
        """Return the requests."""
        self._workflow()
        for row in self._agents:
            self._agent(row)
        for row in self._calls:
            self._call(row)
        for row in self._tools:
            self._tool(row)
        requests: list[Message] = [traces(self._spans)]
        if self._events:
            requests.insert(0, logs(self._events))
        spans = {key: span.hex() for key, span in self._span_of.items()}
        return Told(
            requests=requests,
            run_id=self._facts.run_id
            if self._own
            else f"{self._trace.hex()}-{self._top.hex()}",
            trace_id=self._trace.hex(),
            agents={key: key for key in spans} if self._own else spans,
            calls={row["CallId"]: _span_id(row, "CallId").hex() for row in self._calls},
            tools={row["ToolCallId"]: row["ToolCallId"] for row in self._tools},
        )

    def _workflow(self) -> None:
        start = int(self._agents[0]["StartTime"])
        ends = [row["EndTime"] or row["LastActivity"] for row in self._agents]
        near = [int(end) for end in ends if abs(end - start) < _FAR_NS]
        named = {semconv.WORKFLOW_NAME: self._facts.name}
        if self._own:
            named[semconv.RUN_ID] = self._facts.run_id
        if any(row["Status"] in ("running", "abandoned") for row in self._agents):
            self._event(semconv.RUN_START, self._top, b"", start, named)
            return
        named[semconv.OPERATION] = semconv.INVOKE_WORKFLOW
        self._span(self._top, b"", f"run {self._facts.name}", start, max(near), named)

    def _agent(self, row: Row) -> None:
        parent = self._above(row)
        named = {
            semconv.AGENT_NAME: row["Name"],
            semconv.REQUEST_MODEL: row["Model"],
            semconv.AGENT_TYPE: row["Type"],
            semconv.AGENT_TASK: row["Task"],
        }
        if self._own:
            named[semconv.RUN_ID] = self._facts.run_id
            named[semconv.AGENT_ID] = row["AgentId"]
            named[semconv.PARENT_AGENT_ID] = row["ParentAgentId"]
            named[semconv.SPAWN_TOOL_CALL_ID] = row["SpawnToolCallId"]
        turns = self._turns[row["AgentId"]]
        if row["EndTime"] is None:
            first = turns[0]
            self._event(semconv.AGENT_START, first.span, parent, first.start_ns, named)
            return
        named[semconv.OPERATION] = semconv.INVOKE_AGENT
        name = f"invoke_agent {row['Name']}"
        for turn in turns:
            error = row["Error"] if turn is turns[-1] else ""
            self._span(
                turn.span, parent, name, turn.start_ns, turn.end_ns, named, error
            )

    def _turns_of(self, row: Row) -> list[Turn]:
        span = self._span_of[row["AgentId"]]
        if not self._own:
            return whole(row, span)
        both = itertools.chain(self._calls, self._tools)
        work = (each for each in both if each["AgentId"] == row["AgentId"])
        return turns_of(row, span, work)

    def _span_at(self, agent_id: str, at_ns: int) -> bytes:
        """Return the span of an agent at a moment; of one that never came the run's."""
        turns = self._turns.get(agent_id)
        return self._top if turns is None else span_at(turns, at_ns)

    def _above(self, row: Row) -> bytes:
        """Return the span that an agent's hangs under: its tool call's, or its parent's."""
        parent, spawned_by = row["ParentAgentId"], row["SpawnToolCallId"]
        if not parent:
            return self._top
        if self._tool_owner.get(spawned_by) == parent:
            return self._tool_span[spawned_by]
        # One that never came has a span, too, that never came.
        return self._span_of.get(parent) or _digest(parent, 8)

    def _call(self, row: Row) -> None:
        named = {
            semconv.OPERATION: "chat",
            semconv.PROVIDER: row["Provider"],
            semconv.REQUEST_MODEL: row["Model"],
        }
        if row["OutputTokens"] is not None:
            named |= _usage(row)
        if row["TimeToFirstTokenMs"] is not None:
            named[semconv.TIME_TO_FIRST_CHUNK] = row["TimeToFirstTokenMs"] / 1e3
        if row["FinishReason"]:
            named[semconv.FINISH_REASONS] = [row["FinishReason"]]
        if (row["Attempts"] or 1) > 1:
            named[semconv.ATTEMPTS] = row["Attempts"]
        self._work(row, _span_id(row, "CallId"), f"chat {row['Model']}", named)

    def _tool(self, row: Row) -> None:
        named = {
            semconv.TOOL_NAME: row["Tool"],
            semconv.TOOL_CALL_ID: row["ToolCallId"],
        }
        if self._own:
            named[semconv.ARGUMENTS_HASH] = row["ArgumentsHash"]
        span = self._tool_span[row["ToolCallId"]]
        if row["DurationMs"] is None:
            owner = self._span_at(row["AgentId"], row["StartTime"])
            named |= self._of_agent(row)
            self._event(semconv.TOOL_START, span, owner, row["StartTime"], named)
            return
        named[semconv.OPERATION] = semconv.EXECUTE_TOOL
        if row["PermissionWaitMs"]:
            named[semconv.PERMISSION_WAIT_MS] = row["PermissionWaitMs"]
        if self._own:
            named[semconv.RESULT_HASH] = row["ResultHash"]
            if row["ResultBytes"] is not None:
                named[semconv.RESULT_BYTES] = row["ResultBytes"]
        else:
            named[semconv.TOOL_ARGUMENTS] = f'{{"of": "{row["ArgumentsHash"]}"}}'
            named[semconv.TOOL_RESULT] = _text(row["ResultHash"], row["ResultBytes"])
        self._work(row, span, f"execute_tool {row['Tool']}", named)

    def _work(self, row: Row, span: bytes, name: str, named: Mapping[str, Any]) -> None:
        start, owner = row["StartTime"], self._span_at(row["AgentId"], row["StartTime"])
        end = start + round(row["DurationMs"] * 1e6)
        named = {**named, **self._of_agent(row)}
        self._span(span, owner, name, start, end, named, row["Error"])

    def _of_agent(self, row: Row) -> dict[str, Any]:
        if not self._own:
            return {}
        return {
            semconv.RUN_ID: self._facts.run_id,
            semconv.AGENT_ID: row["AgentId"],
        }

    def _span(
        self,
        span: bytes,
        parent: bytes,
        name: str,
        start_ns: int,
        end_ns: int,
        named: Mapping[str, Any],
        error: str = "",
    ) -> None:
        given = dict(named)
        status = None
        if error:
            given[semconv.ERROR_TYPE] = _ERRORS.get(error, "_OTHER")
            status = Status(code=Status.STATUS_CODE_ERROR, message=error)
        self._spans.append(
            Span(
                trace_id=self._trace,
                span_id=span,
                parent_span_id=parent,
                name=name,
                kind=Span.SPAN_KIND_INTERNAL,
                start_time_unix_nano=start_ns,
                end_time_unix_nano=max(end_ns, 0),
                attributes=attributes(_said(given)),
                status=status,
            )
        )

    def _event(
        self,
        name: str,
        span: bytes,
        parent: bytes,
        at_ns: int,
        named: Mapping[str, Any],
    ) -> None:
        above = {semconv.PARENT_SPAN_ID: parent.hex()}
        self._events.append(
            LogRecord(
                trace_id=self._trace,
                span_id=span,
                time_unix_nano=at_ns,
                event_name=name,
                attributes=attributes(_said({**named, **above})),
            )
        )


def _usage(row: Row) -> dict[str, int]:
    read, written = row["CacheReadTokens"] or 0, row["CacheWriteTokens"] or 0
    found = {
        semconv.INPUT_TOKENS: row["InputTokens"] + read + written,
        semconv.OUTPUT_TOKENS: row["OutputTokens"],
        semconv.CACHE_READ_TOKENS: read,
        semconv.CACHE_WRITE_TOKENS: written,
    }
    if row["ReasoningTokens"]:
        found[semconv.REASONING_TOKENS] = row["ReasoningTokens"]
    return found


def _said(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if value not in ("", None)}


def _text(name: str, size: int | None) -> str:
    """Return a text of so many bytes that another name does not have; of none nothing."""
    if not name or not size:
        return ""
    return (f"{name} " * (size // (len(name) + 1) + 1))[:size]


def _rows(table: pa.Table) -> list[Row]:
    for name in _TIMES:
        at = table.schema.get_field_index(name)
        if at >= 0:
            table = table.set_column(at, name, table[name].cast(pa.int64()))
    return list(table.to_pylist())


def _span_id(row: Row, key: str) -> bytes:
    known = str(row["SpanId"])
    if _SPAN_ID.fullmatch(known):
        return bytes.fromhex(known)
    return _digest(str(row[key]), 8)


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()


def together(told: Iterable[Told]) -> list[Message]:
    """Return the requests of several runs as one of each signal."""
    merged: dict[type[Message], Message] = {}
    parts: dict[type[Message], list[Message]] = defaultdict(list)
    for each in told:
        for request in each.requests:
            parts[type(request)].append(request)
    for kind, requests in parts.items():
        merged[kind] = kind()
        for request in requests:
            merged[kind].MergeFrom(request)
    return list(merged.values())
