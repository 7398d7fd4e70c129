"""The GenAI metrics, of both generations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.context import Context

from fleetspan import _semconv as semconv

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, Meter

    from fleetspan._spans import LLM, Agent, Run, Tool

# An empty context: no exemplar, whose reservoir would double the cost of a record.
_NOWHERE = Context()

_SHARED = (
    semconv.OPERATION,
    semconv.PROVIDER,
    semconv.REQUEST_MODEL,
    semconv.RESPONSE_MODEL,
    semconv.ERROR_TYPE,
)
# attribute of a finished call -> latest counter
_COUNTERS = {
    semconv.INPUT_TOKENS: semconv.USAGE_INPUT,
    semconv.OUTPUT_TOKENS: semconv.USAGE_OUTPUT,
    semconv.CACHE_READ_TOKENS: semconv.USAGE_CACHE_READ,
    semconv.CACHE_WRITE_TOKENS: semconv.USAGE_CACHE_WRITE,
    semconv.REASONING_TOKENS: semconv.USAGE_REASONING,
}


class Instruments:
    """Every metric instrument of the SDK, and what is recorded when something ends.

    Args:
        meter: Where they are made.
        with_old: Write the old generation beside the latest.
    """

    def __init__(self, meter: Meter, *, with_old: bool) -> None:
        def seconds(name: str, buckets: Sequence[float], text: str) -> Histogram:
            return meter.create_histogram(
                name, "s", text, explicit_bucket_boundaries_advisory=buckets
            )

        def counts(
            name: str, unit: str, text: str, buckets: Sequence[float] = semconv.TOKENS
        ) -> Histogram:
            return meter.create_histogram(
                name, unit, text, explicit_bucket_boundaries_advisory=buckets
            )

        call, agent = semconv.CALL_SECONDS, semconv.AGENT_SECONDS
        self._with_old = with_old
        self._inference = seconds(
            semconv.INFERENCE_DURATION, call, "Duration of a model call."
        )
        self._operation = seconds(
            semconv.OPERATION_DURATION, call, "Duration of a GenAI operation."
        )
        self._first_chunk = seconds(
            semconv.INFERENCE_TIME_TO_FIRST_CHUNK, call, "Time to the first chunk."
        )
        self._agent = seconds(semconv.AGENT_DURATION, agent, "Duration of an agent.")
        self._workflow = seconds(
            semconv.WORKFLOW_DURATION, semconv.WORKFLOW_SECONDS, "Duration of a run."
        )
        self._tool = seconds(semconv.TOOL_DURATION, call, "Duration of a tool call.")
        self._agent_inference_calls = counts(
            semconv.AGENT_INFERENCE_CALLS,
            "{call}",
            "Model calls that one agent made itself.",
            semconv.CALLS,
        )
        self._agent_tool_calls = counts(
            semconv.AGENT_TOOL_CALLS,
            "{call}",
            "Tool calls that one agent made itself.",
            semconv.CALLS,
        )
        self._call_input = counts(
            semconv.CALL_INPUT, "{token}", "Input tokens of a call, cached included."
        )
        self._call_output = counts(
            semconv.CALL_OUTPUT, "{token}", "Output tokens of a call."
        )
        self._counters: dict[str, Counter] = {
            attribute: meter.create_counter(name, "{token}", "Tokens used, by kind.")
            for attribute, name in _COUNTERS.items()
        }
        if with_old:
            self._old_usage = counts(
                semconv.OLD_TOKEN_USAGE, "{token}", "Tokens of a call, by type."
            )
            self._old_first_chunk = seconds(
                semconv.OLD_TIME_TO_FIRST_CHUNK, call, "Time to the first chunk."
            )

    def llm_ended(self, llm: LLM) -> None:
        """Record a finished model call."""
        said = llm.all_attributes()
        labels = {name: said[name] for name in _SHARED if name in said}
        duration_s = llm.duration_s
        is_inference = llm.operation in semconv.INFERENCE_OPERATIONS
        if is_inference:
            self._inference.record(duration_s, labels, context=_NOWHERE)
        if self._with_old or not is_inference:
            self._operation.record(duration_s, labels, context=_NOWHERE)
        first = said.get(semconv.TIME_TO_FIRST_CHUNK)
        if isinstance(first, float):
            self._first_chunk.record(first, labels, context=_NOWHERE)
            if self._with_old:
                self._old_first_chunk.record(first, labels, context=_NOWHERE)
        self._record_usage(said, labels)

    def _record_usage(self, said: dict[str, object], labels: dict[str, object]) -> None:
        usage_labels = {**labels, semconv.TOKEN_MODALITY: "unknown"}
        for attribute, counter in self._counters.items():
            tokens = said.get(attribute)
            if isinstance(tokens, int):
                counter.add(tokens, usage_labels, context=_NOWHERE)  # type: ignore[arg-type]
        for attribute, histogram, token_type in (
            (semconv.INPUT_TOKENS, self._call_input, "input"),
            (semconv.OUTPUT_TOKENS, self._call_output, "output"),
        ):
            tokens = said.get(attribute)
            if isinstance(tokens, int):
                histogram.record(tokens, labels, context=_NOWHERE)  # type: ignore[arg-type]
                if self._with_old:
                    old = {**labels, semconv.OLD_TOKEN_TYPE: token_type}
                    self._old_usage.record(tokens, old, context=_NOWHERE)  # type: ignore[arg-type]

    def tool_ended(self, tool: Tool) -> None:
        """Record a finished tool call."""
        labels = {semconv.TOOL_NAME: tool.name}
        if tool.error_type is not None:
            labels[semconv.ERROR_TYPE] = tool.error_type
        self._tool.record(tool.duration_s, labels, context=_NOWHERE)

    def agent_ended(self, agent: Agent) -> None:
        """Record a finished agent."""
        labels = {semconv.AGENT_NAME: agent.name}
        if agent.model is not None:
            labels[semconv.REQUEST_MODEL] = agent.model
        self._agent_inference_calls.record(agent.llm_calls, labels, context=_NOWHERE)
        self._agent_tool_calls.record(agent.tool_calls, labels, context=_NOWHERE)
        if agent.error_type is not None:
            labels = {**labels, semconv.ERROR_TYPE: agent.error_type}
        self._agent.record(agent.duration_s, labels, context=_NOWHERE)

    def run_ended(self, run: Run) -> None:
        """Record a finished run."""
        labels = {semconv.WORKFLOW_NAME: run.name}
        if run.error_type is not None:
            labels[semconv.ERROR_TYPE] = run.error_type
        self._workflow.record(run.duration_s, labels, context=_NOWHERE)
