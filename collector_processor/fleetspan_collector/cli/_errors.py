"""Errors in three lines: ``error:``, ``because:``, ``try:``."""

from __future__ import annotations

import errno
from typing import Any, Final, TextIO

import typer

from fleetspan._errors import ConfigError
from fleetspan_collector._errors import CollectorError, UnreachableError, UsageError
from fleetspan_collector.cli._text import plain

# typer carries its own copy of click from some version on, so the class is found
# through one of typer's own exceptions.
_ClickException: Final[Any] = next(
    each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException"
)


def report(error: Exception, stream: TextIO) -> int:
    """Write an exception for a person and return the exit code that goes with it."""
    answer = translate(error)
    write(answer, stream)
    return answer.exit_code


def write(answer: CollectorError, stream: TextIO) -> None:
    """Write the three lines; what came from outside cannot add lines of its own."""
    lines = {
        "error": answer.error,
        "because": answer.because,
        "try": answer.suggestion,
    }
    stream.writelines(
        f"{label}: {' '.join(plain(text).split())}\n" for label, text in lines.items()
    )
    stream.flush()


def translate(error: Exception) -> CollectorError:
    """Turn any exception into one that says what to do."""
    if isinstance(error, CollectorError):
        return error
    if isinstance(error, ConfigError):
        return UsageError(
            f"the setting '{error.setting}' cannot be used",
            because=error.problem,
            suggestion="fleetspan config show --origin",
        )
    if isinstance(error, _ClickException):
        return _from_click(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return UnreachableError(
            "the disk is full",
            because=str(error),
            suggestion="free some space, or move the data with --data DIRECTORY",
        )
    if isinstance(error, OSError) and error.filename is not None:
        return UnreachableError(
            f"{error.filename} cannot be used",
            because=error.strerror or str(error),
            suggestion="choose a directory that you may write, with --data DIRECTORY",
        )
    return CollectorError(
        "fleetspan itself failed",
        because=f"{type(error).__name__}: {error}",
        suggestion="the same command with --debug, for the traceback",
    )


def _from_click(error: Any) -> CollectorError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "fleetspan"
    message = error.format_message().rstrip(".")
    because, _, guess = message.replace(
        "(Possible options: ", "Did you mean "
    ).partition(" Did you mean ")
    guess = guess.rstrip("?).")
    return UsageError(
        f"the command line of '{path}' is not right",
        because=because.rstrip(". "),
        suggestion=f"did you mean {guess}?" if guess else f"{path} --help",
    )
