"""The GenAI metrics, of both generations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context

from fleetspan import _semconv as semconv

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, Meter

# An empty context: no exemplar, whose reservoir would double the cost of a record.
_NOWHERE = Context()

_SHARED = (
    semconv.OPERATION,
    semconv.PROVIDER,
    semconv.REQUEST_MODEL,
    semconv.RESPONSE_MODEL,
    semconv.ERROR_TYPE,
)
# In the order in which a call reports its tokens.
_COUNTERS = (
    semconv.USAGE_INPUT,
    semconv.USAGE_OUTPUT,
    semconv.USAGE_CACHE_READ,
    semconv.USAGE_CACHE_WRITE,
    semconv.USAGE_REASONING,
)


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
        self._counters = tuple(
            meter.create_counter(name, "{token}", "Tokens used, by kind.")
            for name in _COUNTERS
        )
        self._sums: dict[tuple[Any, ...], list[int | None]] = {}
        if with_old:
            self._old_usage = counts(
                semconv.OLD_TOKEN_USAGE, "{token}", "Tokens of a call, by type."
            )
            self._old_first_chunk = seconds(
                semconv.OLD_TIME_TO_FIRST_CHUNK, call, "Time to the first chunk."
            )

    def llm_ended(self, call: tuple[Any, ...]) -> None:
        """Record a model call: labels, tokens, seconds, seconds to the first chunk."""
        key, tokens, duration_s, first_chunk_s = call
        labels = {name: text for name, text in zip(_SHARED, key, strict=True) if text}
        is_inference = key[0] in semconv.INFERENCE_OPERATIONS
        if is_inference:
            self._inference.record(duration_s, labels, context=_NOWHERE)
        if self._with_old or not is_inference:
            self._operation.record(duration_s, labels, context=_NOWHERE)
        if first_chunk_s is not None:
            self._first_chunk.record(first_chunk_s, labels, context=_NOWHERE)
            if self._with_old:
                self._old_first_chunk.record(first_chunk_s, labels, context=_NOWHERE)
        sums = self._sums.setdefault(key, [None] * len(tokens))
        for place, count in enumerate(tokens):
            if count is not None:
                sums[place] = count + (sums[place] or 0)
        for count, histogram, token_type in (
            (tokens[0], self._call_input, "input"),
            (tokens[1], self._call_output, "output"),
        ):
            if count is not None:
                histogram.record(count, labels, context=_NOWHERE)
                if self._with_old:
                    old = {**labels, semconv.OLD_TOKEN_TYPE: token_type}
                    self._old_usage.record(count, old, context=_NOWHERE)

    def settle(self) -> None:
        """Hand the sums since the last time to the counters.

        Recording costs OpenTelemetry some 10 microseconds; a busy program makes many calls
        of one model between two rounds of the worker, and needs one each.
        """
        sums, self._sums = self._sums, {}
        for key, totals in sums.items():
            labels = {
                name: text for name, text in zip(_SHARED, key, strict=True) if text
            }
            # We know counts of tokens, not whether they were text, image or audio.
            labels[semconv.TOKEN_MODALITY] = "unknown"
            for counter, total in zip(self._counters, totals, strict=True):
                if total is not None:
                    counter.add(total, labels, context=_NOWHERE)

    def tool_ended(self, call: tuple[Any, ...]) -> None:
        """Record a tool call: name, error type, seconds."""
        name, error_type, duration_s = call
        labels = _with_error({semconv.TOOL_NAME: name}, error_type)
        self._tool.record(duration_s, labels, context=_NOWHERE)

    def agent_ended(self, agent: tuple[Any, ...]) -> None:
        """Record an agent: name, model, error type, seconds, model calls, tool calls."""
        name, model, error_type, duration_s, llm_calls, tool_calls = agent
        labels = {semconv.AGENT_NAME: name}
        if model is not None:
            labels[semconv.REQUEST_MODEL] = model
        self._agent_inference_calls.record(llm_calls, labels, context=_NOWHERE)
        self._agent_tool_calls.record(tool_calls, labels, context=_NOWHERE)
        labels = _with_error(labels, error_type)
        self._agent.record(duration_s, labels, context=_NOWHERE)

    def run_ended(self, run: tuple[Any, ...]) -> None:
        """Record a run: name, error type, seconds."""
        name, error_type, duration_s = run
        labels = _with_error({semconv.WORKFLOW_NAME: name}, error_type)
        self._workflow.record(duration_s, labels, context=_NOWHERE)


def _with_error(labels: dict[str, str], error_type: str | None) -> dict[str, str]:
    return labels if error_type is None else {**labels, semconv.ERROR_TYPE: error_type}
