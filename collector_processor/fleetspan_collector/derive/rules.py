"""Which rules made a derived row."""

from __future__ import annotations

from typing import Final

RULES_VERSION: Final = 3
"""Raised when a rule changes what is derived; `rebuild` then derives everything again."""

RATE_LIMITED: Final = (
    r"(?i:\b(?:429|529)\b|rate.?limit|too.?many.?requests|overloaded|throttl"
    r"|resource.?exhausted)"
)
"""In an error (a status code, a class, a message): the provider said "later".

Read by Python and by RE2.
"""
