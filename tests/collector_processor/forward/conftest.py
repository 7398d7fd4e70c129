"""Collectors that forward."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collector_processor.running import Collector


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Starts collectors that forward; each can be started again on the same data."""
    started: list[Collector] = []

    def start(
        destinations: dict[str, Any], *options: str, **variables: str
    ) -> Collector:
        variables["FLEETSPAN_FORWARD"] = json.dumps(destinations)
        made = Collector(tmp_path / "data", *options, variables=variables)
        started.append(made)
        return made.wait_until_ready()

    yield start
    for each in started:
        if each.process.returncode is None:
            each.kill()
