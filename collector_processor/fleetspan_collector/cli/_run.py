"""From arguments to an exit code, whatever happens in between."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from fleetspan_collector.cli._app import app
from fleetspan_collector.cli._errors import report


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        0 ok, 1 problem found, 2 usage, 3 store not reachable, 130 interrupted.
    """
    # Before the arguments are parsed, because parsing may be what fails.
    debug = "--debug" in _before_a_program(arguments)
    try:
        code = app(args=list(arguments), prog_name="fleetspan", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except Exception as error:
        if debug:
            raise
        return report(error, sys.stderr)
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else 0


def _before_a_program(arguments: Sequence[str]) -> Sequence[str]:
    """Return the arguments that are ours, where ``--`` begins a program's."""
    words = list(arguments)
    return words[: words.index("--")] if "--" in words else words


def _forget_stdout() -> None:
    """Point standard output at nothing: its reader, such as ``head``, has left."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
