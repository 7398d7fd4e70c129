"""Order, splitting, repetition and the moment of deriving change no canonical row."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fleetspan_collector.derive.normalise import Window

from ..embedded import Embedded, embedded
from ..fleet import logs, span, start_event, traces

EXAMPLES = int(os.environ.get("FLEETSPAN_TEST_EXAMPLES", "8"))

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for the module; each example has tenants of its own in it."""
    with embedded(tmp_path_factory.mktemp("order")) as store:
        yield store


Given = dict[str, Any]
maybe = st.none()


def _known(given: dict[str, Any]) -> Given:
    return {key: each for key, each in given.items() if each is not None}


@st.composite
def new_call(draw: st.DrawFn) -> Given:
    """Draw attributes of a call in the latest GenAI conventions."""
    return _known(
        {
            "gen_ai__operation__name": draw(st.sampled_from(["chat", "embeddings"])),
            "gen_ai__provider__name": draw(maybe | st.just("anthropic")),
            "gen_ai__response__model": draw(
                maybe | st.sampled_from(["claude-sonnet-4-5", "no-such-model"])
            ),
            "gen_ai__response__id": draw(maybe | st.sampled_from(["r1", "r2"])),
            "gen_ai__usage__input_tokens": draw(maybe | st.integers(0, 9)),
            "gen_ai__usage__output_tokens": draw(maybe | st.integers(0, 3)),
            "gen_ai__usage__cache_read__input_tokens": draw(maybe | st.integers(0, 12)),
            "fleetspan__usage__cache_write_1h__input_tokens": draw(
                maybe | st.integers(0, 4)
            ),
            "fleetspan__cost__usd": draw(maybe | st.just(0.25)),
        }
    )


@st.composite
def old_call(draw: st.DrawFn) -> Given:
    """Draw attributes of a call in the older generation."""
    return _known(
        {
            "gen_ai__operation__name": "text_completion",
            "gen_ai__system": draw(maybe | st.just("openai")),
            "gen_ai__request__model": draw(maybe | st.just("gpt-4o")),
            "gen_ai__usage__prompt_tokens": draw(maybe | st.integers(0, 9)),
            "gen_ai__usage__completion_tokens": draw(maybe | st.integers(0, 3)),
        }
    )


@st.composite
def an_agent(draw: st.DrawFn) -> Given:
    """Draw attributes of an agent."""
    return _known(
        {
            "gen_ai__operation__name": "invoke_agent",
            "gen_ai__agent__name": draw(maybe | st.sampled_from(["lead", "scout"])),
            "fleetspan__agent__id": draw(maybe | st.sampled_from(["a1", "a2", "a3"])),
            "fleetspan__agent__parent_id": draw(
                maybe | st.sampled_from(["a1", "a2", "a3"])
            ),
            "fleetspan__spawn__tool_call_id": draw(maybe | st.just("t1")),
        }
    )


@st.composite
def a_tool(draw: st.DrawFn) -> Given:
    """Draw attributes of a tool call."""
    return _known(
        {
            "gen_ai__operation__name": "execute_tool",
            "gen_ai__tool__name": draw(maybe | st.sampled_from(["Bash", "Read"])),
            "gen_ai__tool__call__id": draw(maybe | st.sampled_from(["t1", "t2"])),
            "fleetspan__success": draw(maybe | st.booleans()),
            "fleetspan__tool__result_bytes": draw(maybe | st.integers(0, 9)),
        }
    )


@st.composite
def a_run(draw: st.DrawFn) -> Given:
    """Draw attributes of a run."""
    return _known(
        {
            "gen_ai__operation__name": "invoke_workflow",
            "gen_ai__workflow__name": draw(maybe | st.just("nightly")),
        }
    )


SPANS = st.one_of(
    new_call(), new_call(), old_call(), an_agent(), an_agent(), a_tool(), a_run(),
    st.just({}),
)  # fmt: skip
STARTS = {
    "invoke_agent": "agent",
    "execute_tool": "tool",
    "invoke_workflow": "run",
}


@dataclass(frozen=True, slots=True)
class Fleet:
    """What some agents report.

    Attributes:
        spans: Spans, parents first where they have one.
        starts: Start events.
    """

    spans: list[Span]
    starts: list[LogRecord]


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Draw a few traces; runs and agent ids may be shared between them."""
    made = Fleet([], [])
    for trace in range(1, draw(st.integers(1, 5)) + 1):
        size = draw(st.integers(1, 9))
        for number in range(1, size + 1):
            attributes = dict(draw(SPANS))
            attributes |= _known(
                {
                    "fleetspan__run__id": draw(
                        maybe | maybe | st.sampled_from(["run-a", "run-b"])
                    ),
                    "gen_ai__conversation__id": draw(maybe | st.sampled_from("st")),
                    "user__id": draw(maybe | st.sampled_from("uv")),
                }
            )
            operation = attributes.get("gen_ai__operation__name", "")
            if operation != "invoke_agent" and draw(st.booleans()):
                attributes["fleetspan__agent__id"] = draw(
                    st.sampled_from(["a1", "a2", "a9"])
                )
            at_ms = draw(st.sampled_from([0, 1, 2, 5, 20, 3_600_000, 90_000_000]))
            # Parents: an earlier span, none, one that never comes, or a circle.
            parent = draw(st.sampled_from([*range(number), number - 1, 99, size]))
            start_only = draw(st.integers(0, 9)) == 0
            if operation in STARTS and (start_only or draw(st.booleans())):
                told = {k: v for k, v in attributes.items() if "usage" not in k}
                if parent:
                    told["fleetspan__parent_span_id"] = f"{parent:016x}"
                made.starts.append(
                    start_event(trace, number, STARTS[operation], at_ms=at_ms, **told)
                )
                if start_only:
                    continue
            made.spans.append(
                span(
                    trace,
                    number,
                    parent,
                    at_ms=at_ms,
                    lasts_ms=draw(st.sampled_from([0, 3, 50])),
                    failed=draw(st.integers(0, 4)) == 0,
                    **attributes,
                )
            )
    return made


def _requests(fleet: Fleet, chance: random.Random) -> list[Message]:
    """Shuffle everything and cut it into requests anywhere; repeat some of them."""
    requests: list[Message] = []
    both: Any = ((fleet.spans[:], traces), (fleet.starts[:], logs))
    for items, make in both:
        chance.shuffle(items)
        while items:
            size = chance.randint(1, len(items))
            requests.append(make(items[:size]))
            del items[:size]
    requests += chance.sample(requests, chance.randint(0, len(requests)))
    chance.shuffle(requests)
    return requests


NUMBER = itertools.count()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    # An example takes seconds: a failing one is shown as it is, not made smaller.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(fleet=fleets(), seed=st.integers(0, 2**32))
def test_order_does_not_matter(store: Embedded, fleet: Fleet, seed: int) -> None:
    """Whatever comes in whatever order, as often as it likes, the rows are the same."""
    number = next(NUMBER)
    in_order, shuffled = f"in-order-{number}", f"shuffled-{number}"
    whole: list[Message] = [traces(fleet.spans), logs(fleet.starts)]
    store.take(*whole, tenant=in_order)
    chance = random.Random(seed)
    waiting = _requests(fleet, chance)
    inserted: list[Window] = []
    derived: set[int] = set()
    while waiting:
        size = chance.randint(1, min(len(waiting), 8))
        inserted += store.insert(waiting[:size], shuffled)
        del waiting[:size]
        # Any windows, some for the second time, as after a crash between two steps.
        picked = chance.sample(range(len(inserted)), chance.randint(0, len(inserted)))
        if not waiting:
            picked += set(range(len(inserted))) - derived
        store.derivation.derive([inserted[each] for each in picked])
        derived.update(picked)
    found, wanted = store.canonical(shuffled), store.canonical(in_order)
    differences = {
        table: (sorted(set(found[table]) ^ set(wanted[table])))
        for table in wanted
        if found[table] != wanted[table]
    }
    assert differences == {}
