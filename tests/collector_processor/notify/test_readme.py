"""The README of notify is complete."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import prometheus_client

import fleetspan_collector.notify
from fleetspan import _semconv as semconv
from fleetspan_collector.config._hook import Hook
from fleetspan_collector.notify._destination import Outcome
from fleetspan_collector.notify._figures import Figures
from fleetspan_collector.notify.metrics import NotifyMetrics

FOLDER = Path(fleetspan_collector.notify.__path__[0])
TEXT = (FOLDER / "README.md").read_text("utf-8")


def test_every_attribute_metric_and_outcome() -> None:
    """Whoever writes a rule over them finds their names."""
    attributes = {
        *semconv.FINDING_ATTRIBUTES.values(),
        *semconv.RUN_ATTRIBUTES.values(),
    }
    names = {semconv.FINDING, semconv.RUN_SUMMARY, semconv.FINDINGS}
    names |= {semconv.RUN_DURATION, semconv.RUN_COST}
    names |= {semconv.RUN_SAVINGS, semconv.RUN_TIME_SAVINGS}
    registry = prometheus_client.CollectorRegistry()
    NotifyMetrics(registry)
    Figures(registry)
    exported = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
    }
    assert len(exported) == 12
    for name in attributes | names | exported | {str(each) for each in Outcome}:
        assert f"`{name}`" in TEXT, name


def test_every_key_of_a_hook() -> None:
    """Each has a place in the table."""
    for field in dataclasses.fields(Hook):
        if field.name != "name":
            assert f"`{field.name}`" in TEXT, field.name


def test_every_module() -> None:
    """The table of modules names each."""
    for path in FOLDER.glob("*.py"):
        if path.name != "__init__.py":
            assert f"`{path.name}`" in TEXT, path.name
