"""Redaction and the content policy: what is taken out before anything is kept."""

from ._content import ContentPolicy
from ._key import KEY_FILE, load_key
from ._protection import WHAT, Protection, RedactionSettings, check_pattern
from .metrics import RedactionMetrics

__all__ = [
    "KEY_FILE",
    "WHAT",
    "ContentPolicy",
    "Protection",
    "RedactionMetrics",
    "RedactionSettings",
    "check_pattern",
    "load_key",
]
