"""``fleetspan statusline``."""

from __future__ import annotations

from fleetspan_collector.cli._invocation import Invocation
from fleetspan_hook.statusline import print_status


def statusline(invocation: Invocation) -> None:
    """Print one line for Claude Code's status line: cost, agents at work, context.

    Reads the client's JSON on standard input; silent when there is nothing to say. The
    command takes a short cut past this function when it is its first argument.
    """
    print_status(str(invocation.data) if invocation.data else None)
