"""What a second of a run's wall time went to."""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """What a second went to; the README beside this says how each is told."""

    MODEL = "model"
    TOOL = "tool"
    PERMISSION = "permission"
    QUEUE = "queue"
    BACKOFF = "backoff"
    SUBAGENT = "subagent"
    GAP = "gap"
