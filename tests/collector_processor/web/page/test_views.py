"""Each view, in three windows: what it shows, how it looks, whether everybody can use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from tests.collector_processor.chromium import SIZES, Window, needs_chromium
from tests.collector_processor.running import Collector

pytestmark = [pytest.mark.integration, pytest.mark.browser, needs_chromium]

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def ask(collector: Collector, path: str) -> Any:
    """Return a document of the API."""
    status, _, body = collector.request("web", "GET", f"/api/v1/{path}")
    assert status == 200, body
    return json.loads(body)


@pytest.fixture(scope="module")
def paths(demo: Collector) -> dict[str, str]:
    """Paths of all views, by name."""
    run = ask(demo, "runs?sort=agents&limit=1")["runs"][0]["run_id"]
    finding = ask(demo, "findings?severity=medium&limit=1")["findings"][0]
    session = ask(demo, "sessions?limit=1")["sessions"][0]["session_id"]
    row = finding["rows"][0] if finding["rows"] else ""
    return {
        "fleet": "/",
        "runs": "/runs",
        "run": f"/runs/{run}",
        "finding": f"/runs/{finding['run_id']}?finding={finding['finding_id']}&row={row}",
        "findings": "/findings",
        "sessions": "/sessions",
        "session": f"/sessions/{session}",
        "cost": "/cost",
        "coverage": "/coverage",
        "live": "/live",
    }


VIEWS = (
    *("fleet", "runs", "run", "finding", "findings"),
    *("sessions", "session", "cost", "coverage", "live"),
)
SHOWS = {
    "fleet": "main section.stats .figure",
    "runs": "main table tbody tr",
    "run": "main .line .bar",
    "finding": "main .line[data-lit=yes]",
    "findings": "main ul.rows li",
    "sessions": "main table tbody tr",
    "session": "main h1",
    "cost": "main canvas, main svg",
    "coverage": "main h2",
    "live": "main form.filters",
}


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("view", VIEWS)
def test_view(
    window: Callable[..., Window],
    paths: dict[str, str],
    screenshots: Path,
    view: str,
    kind: str,
) -> None:
    """It shows its data, fits the window, breaks no rule of accessibility, and is pictured."""
    opened = window(kind)
    page = opened.open(paths[view])
    page.wait_for_selector(SHOWS[view])
    page.wait_for_timeout(300)
    page.screenshot(path=screenshots / f"{view}-{kind}.png")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= opened.width
    found = Axe().run(page, options={"runOnly": LEVELS, "resultTypes": ["violations"]})
    said = [
        f"{each['id']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in found.response["violations"]
    ]
    assert said == []
    opened.check()


def test_policy_allows_nothing_from_elsewhere(demo: Collector) -> None:
    """The page's own scripts and styles, and nothing else."""
    _, headers, body = demo.request("web", "GET", "/runs", accept="text/html")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert b"<script>" not in body
    assert b"http://" not in body.replace(b"http://www.w3.org/", b"")
    assert b"https://" not in body


def test_keys(window: Callable[..., Window], paths: dict[str, str]) -> None:
    """All of it can be done without a mouse."""
    page = window().open("/")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs")
    page.wait_for_selector("main table tbody tr")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.evaluate("document.activeElement.getAttribute('href')")
    assert second == page.locator("main table tbody a.row").nth(1).get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_selector("main .line .bar")
    assert page.url.endswith(second)
    grid = page.locator("[role=treegrid]")
    grid.focus()
    rows = page.locator("main .line").count()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "before => document.querySelectorAll('main .line').length < before", arg=rows
    )
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelectorAll('main .line').length === before", arg=rows
    )
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("section.detail")
    assert "row=" in page.url
    page.keyboard.press("Escape")
    page.wait_for_selector("section.detail", state="detached")
    page.keyboard.press("?")
    page.wait_for_selector("[role=dialog]")


@pytest.mark.parametrize("kind", ["light", "dark"])
def test_the_other_theme_is_one_key_away(
    window: Callable[..., Window], kind: str
) -> None:
    """From either, and it is still there when the page is opened again."""
    colour = "getComputedStyle(document.body).backgroundColor"
    page = window(kind).open("/")
    before = page.evaluate(colour)
    page.keyboard.press("t")
    after = page.evaluate(colour)
    assert before != after
    page.reload()
    page.wait_for_selector("main h1", state="attached")
    assert page.evaluate(colour) == after
    page.keyboard.press("t")
    assert page.evaluate(colour) == before


def test_links_lead_back_to_where_they_were_made(
    window: Callable[..., Window], demo: Collector
) -> None:
    """A row, a filter and a search stand in the address, and come back from it."""
    first = window()
    page = first.open("/runs")
    page.select_option("label:has-text('status') select", "ok")
    page.wait_for_url("**status=ok**")
    matching = ask(demo, "runs?status=ok&limit=100")["runs"]
    page.wait_for_function(
        "count => document.querySelectorAll('main table tbody tr').length === count",
        arg=len(matching),
    )
    address = page.url.removeprefix(first.address)
    again = window().open(address)
    again.wait_for_function(
        "count => document.querySelectorAll('main table tbody tr').length === count",
        arg=len(matching),
    )
    page.locator("main table tbody a.row").first.click()
    page.wait_for_selector("main .line .bar")
    page.locator("main .line").nth(1).click()
    page.wait_for_selector("section.detail h2")
    name = page.locator("section.detail h2").inner_text()
    other = window().open(page.url.removeprefix(first.address))
    other.wait_for_selector("section.detail h2")
    assert other.locator("section.detail h2").inner_text() == name
    page.go_back()
    page.wait_for_selector("main table tbody tr")


def test_what_is_shown_is_what_the_store_has(
    window: Callable[..., Window], demo: Collector
) -> None:
    """Rows, tokens and cost of the waterfall are those of the run."""
    run = ask(demo, "runs?sort=agents&limit=1")["runs"][0]
    page = window().open(f"/runs/{run['run_id']}")
    page.wait_for_selector("main .line .bar")
    (counted,) = demo.sql(
        f"SELECT (SELECT count() FROM otel.agents WHERE RunId = '{run['run_id']}') + "
        f"(SELECT count() FROM otel.llm_calls WHERE RunId = '{run['run_id']}') + "
        f"(SELECT count() FROM otel.tool_calls WHERE RunId = '{run['run_id']}') AS rows"
    )
    shown = int(page.locator("[role=treegrid]").get_attribute("aria-rowcount") or 0)
    assert shown >= int(counted["rows"])
    facts = page.locator("dl.facts").inner_text()
    assert f"{run['agents']}" in facts
    critical = page.locator("main .line[data-critical=yes]").count()
    assert critical > 0


def test_unknown_things_are_said_to_be_so(window: Callable[..., Window]) -> None:
    """No view is empty without a word."""
    opened = window()
    page = opened.page
    page.goto(f"{opened.address}/runs/no-such-run")
    page.wait_for_selector("main [role=alert], main .trouble")
    assert "no-such-run" in page.locator("main").inner_text()
