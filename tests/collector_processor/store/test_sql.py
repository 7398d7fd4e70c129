"""The statements of the store as text."""

from __future__ import annotations

from collections.abc import Generator
from importlib import resources
from typing import Final

import pytest

from fleetspan_collector._signals import Signal
from fleetspan_collector.ingest.raw_writer import RawWriter
from fleetspan_collector.store import _sql
from fleetspan_collector.store._structure import STRUCTURES
from tests.collector_processor.embedded import Embedded, embedded

_INSERTED: Final = {
    "large_logs": "large_values",
    "large_traces": "large_values",
    "read_traces": "otel_traces",
    "read_logs": "otel_logs",
    "read_metrics_gauge": "otel_metrics_gauge",
    "read_metrics_sum": "otel_metrics_sum",
    "read_metrics_histogram": "otel_metrics_histogram",
    "read_metrics_exponential_histogram": "otel_metrics_exponential_histogram",
    "read_metrics_summary": "otel_metrics_summary",
    "normalise_spans": "evidence",
    "normalise_starts": "evidence",
    "trace_bounds": "otel_traces_trace_id_ts",
    "link_runs": "evidence_links",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A migrated store."""
    with embedded(tmp_path_factory.mktemp("sql")) as opened:
        yield opened


@pytest.mark.integration
@pytest.mark.parametrize("name", sorted(_INSERTED))
def test_the_columns_of_a_statement_are_what_the_engine_says(
    store: Embedded, name: str
) -> None:
    """The names read off the text are the engine's own, and the table has them all."""
    signal = name.split("_")[1]
    settings = RawWriter(store.engine, store.engine)._settings
    statement = _sql.render(
        name,
        database="otel",
        window="1",
        groups="1",
        rules_version="1",
        rate_limited="later",
        segment="/nowhere",
        batch_id="",
        shown="t",
        limit="1",
        structure=STRUCTURES.get(Signal(signal), "")
        if name.startswith(("read", "large"))
        else "",
    )
    described = store.engine.arrow(
        f"DESCRIBE ({statement}){settings if name.startswith(('read', 'large')) else ''}"
    )["name"].to_pylist()
    assert list(_sql.columns(name)) == described
    table = store.engine.arrow(f"DESCRIBE otel.{_INSERTED[name]}")["name"].to_pylist()
    assert set(described) <= set(table)


def test_every_statement_says_what_it_is_for() -> None:
    """Each file begins with a comment of its purpose."""
    folder = resources.files("fleetspan_collector.store") / "sql"
    files = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    assert len(files) > 15
    for file in files:
        assert file.read_text("utf-8").lstrip().startswith("-- "), file.name


def test_a_token_that_is_not_given_is_an_error() -> None:
    """A statement never reaches the engine with a hole in it."""
    with pytest.raises(KeyError, match="groups"):
        _sql.render("read_keys", database="otel")


def test_a_literal_cannot_be_left() -> None:
    """Quotes and backslashes stay inside the string."""
    assert _sql.quote("a'b\\c") == "a\\'b\\\\c"
