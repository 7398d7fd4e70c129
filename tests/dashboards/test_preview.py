"""Every dashboard drawn from real results in a browser, for people to look at."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fleetspan_dashboards.boards import BOARDS
from fleetspan_dashboards.panel import Board
from playwright.sync_api import Browser

from tests.collector_processor.chromium import launched, needs_chromium
from tests.dashboards.conftest import Fleet
from tests.dashboards.preview.page import as_html

pytestmark = [needs_chromium, pytest.mark.browser, pytest.mark.integration]
PICTURES = Path(__file__).parents[2] / "artifacts" / "screenshots"


@pytest.fixture(scope="module")
def browser():
    """Chromium."""
    with launched() as browser:
        yield browser


@pytest.mark.parametrize("board", BOARDS, ids=[board.name for board in BOARDS])
def test_it_can_be_drawn(browser: Browser, fleet: Fleet, board: Board) -> None:
    """All panels have something in them, unless they may be empty; nothing overlaps."""
    hours = float(board.hours)
    if board.name == "claude-code":
        hours = (time.time() - fleet.first_s) / 3600 + 1
    elif board.name != "run":
        # The demo's fleet is minutes old: so that its lines can be seen.
        hours = 2.5
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_content(as_html(board, lambda sql: fleet.ask(sql, hours)))
    empty = page.locator(".empty").count()
    assert empty <= sum(bool(panel.may_be_empty) for panel in board.panels)
    assert page.locator(".panel").count() == len(board.panels)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"dashboard-{board.name}.png", full_page=True)
    page.close()
