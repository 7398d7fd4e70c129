"""Libraries of models and agents, and what reports their calls.

Also read by the command, outside the program: it says what to install. The packages are
those of OpenTelemetry's own GenAI repository where it has released one, else OpenInference's;
each emits a dialect that the collector reads.
"""

from __future__ import annotations

PACKAGES: dict[str, str] = {
    "agents": "opentelemetry-instrumentation-genai-openai-agents",
    "agno": "opentelemetry-instrumentation-genai-agno",
    "anthropic": "opentelemetry-instrumentation-genai-anthropic",
    "autogen_agentchat": "openinference-instrumentation-autogen-agentchat",
    "crewai": "openinference-instrumentation-crewai",
    "dspy": "opentelemetry-instrumentation-genai-dspy",
    "google.genai": "opentelemetry-instrumentation-google-genai",
    "groq": "openinference-instrumentation-groq",
    "haystack": "openinference-instrumentation-haystack",
    "langchain": "opentelemetry-instrumentation-genai-langchain",
    "langchain_core": "opentelemetry-instrumentation-genai-langchain",
    "litellm": "openinference-instrumentation-litellm",
    "llama_index.core": "opentelemetry-instrumentation-genai-llama-index",
    "mistralai": "openinference-instrumentation-mistralai",
    "openai": "opentelemetry-instrumentation-genai-openai",
    "portkey_ai": "opentelemetry-instrumentation-genai-portkey",
    "qwen_agent": "opentelemetry-instrumentation-genai-qwen-agent",
    "smolagents": "opentelemetry-instrumentation-genai-smolagents",
}
"""Module → the package that reports its calls."""

OWN: tuple[str, ...] = (
    "agent_framework",
    "fleetspan",
    "google.adk",
    "pydantic_ai",
    "strands",
)
"""Modules that report by themselves, once OpenTelemetry's SDK is installed."""

SDK: tuple[str, ...] = (
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-http",
)
"""Packages without which nothing can be sent."""
