"""The settings of the journal."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fleetspan._errors import ConfigError

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """How large the journal may grow and how long it remembers.

    Attributes:
        segment_bytes: A segment is sealed once it is at least this long, in bytes.
        max_bytes: Requests are refused while the segments together, and what waits
            for the disk, would be longer than this, in bytes.
        min_free_bytes: Requests are refused while the file system has less free space
            than this, in bytes; 0 switches the check off.
        max_waiting_bytes: Requests are refused while this many bytes of payload are
            waiting in memory for the disk. An idle journal takes any one request.
        max_waiting_requests: The same for the number of requests.
        dedup_window_s: For how long, in seconds, a request sent again is recognised.
        max_dedup_ids: How many record ids are remembered at most (about 100 bytes of
            memory each); past it the oldest are forgotten early, and counted.
        reserve_bytes: Disk space held back so that sealing, recovery and removal
            work on a full disk, in bytes; 0 holds back nothing.
        max_quarantine_bytes: Past this many bytes in quarantine the oldest records
            there are deleted, and counted.
    """

    segment_bytes: int = 16 * _MIB
    max_bytes: int = 2048 * _MIB
    min_free_bytes: int = 512 * _MIB
    max_waiting_bytes: int = 64 * _MIB
    max_waiting_requests: int = 20_000
    dedup_window_s: float = 900.0
    max_dedup_ids: int = 1_000_000
    reserve_bytes: int = 20 * _MIB
    max_quarantine_bytes: int = 256 * _MIB

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: When a field is out of its range.
        """
        may_be_zero = {"min_free_bytes", "reserve_bytes"}
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (value == 0 and field.name in may_be_zero)):
                bound = "at least 0" if field.name in may_be_zero else "more than 0"
                raise ConfigError(
                    f"journal.{field.name}", f"must be {bound}, got {value!r}"
                )
        if self.segment_bytes > self.max_bytes:
            raise ConfigError(
                "journal.segment_bytes",
                f"must be at most journal.max_bytes ({self.max_bytes}), "
                f"got {self.segment_bytes}",
            )
