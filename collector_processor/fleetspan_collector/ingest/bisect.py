"""Find the records of a segment that the engine cannot read, and keep the others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from fleetspan_collector.ingest.raw_writer import RawWriter
from fleetspan_collector.journal import (
    Journal,
    Record,
    Segment,
    read_records,
    write_probe,
)

logger = logging.getLogger("fleetspan.ingest")


def set_unreadable_aside(
    journal: Journal, writer: RawWriter, segment: Segment
) -> Segment | None:
    """Move the records that the engine refuses to quarantine.

    Returns:
        The segment without them; ``None`` when the engine reads every record, so that
        something else is wrong.
    """
    if writer.readable(segment.signal, segment.path) is None:
        return None
    records = read_records(segment)
    probe = segment.path.with_suffix(".probe")
    reasons: dict[int, str] = {}
    try:
        _search(writer, segment, records, range(len(records)), probe, reasons)
    finally:
        probe.unlink(missing_ok=True)
    if not reasons:
        return None
    detail = next(iter(reasons.values()))
    logger.warning(
        "%d of %d records of segment %s cannot be read: %s",
        len(reasons),
        len(records),
        segment.batch_id,
        detail,
    )
    return journal.set_aside(
        segment, list(reasons), reason="engine_refused", detail=detail
    )


def _search(
    writer: RawWriter,
    segment: Segment,
    records: Sequence[Record],
    places: range,
    probe: Path,
    reasons: dict[int, str],
) -> None:
    """Halve the places until each refused record stands alone."""
    write_probe(probe, [records[place] for place in places])
    reason = writer.readable(segment.signal, probe)
    if reason is None:
        return
    if len(places) == 1:
        reasons[places[0]] = reason
        return
    middle = len(places) // 2
    for half in (places[:middle], places[middle:]):
        _search(writer, segment, records, half, probe, reasons)
