"""The stream on a real socket."""

from collections.abc import AsyncIterator

import pytest

from tests.collector_processor.live.listening import Port, open_port


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    """A stream that everybody may read."""
    async with open_port() as opened:
        yield opened
