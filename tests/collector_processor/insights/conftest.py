"""A store for the tests of a module, and the command over it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fleetspan_collector.cli._source import LocalSource
from fleetspan_collector.store.reader import StoreReader
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.insights.provider import Provider, providing


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A migrated store without rows."""
    with embedded(tmp_path_factory.mktemp("insights")) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(store: Embedded) -> Iterator[LocalSource]:
    """What commands read the store through."""
    reader = StoreReader(store.engine)
    yield LocalSource(reader)
    reader.close()


@pytest.fixture
def over_store(source: LocalSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands read that store."""

    @contextmanager
    def open_it(settings: Any, *, analysed: bool = False) -> Iterator[LocalSource]:
        yield source

    for module in (
        "findings_command",
        "explain_command",
        "review_command",
        "show_command",
    ):
        name = f"fleetspan_collector.cli.{module}.open_source"
        monkeypatch.setattr(name, open_it)


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider of models of its own for each test."""
    with providing() as answering:
        yield answering
