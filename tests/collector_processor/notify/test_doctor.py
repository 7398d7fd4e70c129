"""What ``doctor`` says of deliveries."""

from __future__ import annotations

import contextlib

import pytest

from fleetspan_collector.cli._delivery_checks import check_deliveries
from fleetspan_collector.cli._source import LocalSource
from fleetspan_collector.store.reader import StoreReader

from ..embedded import Embedded
from .conftest import Announce
from .telling import batch, finding, receiving
from .test_webhooks import wait_for

pytestmark = pytest.mark.integration


def check(stored: Embedded) -> tuple[str, str]:
    """Return status and detail."""
    with contextlib.closing(StoreReader(stored.engine)) as reader:
        found = check_deliveries(LocalSource(reader), "otel")
    assert found.name == "deliveries"
    assert bool(found.fix) == (found.status != "ok")
    return found.status, found.detail


def test_nothing_was_to_be_told(stored: Embedded) -> None:
    """An empty record is fine."""
    assert check(stored) == ("ok", "none in 24 hours")


def test_all_were_told(announce: Announce, stored: Embedded) -> None:
    """Deliveries are counted by hook; failures that were made up for are fine."""
    with receiving(500, 200) as receiver:
        announce({"pager": {"url": receiver.url}}).announce(
            batch(finding(), finding("f-2"))
        )
        wait_for(stored, 3)
    assert check(stored) == ("ok", "in 24 hours: pager 2 delivered")


def test_a_hook_fails(announce: Announce, stored: Embedded) -> None:
    """Which one, how many were not told, and what it has said last."""
    with receiving(500, body=b"out of\ncoffee") as bad, receiving() as good:
        hooks = {
            "bad": {"url": bad.url, "attempts": 2},
            "good": {"url": good.url},
        }
        announce(hooks).announce(batch(finding()))
        wait_for(stored, 3)
    status, detail = check(stored)
    assert status == "warn"
    bad_first = "bad 0 delivered, 1 not, last: gave_up 500 (out of coffee)"
    assert detail == f"in 24 hours: {bad_first}; good 1 delivered"
