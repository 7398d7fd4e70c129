"""OpenTelemetry-native instrumentation for AI agents and their sub-agents."""
