"""What a collector that starts knows of sessions that began before it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import prometheus_client
import pytest

from fleetspan_collector.control.service import Control
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_routing.control.rules import Measure
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.fleet import agent, call, tool, traces

pytestmark = pytest.mark.integration

_S: Final = 10**9
_DAY_NS: Final = 86_400 * _S
RULES: Final = """
if_unreachable: allow
budgets:
  all: {of: session, tokens: 10000, calls: 100, subagents: 9}
  today: {of: day, tokens: 10000, calls: 100, subagents: 9}
"""


@contextlib.contextmanager
def controlling(store: Embedded, folder: Path) -> Generator[Control]:
    """Control over a store, just started."""
    rules = folder / "control.yaml"
    rules.write_text(RULES)
    registry = prometheus_client.CollectorRegistry()
    control = Control(rules, folder, store.engine, PriceBook(), registry)
    control.start()
    try:
        yield control
    finally:
        control.stop()


def used(control: Control, budget: str) -> dict[Measure, float]:
    """How much is used of a budget's limits, of the session that there is."""
    found = control.decider.all_standings("", time.time_ns())
    return {each.measure: each.used for each in found if each.budget.name == budget}


def run(*, over_midnight: bool) -> list[Any]:
    """Two agents with a model call and a tool call each: the first ends before midnight."""
    midnight_ns = time.time_ns() // _DAY_NS * _DAY_NS
    first_ns = midnight_ns - 60 * _S if over_midnight else midnight_ns
    given: dict[str, Any] = {"gen_ai__conversation__id": "night"}
    tokens = {"gen_ai__usage__input_tokens": 1000, "gen_ai__usage__output_tokens": 500}
    later = {"gen_ai__usage__input_tokens": 30, "gen_ai__usage__output_tokens": 4}
    return [
        agent(1, 1, start_ns=first_ns, lasts_ms=60_100, **given),
        call(1, 2, 1, start_ns=first_ns, **tokens, **given),
        tool(1, 3, 1, start_ns=first_ns, **given),
        agent(1, 4, 1, start_ns=first_ns, lasts_ms=60_050, **given),
        tool(1, 5, 4, start_ns=midnight_ns, **given),
        call(1, 6, 4, start_ns=midnight_ns, **later, **given),
    ]


@pytest.mark.parametrize(
    ("over_midnight", "today"),
    [(True, (34, 1, 0)), (False, (1534, 2, 1))],
    ids=["over midnight", "today"],
)
def test_what_counts_today(
    tmp_path: Path, over_midnight: bool, today: tuple[int, int, int]
) -> None:
    """Of a session in whole, all; of this day, what was used on it."""
    with embedded(tmp_path) as store:
        store.take(traces(run(over_midnight=over_midnight)))
        with controlling(store, tmp_path) as control:
            measures = (Measure.TOKENS, Measure.CALLS, Measure.SUBAGENTS)
            whole = dict(zip(measures, (1534, 2, 1), strict=True))
            assert used(control, "all") == whole
            assert used(control, "today") == dict(zip(measures, today, strict=True))
