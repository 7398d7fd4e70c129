"""Nothing of ours may reach the program."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from . import _notes


@contextlib.contextmanager
def guard(what: str) -> Iterator[None]:
    """Do something of ours; an exception is noted, and the program goes on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - that is what this is for
        _notes.problem(f"{what}: {type(error).__name__}: {error}")
        if os.environ.get("_FLEETSPAN_RUN_DEBUG"):
            sys.excepthook(type(error), error, error.__traceback__)
