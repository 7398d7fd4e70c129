"""Keeps reading transcripts while they grow.

By looking at sizes and times, which works on every file system, network ones too: at
files written to of late several times a second, at everything now and then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fleetspan_collector.transcripts.finding import Found, find_transcripts
from fleetspan_collector.transcripts.importing import Importer

_GLANCE_S: Final = 0.3
_LOOK_S: Final = 2.0
_SHARE: Final = 20
"""Looking for new files takes at most one part in so many of a core."""

_FRESH_S: Final = 900.0
"""A file not written to for so long is only looked at with all the others."""


def follow_transcripts(
    importer: Importer, places: Iterable[Path], stopping: threading.Event
) -> None:
    """Send what is added to transcripts, and new ones, until told to stop.

    Raises:
        CollectorError: When the collector refuses what is sent.
    """
    places = list(places)
    next_look = 0.0
    found, fresh = Found(), Found()
    while not stopping.wait(_GLANCE_S):
        began = time.monotonic()
        if began >= next_look:
            found = find_transcripts(places)
            fresh = _fresh(found)
            # Not of sending: that waits for a collector that is away.
            took_s = time.monotonic() - began
            if importer.moved():
                importer.forget_collector()
                importer.look(found=found)
            elif importer.changed(found):
                importer.look(found=found)
            next_look = time.monotonic() + max(_LOOK_S, _SHARE * took_s)
        elif importer.changed(fresh):
            importer.look(found=found)


def _fresh(found: Found) -> Found:
    since = time.time() - _FRESH_S
    fresh = Found()
    for path, file in found.files.items():
        try:
            if path.stat().st_mtime >= since:
                fresh.files[path] = file
        except OSError:
            continue
    return fresh
