"""The reference page of the settings."""

from pathlib import Path

from fleetspan_collector.config import SETTINGS
from fleetspan_collector.config._page import settings_page

PAGE = Path(__file__).parents[3] / "collector_processor" / "SETTINGS.md"


def test_page_is_up_to_date() -> None:
    """SETTINGS.md is what ``python -m fleetspan_collector.config`` writes."""
    assert PAGE.read_text("utf-8") == settings_page()


def test_every_setting_is_on_the_page() -> None:
    """Each setting has a row with its variable and what it does."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line[:3] == "| `"]
    assert [row.split("`")[1] for row in rows] == list(SETTINGS)
    assert all(setting.about.endswith(".") for setting in SETTINGS.values())
