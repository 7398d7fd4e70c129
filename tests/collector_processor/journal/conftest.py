"""What the journal's tests share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from fleetspan_collector._signals import Signal, Submission
from fleetspan_collector.journal import Journal, JournalSettings, read_records


class Bench:
    """A directory for journals, and the questions that tests ask about one."""

    settings = JournalSettings(min_free_bytes=0, reserve_bytes=0)

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._journals: list[Journal] = []

    def open(self, settings: JournalSettings | None = None) -> Journal:
        """Open the journal; the fixture closes it."""
        journal = Journal(self.directory, settings=settings or self.settings)
        self._journals.append(journal)
        return journal

    def close(self) -> None:
        """Close every journal that was opened."""
        for journal in self._journals:
            journal.close()

    @staticmethod
    def span(payload: bytes, *, tenant: str = "", rows: int = 1) -> Submission:
        """Return a submission of traces."""
        return Submission(
            signal=Signal.TRACES, tenant=tenant, payload=payload, rows=rows
        )

    @staticmethod
    def held(journal: Journal) -> Counter[bytes]:
        """Seal, and count every payload that the journal holds."""
        journal.seal()
        return Counter(
            bytes(item.payload)
            for segment in journal.sealed()
            for item in read_records(segment)
        )


@pytest.fixture
def bench(tmp_path: Path) -> Generator[Bench]:
    """A journal directory of its own; journals opened on it are closed at the end."""
    bench = Bench(tmp_path / "journal")
    yield bench
    bench.close()


@pytest.fixture
def segment_file(bench: Bench) -> Callable[[list[bytes]], Path]:
    """Write payloads to one segment, as if the process had died, and return its file."""

    def write(payloads: list[bytes]) -> Path:
        with Journal(bench.directory, settings=bench.settings) as journal:
            for payload in payloads:
                journal.append(bench.span(payload))
        (sealed,) = (bench.directory / "traces").glob("*.sealed")
        return sealed.rename(sealed.with_suffix(".open"))

    return write
