"""The interactive client, at a terminal that nobody looks at."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.collector_processor.running import poll

_ROWS_AND_COLUMNS: Final = (50, 160)
_PATIENCE_S: Final = 30


class Terminal:
    """A process at a pseudo-terminal of its own.

    Args:
        command: It and its arguments.
        folder: Where it works.
        variables: Its whole environment.
        screen: File that takes what it draws.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        screen: Path,
    ) -> None:
        self._ours, theirs = pty.openpty()
        self._screen = screen
        size = struct.pack("HHHH", *_ROWS_AND_COLUMNS, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(variables),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._screen.open("wb", buffering=0) as file:
            while True:
                try:
                    drawn = os.read(self._ours, 65536)
                except OSError:  # the last one at the other end has left
                    return
                file.write(drawn)

    def leave(self) -> int:
        """Type the command to leave; return the exit code."""
        os.write(self._ours, b"/exit")
        # It completes what is typed before it takes it.
        poll(lambda: b"the CLI" in self._screen.read_bytes(), "it is offered")
        os.write(self._ours, b"\r")
        code = self.process.wait(_PATIENCE_S)
        self._reader.join(_PATIENCE_S)
        os.close(self._ours)
        return code
