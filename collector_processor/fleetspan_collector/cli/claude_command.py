"""``fleetspan claude``: what concerns Claude Code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import typer

from fleetspan_collector.cli._invocation import with_common_options

claude: Final = typer.Typer(help="Claude Code: its transcripts, hooks and telemetry.")

_COMMANDS: Final[dict[str, Callable[..., int | None]]] = {}
for _name, _command in _COMMANDS.items():
    claude.command(_name)(with_common_options(_command))
