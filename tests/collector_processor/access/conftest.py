"""A collector with keys, for all tests of one module."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest

from fleetspan_collector.access import Scope
from tests.collector_processor.access.faces import Keyed
from tests.collector_processor.access.keyed import KeyedCollector, make_key


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Keyed]:
    """A collector with keys of two tenants, and with each scope alone."""
    data = tmp_path_factory.mktemp("keyed") / "data"
    data.mkdir()
    keys = {
        "a": make_key(data, "a"),
        "b": make_key(data, "b"),
        "all": make_key(data, None, tuple(Scope)),
        "a-admin": make_key(data, "a", (Scope.ADMIN, Scope.READ)),
        "ingest": make_key(data, "a", (Scope.INGEST,)),
        "read": make_key(data, "a", (Scope.READ,)),
        "expired": make_key(
            data, "a", tuple(Scope), expires=datetime.now(UTC) - timedelta(seconds=1)
        ),
        "unknown": make_key(data.parent, "a", tuple(Scope)),
    }
    with KeyedCollector(data) as collector:
        yield Keyed(collector, keys)
