"""Runs a program as if nothing stood between it and the terminal."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fleetspan_collector._errors import CollectorError

_PASSED_ON: Final = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
    }
)
# A terminal sends these to the program itself, which is in the same process group.
_FROM_TERMINALS: Final = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT})
# Python ignores these two; a program should find them as it would without us.
_RESTORED: Final = (signal.SIGPIPE, signal.SIGXFSZ)
_FROM_KERNEL: Final = 0x80
"""``si_code`` of a signal that no process has sent (Linux's SI_KERNEL)."""


class NotFoundError(CollectorError):
    """There is no such program."""

    exit_code = 127


class NotExecutableError(CollectorError):
    """There is one, and it cannot be run."""

    exit_code = 126


def find(name: str) -> str:
    """Return the path of a program, looked up as a shell does.

    Raises:
        NotFoundError: When there is none.
        NotExecutableError: When it is a folder, or may not be executed.
    """
    found = shutil.which(name)
    if found is not None:
        return found
    path = Path(name)
    if os.sep in name and path.exists():
        what = "a folder" if path.is_dir() else "not executable"
        mend = "name a program in it" if path.is_dir() else f"chmod +x {name}"
        raise NotExecutableError(
            f"{name} cannot be run", because=f"it is {what}", suggestion=mend
        )
    python = f"fleetspan run -- python {name}" if name.endswith(".py") else ""
    raise NotFoundError(
        f"there is no program {name!r}",
        because="no such file exists"
        if os.sep in name
        else "it is in no folder of PATH",
        suggestion=python or "check its name, or give its path",
    )


def run(
    path: str, command: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, bool]:
    """Run a program to its end with this process's streams, folder and terminal.

    Signals that reach this process are passed on; those that a terminal has sent reach
    the program anyhow, and once.

    Args:
        path: The program.
        command: Its name as it was called, and its arguments.
        environment: Its environment variables.

    Returns:
        The exit code, 128 and the signal's number when one ended it; and whether one did.

    Raises:
        NotExecutableError: When the system cannot execute it.
    """
    waited = _PASSED_ON | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    try:
        child = _spawn(path, command, environment, before)
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            _pass_on(child, waited)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    code = os.waitstatus_to_exitcode(status)
    return (code, False) if code >= 0 else (128 - code, True)


def _spawn(
    path: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    mask: set[signal.Signals] | set[int],
) -> int:
    options = {"setsigmask": mask, "setsigdef": _RESTORED}
    try:
        try:
            return os.posix_spawn(path, command, environment, **options)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script that does not name its interpreter is the shell's.
            arguments = ["sh", path, *command[1:]]
            return os.posix_spawn("/bin/sh", arguments, environment, **options)  # type: ignore[arg-type]
    except OSError as error:
        raise NotExecutableError(
            f"{path} cannot be run",
            because=error.strerror or str(error),
            suggestion=f"file {path}, to see what it is",
        ) from error


def _pass_on(child: int, waited: frozenset[signal.Signals]) -> None:
    """Wait for a signal and pass it on if the program has not got it already."""
    if sys.platform == "linux":
        received = signal.sigwaitinfo(waited)
        number, is_from_terminal = received.si_signo, received.si_code == _FROM_KERNEL
    else:
        number = signal.sigwait(waited)
        is_from_terminal = number in _FROM_TERMINALS and _is_in_foreground()
    if number == signal.SIGCHLD or (is_from_terminal and number in _FROM_TERMINALS):
        return
    try:
        os.kill(child, number)
    except ProcessLookupError:
        # Not waited for yet, so this cannot be another process.
        return


def _is_in_foreground() -> bool:
    try:
        with Path("/dev/tty").open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
