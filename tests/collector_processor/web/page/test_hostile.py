"""Everything that comes by telemetry is text: no script runs, no request leaves.

Each payload stands in every string of a run that the page shows, and in the keys of its
attributes; every view is opened, and every run.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from playwright.sync_api import Browser, Page

from tests.collector_processor.chromium import Window, needs_chromium
from tests.collector_processor.fleet import (
    agent,
    attributes,
    call,
    logs,
    start_event,
    tool,
    traces,
)
from tests.collector_processor.running import Collector
from tests.collector_processor.web.page.payloads import payloads

pytestmark = [pytest.mark.integration, pytest.mark.browser, needs_chromium]

PAYLOADS: Final = payloads()
ELEMENTS: Final = "script, iframe, object, embed, link, meta, base, form[action*=evil], audio, video, marquee, img"


def hostile_run(number: int, text: str) -> ExportTraceServiceRequest:
    """Return a run with a payload in every string, and in keys."""
    named = {
        "gen_ai.agent.name": text,
        "gen_ai.agent.id": text,
        "gen_ai.agent.description": text,
        "gen_ai.conversation.id": text or f"s{number}",
        "gen_ai.request.model": text,
        "gen_ai.provider.name": text,
        "gen_ai.tool.name": text,
        "gen_ai.tool.description": text,
        "gen_ai.tool.call.arguments": text,
        "gen_ai.tool.call.result": text,
        "gen_ai.input.messages": text,
        "gen_ai.output.messages": text,
        "error.type": text,
        "fleetspan.run.name": text,
        "fleetspan.task": text,
        "user.id": text,
        text: text,
    }
    resource = {
        "service.name": text,
        "deployment.environment.name": text,
        "fleetspan.project": text,
        "host.name": text,
        text: text,
    }
    spans = [
        agent(number, 10, lasts_ms=100),
        call(number, 11, 10, at_ms=1),
        tool(number, 12, 10, at_ms=20, failed=True),
        agent(number, 13, 10, at_ms=40, lasts_ms=40),
    ]
    for span in spans:
        wanted = {key: value for key, value in named.items() if key}
        kept = [
            each
            for each in span.attributes
            if each.key not in wanted or each.key == "gen_ai.operation.name"
        ]
        del span.attributes[:]
        span.attributes.extend(kept)
        span.attributes.extend(attributes(wanted))
        span.name = text
        span.trace_state = ""
        event = span.events.add(name=text, time_unix_nano=span.start_time_unix_nano)
        event.attributes.extend(attributes({text: text, "exception.message": text}))
        if span.status.code == Status.STATUS_CODE_ERROR:
            span.status.message = text
    return traces(spans, resource)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Generator[Collector]:
    """A collector with a run of each payload, half of them still going on."""
    with Collector(tmp_path_factory.mktemp("hostile") / "data") as running:
        for number, text in enumerate(PAYLOADS, 1):
            running.post("traces", hostile_run(number, text).SerializeToString())
        for number, text in enumerate(PAYLOADS[::2], 1000):
            event = start_event(number, 10, "agent", gen_ai__agent__name=text)
            event.body.string_value = text
            running.post("logs", logs([event]).SerializeToString())
        running.settle()
        yield running


def runs_of(collector: Collector) -> Iterator[dict[str, Any]]:
    """Yield the runs of the store."""
    yield from collector.sql(
        "SELECT RunId, Name AS RunName FROM otel.runs ORDER BY RunId"
    )


def assert_untaken(page: Page) -> None:
    """See that nothing of the page was taken for markup or script."""
    found = page.evaluate(
        """elements => ({
          taken: window.fleetspanTaken ?? null,
          polluted: ({}).polluted ?? null,
          markup: [...document.querySelectorAll("main :is(" + elements + "), header :is(iframe, script)")]
            .map((each) => each.outerHTML.slice(0, 200)),
          links: [...document.querySelectorAll("a[href]")].map((each) => each.href)
            .filter((href) => new URL(href).origin !== location.origin),
          handlers: [...document.querySelectorAll("main *")]
            .filter((each) => [...each.attributes].some(({ name }) => name.startsWith("on"))).length,
        })""",
        ELEMENTS,
    )
    assert found == {
        "taken": None,
        "polluted": None,
        "markup": [],
        "links": [],
        "handlers": 0,
    }


def test_there_are_two_hundred() -> None:
    """As many as are asked for, and each is another."""
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 200


def test_every_view_shows_text(browser: Browser, collector: Collector) -> None:
    """Lists, charts, filters and the live stream."""
    window = Window(browser, collector.endpoint("web"))
    page = window.open("/live")
    for number, text in enumerate(PAYLOADS, 2000):
        collector.post("traces", hostile_run(number, text).SerializeToString())
    page.wait_for_function(
        "document.querySelectorAll('ol.events-live li').length > 100"
    )
    assert_untaken(page)
    for path in ("/", "/runs?since=90d", "/findings", "/sessions", "/coverage"):
        window.open(path)
        page.wait_for_timeout(400)
        while page.locator("p.more button").count():
            before = page.locator("main table tbody tr, main ul.rows li").count()
            page.locator("p.more button").first.click()
            page.wait_for_function(
                "before => document.querySelectorAll('main table tbody tr, main ul.rows li').length > before"
                " || !document.querySelector('p.more button')",
                arg=before,
            )
        assert_untaken(page)
    for dimension in ("model", "agent", "service", "project", "user", "provider"):
        window.open(f"/cost?by={dimension}&since=90d")
        page.wait_for_timeout(300)
        assert_untaken(page)
    window.check()
    window.close()


@pytest.mark.timeout(600)
def test_every_run_shows_text(browser: Browser, collector: Collector) -> None:
    """Each run with each of its rows in full; what is shown is the text itself."""
    window = Window(browser, collector.endpoint("web"))
    page = window.open("/runs")
    texts = set(PAYLOADS)
    seen = set()
    runs = [run for run in runs_of(collector) if run["RunName"] in texts]
    assert len(runs) >= 200
    for run in runs:
        address = "/runs/" + quoted(run["RunId"])
        page.evaluate(
            "to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')); }",
            address,
        )
        page.wait_for_function(
            "name => document.querySelector('main .head h1')?.textContent === name",
            arg=run["RunName"],
        )
        page.wait_for_selector("main .line .bar")
        page.locator("main .line").nth(
            min(2, page.locator("main .line").count() - 1)
        ).click()
        page.wait_for_selector("section.detail dl.pairs")
        assert_untaken(page)
        seen.add(run["RunName"])
    assert len(seen) >= 200
    window.check()
    window.close()


def quoted(text: str) -> str:
    """Return a part of a path."""
    return quote(text, safe="")
