"""Every test records into memory: nothing is sent."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from fleetspan.testing import Recorded, capture


@pytest.fixture(autouse=True)
def recorded() -> Generator[Recorded]:
    """Record what the coordinator tells of its steps."""
    with capture() as found:
        yield found
