"""Two collectors derive from parts of one trace at the same moment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.derive.derivation import Derivation
from fleetspan_collector.derive.prices import PriceBook
from tests.collector_processor.embedded import embedded
from tests.collector_processor.fleet import agent, call, tool, traces

pytestmark = pytest.mark.integration

HOUR_MS = 3_600_000


class Late(Derivation):
    """Has read what there is, and then something happens before it writes.

    Args:
        engine: Its connection.
        between: What happens.
    """

    def __init__(self, engine: Any, between: Callable[[], object]) -> None:
        super().__init__(engine, PriceBook())
        self.shared = True
        self._between = [between]

    def _write(self, *given: Any) -> bool:
        if self._between:
            self._between.pop()()
        return super()._write(*given)


@pytest.mark.parametrize("apart_ms", [0, -2 * HOUR_MS, 2 * HOUR_MS])
def test_what_was_read_first_is_written_last(tmp_path: Path, apart_ms: int) -> None:
    """Each row is there once, as it is when everything is known."""
    first = traces([call(1, 11, 10, at_ms=5), agent(1, 10, lasts_ms=100)])
    second = traces(
        [
            tool(1, 12, 10, at_ms=50 + apart_ms),
            agent(1, 10, at_ms=0, lasts_ms=100, gen_ai__agent__id="known"),
            agent(1, 9, at_ms=apart_ms - 10, lasts_ms=500),
        ]
    )
    second.resource_spans[0].scope_spans[0].spans[1].parent_span_id = (9).to_bytes(8)
    with embedded(tmp_path) as store, contextlib.ExitStack() as closing:
        engine = closing.enter_context(contextlib.closing(store.engine.another()))
        late = Late(engine, lambda: store.take(second))
        late.derive(store.insert([first]))
        rows = {table: store.rows(table) for table in ("runs", "agents", "llm_calls", "tool_calls")}  # fmt: skip
        store.derivation.rebuild(lambda what: None)
        afresh = {table: store.rows(table) for table in rows}
    assert {table: len(each) for table, each in rows.items()} == {
        table: len(each) for table, each in afresh.items()
    }
    for table, each in rows.items():
        assert each == afresh[table], table
