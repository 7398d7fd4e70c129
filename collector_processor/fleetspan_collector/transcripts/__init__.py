"""Transcripts of Claude Code: finding, reading and sending them.

::

    finding ─► lines ─► importing ─► POST /v1/claude-code/transcripts
       └─────► calls: model calls straight from the files, for people with no collector
"""

from fleetspan_collector.transcripts.calls import read_calls, read_found
from fleetspan_collector.transcripts.finding import (
    Found,
    Transcript,
    default_folders,
    find_transcripts,
)

__all__ = [
    "Found",
    "Transcript",
    "default_folders",
    "find_transcripts",
    "read_calls",
    "read_found",
]
