"""What tells others of findings and runs: OTLP out, commands and webhooks."""
