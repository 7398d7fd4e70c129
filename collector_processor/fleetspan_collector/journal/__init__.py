"""The journal: requests become durable here before anybody is told that they are safe.

Read in this order: `journal` (what others use), `_writer` (group commit), `segment` and
`record` (the files), `recovery` (the way back from a crash), `dedup` (retries count
once), `quarantine` (what cannot be used), `lock` (one owner).
"""

from fleetspan_collector.journal._shelf import JournalState, OpenState
from fleetspan_collector.journal.batch_id import BatchIds
from fleetspan_collector.journal.journal import Journal
from fleetspan_collector.journal.lock import DataLock, read_owner
from fleetspan_collector.journal.metrics import JournalMetrics
from fleetspan_collector.journal.quarantine import (
    Quarantine,
    Quarantined,
    read_records,
    write_probe,
)
from fleetspan_collector.journal.record import Record
from fleetspan_collector.journal.recovery import RecoveryReport
from fleetspan_collector.journal.segment import Segment
from fleetspan_collector.journal.settings import JournalSettings

__all__ = [
    "BatchIds",
    "DataLock",
    "Journal",
    "JournalMetrics",
    "JournalSettings",
    "JournalState",
    "OpenState",
    "Quarantine",
    "Quarantined",
    "Record",
    "RecoveryReport",
    "Segment",
    "read_owner",
    "read_records",
    "write_probe",
]
