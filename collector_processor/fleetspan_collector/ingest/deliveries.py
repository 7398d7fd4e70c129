"""What may have come before: hooks that were held back, pieces of state sent again.

The journal knows a delivery again for 15 minutes. Senders spool what they could not
deliver, and may send it again days later; such a hook carries an old stamp, or none, and
for it the store is asked.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from fleetspan_collector._claude_inputs import ClaudeHook
from fleetspan_collector._snapshot_inputs import hash_of_chunk
from fleetspan_collector.journal import Segment, read_records

_AT_ONCE_NS: Final = 60 * 10**9
"""A hook received this close to its stamp is on its first way: well inside the journal's
window, and beyond what clocks of one site differ by."""


def late_deliveries(segment: Segment) -> list[tuple[str, str]]:
    """Return tenant and id of deliveries that may be in the store already.

    Args:
        segment: A sealed segment of hooks; they are few, and read one by one.

    Raises:
        OSError: When the file cannot be read.
    """
    late = set()
    for record in read_records(segment):
        try:
            hook = ClaudeHook.FromString(bytes(record.payload))
        except DecodeError:
            continue  # the engine will refuse it too, and it goes to quarantine
        apart_ns = abs(record.received_unix_nano - hook.event_unix_nano)
        if hook.delivery_id and apart_ns > _AT_ONCE_NS:
            late.add((record.tenant, hook.delivery_id))
    return sorted(late)


def chunks_of(segment: Segment) -> dict[tuple[str, str], int]:
    """Return tenant and hash of the chunks of state in a segment, each once.

    Args:
        segment: A sealed segment of chunks.

    Returns:
        With each the ordinal of the first row that has it.

    Raises:
        OSError: When the file cannot be read.
    """
    found: dict[tuple[str, str], int] = {}
    for ordinal, record in enumerate(read_records(segment)):
        found.setdefault((record.tenant, hash_of_chunk(record.payload)), ordinal)
    return found
