"""A value too large for a row costs nobody else anything, and is kept whole."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from pathlib import Path

import pytest

from fleetspan_collector.ingest.raw_writer import RawWriter
from fleetspan_collector.ingest.records import holds_longer
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.fleet import logs, span, start_event, traces

LARGE = "0123456789" * 200_000
HASH = hashlib.sha256(LARGE.encode()).hexdigest()
CUT = LARGE[:65_536] + f"… [2000000 bytes, whole in large_values under {HASH}]"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store that cuts values past one megabyte."""
    with embedded(tmp_path_factory.mktemp("large")) as opened:
        opened.writer = RawWriter(
            opened.engine, opened.engine, value_limit_bytes=1_000_000
        )
        yield opened


@pytest.mark.integration
def test_a_large_attribute_is_cut_and_kept_whole_once(store: Embedded) -> None:
    """The row names the hash; the value stands there once, however many rows have it."""
    spans = [span(1, 1, prompt=LARGE, small="x"), span(1, 2, prompt=LARGE), span(1, 3)]
    store.take(traces(spans), tenant="spans")
    rows = store.rows(
        "otel_traces", "Tenant = 'spans'", "SpanId, SpanAttributes AS attributes"
    )
    assert [row["attributes"] for row in rows] == [
        {"prompt": CUT, "small": "x"},
        {"prompt": CUT},
        {},
    ]
    kept = store.engine.arrow(
        f"SELECT Hash, Bytes, Value FROM otel.large_values FINAL WHERE Hash = '{HASH}'"
    ).to_pylist()
    assert kept == [{"Hash": HASH, "Bytes": 2_000_000, "Value": LARGE}]


@pytest.mark.integration
def test_a_large_log_body_is_cut(store: Embedded) -> None:
    """The same holds for bodies, and for values inside containers as their JSON."""
    record = start_event(2, 1, "note", parts=[LARGE])
    record.body.string_value = LARGE
    store.take(logs([record]), tenant="logs")
    (row,) = store.rows("otel_logs", "Tenant = 'logs'", "Body, LogAttributes")
    assert row["Body"] == CUT
    whole = f'["{LARGE}"]'
    digest = hashlib.sha256(whole.encode()).hexdigest()
    assert row["LogAttributes"]["parts"].endswith(f"under {digest}]")


@pytest.mark.parametrize(
    ("limit", "expected"), [(10, True), (100, True), (400, False), (5000, False)]
)
def test_lengths_are_looked_at_record_by_record(
    tmp_path: Path, limit: int, expected: bool
) -> None:
    """Many small records are not a large one."""
    path = tmp_path / "segment"
    frame = b"\xac\x02" + bytes(300)
    path.write_bytes(frame * 20)
    assert holds_longer(path, limit) is expected
