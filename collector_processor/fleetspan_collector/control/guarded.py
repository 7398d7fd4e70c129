"""Calls that touch consent itself: an agent never approves, and never raises a limit."""

from __future__ import annotations

import re
from typing import Final

from fleetspan_routing.control.calls import Call

_COMMAND: Final = re.compile(
    r"fleetspan\S*\s+(?:--?\S+(?:\s+\S+)?\s+)*(?:approvals?|budget\s+set|keys|up)\b"
    r"|api/v1/control|owner\.json|consent\.json|fleetspan_collector\b.*\b(?:consent|owner)"
)
_FILES: Final = ("owner.json", "consent.json", "sender.key")


def is_approving(call: Call) -> bool:
    """Whether a call names the commands, the API or the files of consent."""
    names = (path.rsplit("/", 1)[-1] for path in call.paths)
    if any(name in _FILES for name in names):
        return True
    text = call.command or str(call.arguments.get("url", ""))
    # Quotes and backslashes hide a word from us, and not from a shell.
    plain = re.sub(r"[\"'\\]", "", text)
    return bool(_COMMAND.search(plain))
