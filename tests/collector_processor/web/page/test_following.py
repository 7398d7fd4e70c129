"""The page follows an agent while it works."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.collector_processor.chromium import Window, needs_chromium
from tests.collector_processor.running import Collector, environment

pytestmark = [pytest.mark.integration, pytest.mark.browser, needs_chromium]

# Each step waits for a line, so that the test can look in between.
AGENT = """
import sys
import fleetspan

fleetspan.configure()


def step(what):
    print(what, flush=True)
    sys.stdin.readline()


with fleetspan.agent("lead", type="planner"):
    step("lead works")
    with fleetspan.llm("gpt-5", provider="openai") as call:
        step("lead asks")
        call.usage(input_tokens=1000, output_tokens=200)
    with fleetspan.agent("scout"):
        step("scout works")
        with fleetspan.tool("grep"):
            step("scout greps")
    step("scout is done")
fleetspan.shutdown()
print("all is done", flush=True)
"""


class Agent:
    """A program that works step by step."""

    def __init__(self, endpoint: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", AGENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(FLEETSPAN_ENDPOINT=endpoint),
        )

    def reaches(self, what: str) -> None:
        """Wait until it says so."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == what + "\n"

    def go_on(self) -> None:
        """Let it do its next step."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@pytest.fixture
def collector(tmp_path: Path) -> Generator[Collector]:
    """A collector without data."""
    with Collector(tmp_path / "data") as running:
        yield running


def bar(page: Page, name: str) -> str:
    """Return a selector of the row of that name."""
    return f"main .line:has(.text:text-is('{name}'))"


def test_an_agent_is_followed_from_its_start_to_its_end(
    browser: Browser, collector: Collector
) -> None:
    """It appears by itself in the fleet, and its spans grow and end in its waterfall."""
    window = Window(browser, collector.endpoint("web"))
    page = window.open("/")
    page.wait_for_selector("text=No agent is at work")
    agent = Agent(f"http://{collector.endpoint('otlp_http')}")
    try:
        agent.reaches("lead works")
        page.wait_for_selector("a.worker:has-text('lead')")
        page.click("a.worker:has-text('lead')")
        page.wait_for_selector(f"{bar(page, 'lead')} .bar[data-open=yes]")
        before = page.locator(f"{bar(page, 'lead')} .length").inner_text()
        page.wait_for_function(
            """before => [...document.querySelectorAll("main .line .length")]
                .some(each => each.textContent !== before)""",
            arg=before,
        )
        agent.go_on()
        agent.reaches("lead asks")
        agent.go_on()
        agent.reaches("scout works")
        page.wait_for_selector("main .line[data-kind=llm] .bar[data-ended=yes]")
        page.wait_for_selector("main .line[data-kind=llm] .length:has-text('tok')")
        page.wait_for_selector(f"{bar(page, 'scout')} .bar[data-open=yes]")
        level = page.locator(bar(page, "scout")).get_attribute("aria-level")
        assert level == "2"
        agent.go_on()
        agent.reaches("scout greps")
        page.wait_for_selector(f"{bar(page, 'grep')} .bar[data-open=yes]")
        assert page.locator(bar(page, "grep")).get_attribute("aria-level") == "3"
        agent.go_on()
        agent.reaches("scout is done")
        page.wait_for_selector(f"{bar(page, 'grep')} .bar[data-ended=yes]")
        page.wait_for_selector(f"{bar(page, 'scout')} .bar[data-ended=yes]")
        agent.go_on()
        agent.reaches("all is done")
        page.wait_for_selector(f"{bar(page, 'lead')} .bar[data-ended=yes]")
        page.wait_for_selector(
            "main .head .status:has-text('ok'), main .head [data-status=ok]"
        )
        assert page.locator("main .bar[data-open=yes]").count() == 0
    finally:
        agent.process.kill()
        agent.process.communicate()
    window.check()
    window.close()


def test_a_document_that_is_behind_takes_nothing_away(
    browser: Browser, collector: Collector
) -> None:
    """What was seen live stays when the timeline read anew does not have it yet."""
    window = Window(browser, collector.endpoint("web"))
    page = window.open("/")
    agent = Agent(f"http://{collector.endpoint('otlp_http')}")
    old: list[str] = []
    read_again = 0

    def answer_late(route: Route) -> None:
        nonlocal read_again
        if old:
            read_again += 1
        else:
            old.append(route.fetch().text())
        route.fulfill(body=old[0], content_type="application/json")

    page.route("**/timeline?*", answer_late)
    try:
        agent.reaches("lead works")
        page.click("a.worker:has-text('lead')")
        page.wait_for_selector(f"{bar(page, 'lead')} .bar[data-open=yes]")
        agent.go_on()
        agent.reaches("lead asks")
        agent.go_on()
        agent.reaches("scout works")
        page.wait_for_selector(f"{bar(page, 'scout')} .bar[data-open=yes]")
        page.wait_for_selector("main .line[data-kind=llm] .bar[data-ended=yes]")
        seen = read_again
        while read_again < seen + 1:
            page.wait_for_timeout(50)
            assert page.locator(bar(page, "scout")).get_attribute("aria-level") == "2"
        assert page.locator("main .line").count() == 3
    finally:
        agent.process.kill()
        agent.process.communicate()
    window.check()
    window.close()


def test_the_page_comes_back_after_the_collector(
    browser: Browser, tmp_path: Path
) -> None:
    """It says that it is cut off, and goes on by itself where it was."""
    with Collector(tmp_path / "data") as collector:
        address = collector.endpoint("web")
        window = Window(browser, address)
        page = window.open("/")
        page.wait_for_selector(".stream[data-state=live]")
        collector.stop()
        page.wait_for_selector(".stream[data-state='cut off']")
    ports = (
        *("--grpc=127.0.0.1:0", "--http=127.0.0.1:0", f"--web={address}"),
        *("--clickhouse=off", "--jaeger=off"),
    )
    with Collector(tmp_path / "data", ports=ports) as collector:
        page.wait_for_selector(".stream[data-state=live]")
        agent = Agent(f"http://{collector.endpoint('otlp_http')}")
        agent.reaches("lead works")
        page.wait_for_selector("a.worker:has-text('lead')")
        agent.process.kill()
        agent.process.communicate()
    window.close()
