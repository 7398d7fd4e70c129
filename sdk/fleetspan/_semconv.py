"""Every attribute, span, metric and event name that Fleetspan writes.

Followed: the OpenTelemetry GenAI conventions of open-telemetry/semantic-conventions-genai
(status *Development*) as its migration guide and its inference page stood in November 2026,
called *latest* here. *Old* is what semantic-conventions v1.36.0 to v1.41.0 said, where it
differs. What the conventions do not name is ours, under ``fleetspan.``.
"""

# ruff: noqa: S105 - tokens here are of models, not of authentication

from __future__ import annotations

from typing import Final

SCHEMA_VERSION: Final = "genai-2026-11"

# --- operations (values of OPERATION) and span names start with them
INVOKE_WORKFLOW: Final = "invoke_workflow"
INVOKE_AGENT: Final = "invoke_agent"
EXECUTE_TOOL: Final = "execute_tool"
INFERENCE_OPERATIONS: Final = frozenset({"chat", "text_completion", "generate_content"})

# --- GenAI attributes, latest
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
AGENT_NAME: Final = "gen_ai.agent.name"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_MODALITY: Final = "gen_ai.token.modality"
ERROR_TYPE: Final = "error.type"
USER_ID: Final = "user.id"

# --- GenAI attributes, old
OLD_SYSTEM: Final = "gen_ai.system"
OLD_CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
OLD_TOKEN_TYPE: Final = "gen_ai.token.type"

# --- ours
RUN_ID: Final = "fleetspan.run.id"
AGENT_ID: Final = "fleetspan.agent.id"
PARENT_AGENT_ID: Final = "fleetspan.agent.parent_id"
AGENT_TYPE: Final = "fleetspan.agent.type"
AGENT_TASK: Final = "fleetspan.agent.task"
AGENT_TOOLS: Final = "fleetspan.agent.tools"
AGENT_OUTCOME: Final = "fleetspan.agent.outcome"
AGENT_RESULT: Final = "fleetspan.agent.result"
SPAWN_TOOL_CALL_ID: Final = "fleetspan.spawn.tool_call_id"
BACKGROUND: Final = "fleetspan.background"
CACHE_WRITE_5M_TOKENS: Final = "fleetspan.usage.cache_write_5m.input_tokens"
CACHE_WRITE_1H_TOKENS: Final = "fleetspan.usage.cache_write_1h.input_tokens"
COST_USD: Final = "fleetspan.cost.usd"
ATTEMPTS: Final = "fleetspan.attempts"
ARGUMENTS_HASH: Final = "fleetspan.tool.arguments_hash"
RESULT_HASH: Final = "fleetspan.tool.result_hash"
RESULT_BYTES: Final = "fleetspan.tool.result_bytes"
PERMISSION_WAIT_MS: Final = "fleetspan.permission_wait_ms"
SUCCESS: Final = "fleetspan.success"
PARENT_SPAN_ID: Final = "fleetspan.parent_span_id"

# --- ours: log events that say that something has started
RUN_START: Final = "fleetspan.run.start"
AGENT_START: Final = "fleetspan.agent.start"
TOOL_START: Final = "fleetspan.tool.start"

# --- ours: the span event of a snapshot
SNAPSHOT: Final = "fleetspan.snapshot"
SNAPSHOT_ID: Final = "fleetspan.snapshot.id"
SNAPSHOT_NAME: Final = "fleetspan.snapshot.name"
SNAPSHOT_REASON: Final = "fleetspan.snapshot.reason"
SNAPSHOT_STATE_HASH: Final = "fleetspan.snapshot.state_hash"
SNAPSHOT_STATE_BYTES: Final = "fleetspan.snapshot.state_bytes"

# --- ours: a step of a workflow (fleetspan_routing.coordinator), and its span events
STEP_NAME: Final = "fleetspan.step.name"
STEP_PHASE: Final = "fleetspan.step.phase"
STEP_NEEDS: Final = "fleetspan.step.needs"
STEP_GROWN_BY: Final = "fleetspan.step.grown_by"
STEP_SLOT_WAIT_MS: Final = "fleetspan.step.slot_wait_ms"
STEP_ATTEMPT: Final = "fleetspan.step.attempt"
STEP_WAIT_S: Final = "fleetspan.step.wait_s"
STEP_BECAUSE: Final = "fleetspan.step.because"
STEP_RETRY: Final = "fleetspan.step.retry"
STEP_SKIPPED: Final = "fleetspan.step.skipped"
STEP_RESTORED: Final = "fleetspan.step.restored"

# --- ours: log events in which the collector tells of runs, and their attributes by the
# field of the document that they are of
FINDING: Final = "fleetspan.finding"
FINDING_ATTRIBUTES: Final = {
    "finding_id": "fleetspan.finding.id",
    "detector": "fleetspan.finding.detector",
    "severity": "fleetspan.finding.severity",
    "at": "fleetspan.finding.at",
    "seconds": "fleetspan.finding.seconds",
    "usd": "fleetspan.finding.usd",
    "advice": "fleetspan.finding.advice",
    "details": "fleetspan.finding.details",
    "run_open": "fleetspan.finding.run_open",
    "span_ids": "fleetspan.finding.span_ids",
    "agent_ids": "fleetspan.finding.agent_ids",
    "call_ids": "fleetspan.finding.call_ids",
    "tool_call_ids": "fleetspan.finding.tool_call_ids",
    "run_id": RUN_ID,
    "run_name": "fleetspan.run.name",
    "session_id": CONVERSATION_ID,
    "agent_id": AGENT_ID,
    "agent_name": AGENT_NAME,
}
RUN_SUMMARY: Final = "fleetspan.run.summary"
RUN_ATTRIBUTES: Final = {
    "run_id": RUN_ID,
    "run_name": "fleetspan.run.name",
    "session_id": CONVERSATION_ID,
    "status": "fleetspan.run.status",
    "started_at": "fleetspan.run.started_at",
    "task_kind": "fleetspan.run.task_kind",
    "wall_s": "fleetspan.run.wall_s",
    "model_s": "fleetspan.run.model_s",
    "tool_s": "fleetspan.run.tool_s",
    "permission_s": "fleetspan.run.permission_s",
    "queue_s": "fleetspan.run.queue_s",
    "backoff_s": "fleetspan.run.backoff_s",
    "subagent_s": "fleetspan.run.subagent_s",
    "gap_s": "fleetspan.run.gap_s",
    "busy_s": "fleetspan.run.busy_s",
    "cost_usd": "fleetspan.run.cost_usd",
    "saved_s": "fleetspan.run.saved_s",
    "saved_usd": "fleetspan.run.saved_usd",
    "complexity": "fleetspan.run.complexity",
    "effort": "fleetspan.run.effort",
    "files_touched": "fleetspan.run.files_touched",
    "set_aside": "fleetspan.run.set_aside",
    "version": "fleetspan.run.version",
}

# --- ours: metrics in which the collector tells of runs
FINDINGS: Final = "fleetspan.findings"
RUN_DURATION: Final = "fleetspan.run.duration"
RUN_COST: Final = "fleetspan.run.cost"
RUN_SAVINGS: Final = "fleetspan.run.savings"
RUN_TIME_SAVINGS: Final = "fleetspan.run.time_savings"
RUN_STATUS: Final = "fleetspan.run.status"

# --- ours: span events; a field is ``fleetspan.<kind>.<field>``
EVENT_PREFIX: Final = "fleetspan."

# --- resource
PROJECT: Final = "fleetspan.project"
SERVICE_NAME: Final = "service.name"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
ENVIRONMENT: Final = "deployment.environment.name"
HOST_NAME: Final = "host.name"
PROCESS_PID: Final = "process.pid"
PROCESS_ID: Final = "fleetspan.process.id"
"""Boot, pid namespace, pid and start: see `_process.process_id`."""

# --- W3C baggage that a subprocess or a server receives
BAGGAGE_RUN_ID: Final = "fleetspan.run.id"
BAGGAGE_SESSION_ID: Final = "fleetspan.session.id"
BAGGAGE_AGENT_ID: Final = "fleetspan.agent.id"
BAGGAGE_AGENT_NAME: Final = "fleetspan.agent.name"

# --- metrics, latest
INFERENCE_DURATION: Final = "gen_ai.client.inference.duration"
INFERENCE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.inference.time_to_first_chunk"
OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
USAGE_INPUT: Final = "gen_ai.client.inference.usage.input_tokens"
USAGE_OUTPUT: Final = "gen_ai.client.inference.usage.output_tokens"
USAGE_CACHE_READ: Final = "gen_ai.client.inference.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE: Final = "gen_ai.client.inference.usage.cache_write.input_tokens"
USAGE_REASONING: Final = "gen_ai.client.inference.usage.reasoning.output_tokens"
CALL_INPUT: Final = "gen_ai.client.inference.operation.input_tokens"
CALL_OUTPUT: Final = "gen_ai.client.inference.operation.output_tokens"
AGENT_DURATION: Final = "gen_ai.invoke_agent.duration"
AGENT_INFERENCE_CALLS: Final = "gen_ai.invoke_agent.inference_calls"
AGENT_TOOL_CALLS: Final = "gen_ai.invoke_agent.tool_calls"
TOOL_DURATION: Final = "gen_ai.execute_tool.duration"
WORKFLOW_DURATION: Final = "gen_ai.invoke_workflow.duration"

# --- metrics, old (OPERATION_DURATION is old for inference, latest for all else)
OLD_TOKEN_USAGE: Final = "gen_ai.client.token.usage"
OLD_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"

# --- histogram buckets that the conventions recommend
CALL_SECONDS: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
AGENT_SECONDS: Final = (
    0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6,
)  # fmt: skip
WORKFLOW_SECONDS: Final = (
    1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
)  # fmt: skip
TOKENS: Final = tuple(float(4**power) for power in range(14))
# Ours: the conventions recommend none for money.
USD: Final = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 50.0, 100.0)
# Ours: the conventions recommend none for counts of calls.
CALLS: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
