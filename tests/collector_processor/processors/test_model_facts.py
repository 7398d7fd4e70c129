"""Context windows and small siblings of models."""

from __future__ import annotations

import pytest

from fleetspan_collector.processors.model_facts import context_window, small_sibling


@pytest.mark.parametrize(
    ("provider", "model", "window"),
    [
        ("anthropic", "claude-sonnet-4-5", 200_000),
        ("openai", "gpt-5", 400_000),
        ("", "gpt-5", 400_000),
        ("nobody", "gpt-5", 400_000),
        ("", "house-model", None),
        ("", "", None),
    ],
)
def test_the_context_window_is_that_of_the_table(
    provider: str, model: str, window: int | None
) -> None:
    """By provider and name, or by the name alone; unknown is None."""
    assert context_window(provider, model) == window


@pytest.mark.parametrize(
    ("provider", "model", "small"),
    [
        ("anthropic", "claude-opus-4-5", "claude-haiku-4-5"),
        ("anthropic", "claude-opus-4-5-20251101", "claude-haiku-4-5"),
        ("anthropic", "claude-3-opus-latest", "claude-3-haiku"),
        ("openai", "gpt-5", "gpt-5-mini"),
        ("openai", "gpt-5-pro", "gpt-5-mini"),
        ("gcp.vertex_ai", "gemini-2.5-pro", "gemini-2.5-flash"),
        ("anthropic", "claude-haiku-4-5", "claude-haiku-4-5"),
        ("mistral", "mistral-large-2411", None),
        ("", "house-model", None),
    ],
)
def test_the_small_sibling_is_of_the_nearest_version(
    provider: str, model: str, small: str | None
) -> None:
    """Of the same family; the smallest one has itself, unknown families have none."""
    assert small_sibling(provider, model) == small
