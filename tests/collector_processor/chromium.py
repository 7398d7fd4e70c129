"""A real browser, without a screen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

SIZES = {"light": (1440, 900), "dark": (1440, 900), "narrow": (390, 844)}
"""Windows by what they are tried for, in pixels."""
# Runs before anything of the page: it notes what a strict page must never do.
_WATCH = """
window.fleetspanViolations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.fleetspanViolations.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""


def program() -> str | None:
    """Return the browser's path; ``None`` without one."""
    named = os.environ.get("FLEETSPAN_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


needs_chromium = pytest.mark.skipif(program() is None, reason="needs Chromium")


@contextmanager
def launched() -> Generator[Browser]:
    """Run a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program(), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


class Window:
    """A page in a window, and everything in it that went wrong.

    Args:
        browser: Where it opens.
        address: Host and port of the web port.
        kind: A key of `SIZES`.
    """

    def __init__(self, browser: Browser, address: str, kind: str = "light") -> None:
        self.address = f"http://{address}"
        self.width, height = SIZES[kind]
        self.context = browser.new_context(
            viewport={"width": self.width, "height": height},
            color_scheme="dark" if kind == "dark" else "light",
        )
        self.context.add_init_script(_WATCH)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.problems: list[str] = []
        self.foreign: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)

    def open(self, path: str) -> Page:
        """Go to a path and wait until nothing is loading."""
        self.page.goto(self.address + path)
        self.page.wait_for_selector(
            "main :is(h1, .waterfall, .empty)", state="attached"
        )
        self.page.wait_for_load_state("load")
        self.page.wait_for_function("!document.querySelector('[data-loading=yes]')")
        return self.page

    def check(self) -> None:
        """See that nothing went wrong so far.

        Raises:
            AssertionError: When something did.
        """
        violations = self.page.evaluate("window.fleetspanViolations")
        assert self.problems == []
        assert violations == []
        assert self.foreign == []

    def close(self) -> None:
        """Close it."""
        self.context.close()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text}")

    def _dialog(self, dialog: object) -> None:
        self.problems.append(f"dialog: {dialog}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.address).netloc:
            self.foreign.append(request.url)
