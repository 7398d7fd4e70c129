"""``fleetspan claude``: what concerns Claude Code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import typer

from fleetspan_collector.cli import (
    claude_flush_command,
    claude_import_command,
    claude_install_command,
)
from fleetspan_collector.cli._invocation import with_common_options

claude: Final = typer.Typer(help="Claude Code: its transcripts, hooks and telemetry.")

_COMMANDS: Final[dict[str, Callable[..., int | None]]] = {
    "flush": with_common_options(claude_flush_command.flush),
    "import": with_common_options(claude_import_command.import_transcripts),
    "install": with_common_options(claude_install_command.install),
    "uninstall": with_common_options(claude_install_command.uninstall),
}
for _name, _command in _COMMANDS.items():
    claude.command(_name)(_command)
