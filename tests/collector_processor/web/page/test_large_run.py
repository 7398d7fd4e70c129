"""A run of ten thousand spans stays smooth: only what is in sight is drawn."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser

from tests.collector_processor.chromium import Window, needs_chromium
from tests.collector_processor.fleet import agent, call, tool, traces
from tests.collector_processor.running import Collector

pytestmark = [pytest.mark.integration, pytest.mark.browser, needs_chromium]

SPANS = 10_000
MOST_ROWS = 120


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Generator[Collector]:
    """A collector with one large run: 99 sub-agents, each with a hundred calls and tools."""
    data = tmp_path_factory.mktemp("large") / "data"
    with Collector(data) as running:
        spans = [agent(1, 1, lasts_ms=200_000, gen_ai__agent__name="lead")]
        for sub in range(1, 100):
            first = 101 * sub
            spans.append(
                agent(
                    1,
                    first,
                    1,
                    at_ms=first,
                    lasts_ms=5000,
                    gen_ai__agent__name=f"sub {sub}",
                )
            )
            for step in range(1, 101):
                make = call if step % 2 else tool
                spans.append(make(1, first + step, first, at_ms=first + 20 * step))
        assert len(spans) == SPANS
        for place in range(0, SPANS, 1000):
            body = traces(spans[place : place + 1000]).SerializeToString()
            running.post("traces", body)
        running.settle()
        yield running


def test_ten_thousand_rows(browser: Browser, collector: Collector) -> None:
    """Wherever one scrolls the rows are there, and never more than the window holds."""
    window = Window(browser, collector.endpoint("web"))
    page = window.open("/runs")
    page.locator("main table tbody a.row").first.click()
    page.wait_for_selector("main .line .bar")
    grid = page.locator("[role=treegrid]")
    assert grid.get_attribute("aria-rowcount") == str(SPANS)
    frames = page.evaluate(
        """async () => {
          const box = document.querySelector("[role=treegrid]");
          const rows = [], gaps = [];
          let before = performance.now();
          for (let step = 0; step < 60; step += 1) {
            box.scrollTop = (step / 59) * box.scrollHeight;
            await new Promise(requestAnimationFrame);
            await new Promise((done) => setTimeout(done));
            rows.push(document.querySelectorAll("main .line").length);
            gaps.push(performance.now() - before);
            before = performance.now();
          }
          return { rows, gaps };
        }"""
    )
    assert max(frames["rows"]) <= MOST_ROWS
    assert min(frames["rows"][1:]) > 10
    page.wait_for_selector(f"main .line[aria-rowindex='{SPANS}']")
    grid.focus()
    page.keyboard.press("Home")
    page.wait_for_selector("main .line[aria-rowindex='1']")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "document.querySelector('[role=treegrid]').getAttribute('aria-rowcount') === '1'"
    )
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.wait_for_selector(f"main .line[aria-rowindex='{SPANS}']")
    window.check()
    window.close()
