"""A store, and announcers over it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import prometheus_client
import pytest

from fleetspan_collector.config import Settings, load
from fleetspan_collector.notify._attempt import Backoff
from fleetspan_collector.notify.announcer import Announcer

from ..embedded import Embedded, embedded

FAST = Backoff(first_s=0.02, most_s=0.1)

Announce = Callable[..., Announcer]


@pytest.fixture(scope="module")
def whole_store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for a module."""
    with embedded(tmp_path_factory.mktemp("notify")) as store:
        yield store


@pytest.fixture
def stored(whole_store: Embedded) -> Embedded:
    """The store, without what other tests have told."""
    for table in (
        "stored_findings",
        "stored_analyses",
        "stored_deliveries",
        "destinations",
    ):
        whole_store.engine.command(f"TRUNCATE TABLE otel.{table}")
    return whole_store


def settings_of(hooks: dict[str, Any] | None = None, **given: str) -> Settings:
    """Return settings as the environment would give them."""
    variables = {f"FLEETSPAN_{name.upper()}": value for name, value in given.items()}
    if hooks:
        variables["FLEETSPAN_NOTIFY_HOOKS"] = json.dumps(hooks)
    return load(environ={"FLEETSPAN_DATA": "/nonexistent/data"} | variables).settings


@pytest.fixture
def announce(stored: Embedded) -> Generator[Announce]:
    """Make announcers with hooks by name; they are stopped after the test."""
    made: list[Announcer] = []

    def make(
        hooks: dict[str, Any] | None = None,
        registry: prometheus_client.CollectorRegistry | None = None,
        **given: str,
    ) -> Announcer:
        announcer = Announcer(
            stored.engine,
            settings_of(hooks, **given),
            registry or prometheus_client.CollectorRegistry(),
            backoff=FAST,
        )
        announcer.start()
        made.append(announcer)
        return announcer

    yield make
    for announcer in made:
        announcer.stop()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Write a shell script and return its path."""

    def write(text: str) -> str:
        path = tmp_path / f"hook-{len(list(tmp_path.iterdir()))}.sh"
        path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        path.chmod(0o700)
        return str(path)

    return write
