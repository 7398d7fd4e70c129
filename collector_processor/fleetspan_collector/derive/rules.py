"""Which rules made a derived row."""

from __future__ import annotations

from typing import Final

RULES_VERSION: Final = 2
"""Raised when a rule changes what is derived; `rebuild` then derives everything again."""
