"""Frameworks that report by themselves, but only when told to."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from . import _notes
from ._imports import AfterImport


def watch(imports: AfterImport) -> None:
    """Tell them, as soon as they are imported."""
    imports.when("pydantic_ai", _pydantic_ai)


def _pydantic_ai(module: ModuleType) -> None:
    """Switch on every agent; messages stay out unless their capture is asked for."""
    agent: Any = module.Agent
    try:
        from pydantic_ai.agent import InstrumentationSettings  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from pydantic_ai.models.instrumented import (  # type: ignore[import-not-found,unused-ignore]
            InstrumentationSettings,
        )
    if getattr(agent, "_instrument_default", False):
        return
    agent.instrument_all(InstrumentationSettings(include_content=captures_content()))
    _notes.switched_on("pydantic_ai", "pydantic-ai")


def captures_content() -> bool:
    """Whether the user wants prompts and answers recorded."""
    said = os.environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "")
    return said.strip().lower() not in {"", "false", "0", "no_content"}
