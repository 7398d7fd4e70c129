"""The modes: deliver one hook, ask what to answer one, flush the spool, print a status line.

Whatever happens, the exit code is 0 and nothing is written but a status line: an observer
never blocks, delays or breaks what it observes. Only who asks writes an answer, and only
who was told to stop without one (`ask`) ends with 2, which the client takes for a no.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

DEFAULT_ENDPOINT: Final = "http://127.0.0.1:4318"
ENDPOINT_VARIABLE: Final = "FLEETSPAN_HOOK_ENDPOINT"
SPOOL_VARIABLE: Final = "FLEETSPAN_SPOOL"
STOPPED: Final = 2
"""What the client takes for a no."""


def main() -> NoReturn:
    """Do what the arguments of the process say, and end it."""
    try:
        _run(sys.argv[1:])
    except SystemExit as leaving:
        if leaving.code == STOPPED:
            os._exit(STOPPED)
    except BaseException:  # noqa: S110, BLE001 - nobody may notice, whatever it was
        pass
    # No clean-up of the interpreter: it takes time, and could print.
    os._exit(0)


def _run(arguments: list[str]) -> None:
    mode = "deliver"
    if arguments and not arguments[0].startswith("-"):
        mode = arguments[0]
    options = read_options(arguments)
    if mode == "statusline":
        from fleetspan_hook.statusline import print_status

        print_status(options.get("data"))
        return
    endpoint = (
        options.get("endpoint")
        or os.environ.get(ENDPOINT_VARIABLE, "").strip()
        or DEFAULT_ENDPOINT
    )
    if mode == "flush":
        from fleetspan_hook.send import flush
        from fleetspan_hook.spool import spool_of

        flush(spool_of(endpoint))
    elif mode == "ask":
        from fleetspan_hook.ask import ask

        ask(endpoint, options.get("unreachable", "allow"))
    elif mode == "deliver":
        from fleetspan_hook.deliver import deliver

        deliver(endpoint)


def read_options(arguments: list[str]) -> dict[str, str]:
    """Return ``--name value`` and ``--name=value``; anything else is passed over."""
    options: dict[str, str] = {}
    waiting = ""
    for argument in arguments:
        if argument.startswith("--"):
            waiting, equals, value = argument[2:].partition("=")
            if equals:
                options[waiting], waiting = value, ""
        elif waiting:
            options[waiting], waiting = argument, ""
    return options


if __name__ == "__main__":
    main()
