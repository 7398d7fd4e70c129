"""A browser, and a collector that holds the demo's fleet."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.collector_processor import chromium
from tests.collector_processor.chromium import Window
from tests.collector_processor.running import Collector, command


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Chromium."""
    with chromium.launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[Collector]:
    """A collector that holds a small fleet of the demo."""
    data = tmp_path_factory.mktemp("page") / "data"
    done = command("--data", str(data), "demo", "--runs", "40", "--quiet")
    assert done.returncode == 0, done.stderr
    with Collector(data) as collector:
        yield collector


@pytest.fixture
def window(browser: Browser, demo: Collector) -> Generator[Callable[..., Window]]:
    """Opens windows on the demo's page."""
    opened: list[Window] = []

    def open_window(kind: str = "light") -> Window:
        made = Window(browser, demo.endpoint("web"), kind)
        opened.append(made)
        return made

    yield open_window
    for each in opened:
        each.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures are kept for whoever looks at a run of the tests."""
    folder = Path(__file__).parents[4] / "artifacts" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
