"""What is content: the names of attributes, fields and events, for every dialect.

Each dialect's file names its own; here is what several share, or older versions had.

Content is what people, models and tools said: prompts, completions, arguments and
results of tools, system instructions, definitions of tools. Names, ids, models, counts
and times are not.
"""

from __future__ import annotations

from typing import Final

from fleetspan_collector.dialects import dialects

_OF_DIALECTS: Final = {
    name for dialect in dialects().values() for name in dialect.content
}
"""The row ``content`` of every dialect's file; ``*`` stands for any ending."""

CONTENT: Final = _OF_DIALECTS | frozenset(
    {
        # OpenTelemetry GenAI, both generations, and what follows it
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.definitions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.tool.message",
        "gen_ai.tool.args",
        "gen_ai.tool.description",
        "gen_ai.tool.json_schema",
        "gen_ai.prompt",
        "gen_ai.completion",
        "gen_ai.event.content",
        "gen_ai.agent.description",
        "gen_ai.request.prompt",
        "gen_ai.response.content",
        "gen_ai.retrieval.query.text",
        "gen_ai.retrieval.documents",
        "gen_ai.memory.content",
        "gen_ai.evaluation.explanation",
        # OpenInference
        "input.value",
        "output.value",
        "llm.prompts",
        "llm.completions",
        "llm.input_messages",
        "llm.output_messages",
        "llm.function_call",
        "llm.invocation_parameters",  # with the instructions of OpenAI's newer interface
        "llm.prompt_template.template",
        "llm.prompt_template.variables",
        "llm.tools",
        "tool.description",
        "tool.parameters",
        "tool.json_schema",
        "message.content",
        "document.content",
        "embedding.text",
        # OpenLLMetry
        "traceloop.entity.input",
        "traceloop.entity.output",
        "llm.request.functions",
        # Vercel AI
        "ai.prompt",
        "ai.values",
        "ai.value",
        "ai.schema",
        "ai.result.text",
        "ai.result.object",
        "ai.result.toolCalls",
        "ai.response.text",
        "ai.response.object",
        "ai.response.toolCalls",
        "ai.response.reasoning",
        "ai.response.files",
        "ai.toolCall.args",
        "ai.toolCall.result",
        # Langfuse
        "langfuse.observation.input",
        "langfuse.observation.output",
        "langfuse.trace.input",
        "langfuse.trace.output",
        # Logfire and pydantic-ai
        "all_messages_events",
        "pydantic_ai.all_messages",
        "all_messages",
        "tool_arguments",
        "tool_response",
        "final_result",
        "model_request_parameters",
        "request_data",
        "response_data",
        # Google ADK
        "gcp.vertex.agent.llm_request",
        "gcp.vertex.agent.llm_response",
        "gcp.vertex.agent.tool_call_args",
        "gcp.vertex.agent.tool_response",
        "gcp.vertex.agent.data",
        # Strands, Microsoft Agent Framework, OpenLIT, CrewAI
        "system_prompt",
        "workflow.definition",
        "coding_agent.prompt",
        "coding_agent.response",
        "coding_agent.user_prompt",
        "coding_agent.tool.arguments",
        "coding_agent.tool.result",
        "coding_agent.tool.input",
        "coding_agent.tool.output",
        "crewai.task.description",
        # ours
        "fleetspan.agent.task",
        "fleetspan.agent.result",
        "fleetspan.file_operation.diff",
    }
)
"""Attributes that are content wherever they stand."""

CONTENT_PREFIXES: Final = (
    *sorted(name.rstrip("*") for name in _OF_DIALECTS if name.endswith("*")),
    "gen_ai.prompt.",
    "gen_ai.completion.",
    "llm.prompts.",
    "llm.completions.",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.tools.",
    "llm.request.functions.",
    "retrieval.documents.",
    "reranker.input_documents.",
    "reranker.output_documents.",
    "embedding.embeddings.",
    "ai.prompt.",
    "langfuse.observation.input.",
    "langfuse.observation.output.",
)
"""Content that some dialects spread over numbered attributes."""

PLAIN_ENDINGS: Final = (
    ".role",
    ".id",
    ".name",
    ".type",
    ".score",
    ".finish_reason",
    ".tool_call_id",
)
"""Endings of numbered attributes that are no content."""

IN_MESSAGE_EVENTS: Final = frozenset(
    {
        *("content", "message", "body", "prompt", "completion", "input", "output"),
        *("arguments", "result", "tool_calls", "parts", "thinking", "reasoning"),
        *("system_instructions", "choice", "text", "tool.result"),
    }
)
"""Attributes that are content on an event that is a message of a conversation."""

CLAUDE_SCOPE: Final = "com.anthropic.claude_code"
IN_CLAUDE_CODE: Final = frozenset(
    {
        *("prompt", "prompt_text", "user_prompt", "response", "response.model_output"),
        *("system_prompt", "system_prompt_preview", "new_context", "system_reminders"),
        *("tool_input", "tool_parameters", "tool_result", "tool_output", "tools"),
        *("full_command", "bash_command", "file_path", "command", "command_args"),
        *("output", "content", "input", "body", "hook_definitions", "summary"),
        "mcp_tool_input",
    }
)
"""Attributes that are content in the scopes of Claude Code."""


def is_message_event(name: str) -> bool:
    """Tell whether an event is a message: all that it says is content."""
    return name.startswith("gen_ai.") and (
        name.endswith(".message")
        or name in ("gen_ai.choice", "gen_ai.client.inference.operation.details")
        or name.startswith("gen_ai.content.")
    )


def is_content(name: str, *, in_message: bool, in_claude_code: bool) -> bool:
    """Tell whether an attribute is content.

    Args:
        name: Its name.
        in_message: Whether it stands on an event that is a message.
        in_claude_code: Whether its scope is one of Claude Code.
    """
    if name in CONTENT:
        return True
    if name.startswith(CONTENT_PREFIXES):
        return not name.endswith(PLAIN_ENDINGS)
    return (in_message and name in IN_MESSAGE_EVENTS) or (
        in_claude_code and name in IN_CLAUDE_CODE
    )
