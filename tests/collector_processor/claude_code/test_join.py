"""The join: whatever feeds there are, in whatever order, tell of one session once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from tests.collector_processor.claude_code import captures
from tests.collector_processor.claude_code.captures import Delivery, deliveries
from tests.collector_processor.claude_code.joining import (
    NEVER_ANSWERED,
    TOKENS,
    counts,
    found,
    known,
    refused,
    rows,
    take_apart,
    truth,
)
from tests.collector_processor.embedded import Embedded, embedded

_FEEDS: Final = ("traces", "logs", "hooks", "transcripts")
_PARTS: Final = 3
"""A case arrives in so many parts, each derived before the next one comes."""

CASES: Final = [
    (name, combination)
    for names, sizes in ((captures.NAMES, (1, 2, 4)), (captures.SMALLER, (1, 4)))
    for name in names
    for size in sizes
    for combination in itertools.combinations(_FEEDS, size)
]
ORDERS: Final = ("in order", "reversed", "shuffled", "doubled")
ORDERED: Final = [
    (name, combination, order)
    for name, combination in CASES
    for order in (ORDERS if name in captures.NAMES else ("in order", "shuffled"))
]


def _arranged(given: Sequence[Delivery], order: str, seed: str) -> list[Delivery]:
    if order == "in order":
        return sorted(given, key=lambda each: each.at_s)
    if order == "reversed":
        return list(reversed(given))
    shuffled = list(given)
    random.Random(seed).shuffle(shuffled)
    return shuffled if order == "shuffled" else [*given, *shuffled]


def _tenant(name: str, combination: Sequence[str], order: str) -> str:
    return f"{name}/{'+'.join(combination)}/{order}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Take every case, in every order, each as a tenant of its own."""
    with embedded(tmp_path_factory.mktemp("join")) as opened:
        parts: list[dict[str, list[Delivery]]] = [{} for _ in range(_PARTS)]
        for name, combination, order in ORDERED:
            tenant = _tenant(name, combination, order)
            given = _arranged(deliveries(name, *combination), order, tenant)
            size = -(-len(given) // _PARTS)
            for number, part in enumerate(parts):
                part[tenant] = given[number * size : (number + 1) * size]
        for part in parts:
            take_apart(opened, part)
        yield opened


@pytest.mark.parametrize(("name", "combination"), CASES)
def test_feeds_say_nothing_that_is_not_so(
    store: Embedded, name: str, combination: tuple[str, ...]
) -> None:
    """Every known fact is true, nothing is there twice or that never was."""
    told = found(store, _tenant(name, combination, "in order"))
    true = truth(name)
    extra = {
        key
        for key in known(told)
        if key not in true and key[1] != NEVER_ANSWERED.get(name)
    }
    in_vain = refused(name)
    assert {key for key in extra if key[1] not in in_vain} == set()
    for key in extra:
        assert key[2] == "agent", "what is refused has no usage"
        assert told[key] == in_vain[key[1]]
    for key, value in known(told).items():
        if key[2] == "cost":
            assert value == pytest.approx(true[key], rel=0.005)
        elif key in true:
            assert value == true[key], key


@pytest.mark.parametrize(("name", "combination"), CASES)
def test_feeds_together_know_what_each_knows(
    store: Embedded, name: str, combination: tuple[str, ...]
) -> None:
    """Each feed fills what the others lack: the whole knows the union of its parts."""
    together = known(found(store, _tenant(name, combination, "in order")))
    for feed in combination:
        alone = known(found(store, _tenant(name, (feed,), "in order")))
        assert alone.keys() - together.keys() == set()


@pytest.mark.parametrize("name", captures.NAMES + captures.SMALLER)
def test_all_feeds_together_equal_the_truth(store: Embedded, name: str) -> None:
    """With every feed, agents, parents, requests, tools and tokens are the truth."""
    told = known(found(store, _tenant(name, _FEEDS, "in order")))
    true = truth(name)
    costs = {key for key in true if key[2] == "cost"}
    # In the crash one agent was started and never answered, and one answer never left.
    missing = true.keys() - told.keys()
    assert missing == set()
    assert {key: told[key] for key in true.keys() - costs} == {
        key: true[key] for key in true.keys() - costs
    }
    assert sum(told[key] for key in costs) == pytest.approx(
        sum(true[key] for key in costs), rel=0.005
    )


@pytest.mark.parametrize(
    ("name", "combination", "order"), [case for case in ORDERED if case[2] != ORDERS[0]]
)
def test_order_and_repeats_change_nothing(
    store: Embedded, name: str, combination: tuple[str, ...], order: str
) -> None:
    """Reversed, shuffled or doubled, the canonical rows are the same to the letter."""
    expected = rows(store, _tenant(name, combination, "in order"))
    told = rows(store, _tenant(name, combination, order))
    keys = expected.keys() | told.keys()
    assert {
        key: (expected.get(key), told.get(key))
        for key in keys
        if expected.get(key) != told.get(key)
    } == {}


_TREE_CALLS = {f"call.{name}": 17 for name in TOKENS[:4]}
_SPLIT = {f"call.{name}": 17 for name in TOKENS[4:]}
_TREE = {"agents": 5, "tools": 14, "tool.agent": 14, "tool.tool": 14}


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        (
            "traces",
            _TREE
            | _TREE_CALLS
            | {"calls": 17, "call.agent": 17}
            | {"agent.type": 5, "agent.parent": 4, "agent.spawn": 4},
        ),
        (
            "logs",
            _TREE
            | _TREE_CALLS
            | _SPLIT
            | {"calls": 17, "call.agent": 17, "call.cost": 17}
            | {"agent.type": 5, "agent.parent": 4},
        ),
        (
            "hooks",
            _TREE | {"calls": 0, "agent.type": 5, "agent.parent": 4, "agent.spawn": 4},
        ),
        (
            "transcripts",
            _TREE
            | _TREE_CALLS
            | _SPLIT
            | {"calls": 17, "call.agent": 17, "call.cost": 17}
            | {"agent.type": 5, "agent.parent": 4, "agent.spawn": 4},
        ),
    ],
)
def test_what_each_feed_knows(
    store: Embedded, feed: str, expected: dict[str, int]
) -> None:
    """The table of the documentation: so many facts of `tree` from each feed alone."""
    assert counts(found(store, _tenant("tree", (feed,), "in order"))) == expected


@pytest.mark.parametrize(
    ("name", "feed", "agents", "calls", "tools"),
    [
        ("resume", "traces", 2, 9, 4),
        ("resume", "logs", 2, 9, 4),
        ("resume", "hooks", 2, 0, 4),
        # Compaction is a request that no transcript has among its messages.
        ("resume", "transcripts", 2, 8, 4),
        ("crash", "traces", 3, 4, 5),
        ("crash", "logs", 1, 1, 2),
        ("crash", "hooks", 4, 0, 8),
        ("crash", "transcripts", 3, 5, 8),
    ],
)
def test_how_much_each_feed_knows(
    store: Embedded, name: str, feed: str, agents: int, calls: int, tools: int
) -> None:
    """After a resume and after a kill, each feed alone still tells so many things."""
    told = counts(found(store, _tenant(name, (feed,), "in order")))
    assert (told["agents"], told["calls"], told["tools"]) == (agents, calls, tools)


@pytest.mark.parametrize("feed", ["logs", "hooks", "transcripts", "all"])
def test_a_sub_agent_whose_request_was_refused_has_failed(
    store: Embedded, feed: str
) -> None:
    """It reports no stop of its own; hooks and transcripts tell, events cannot."""
    combination = _FEEDS if feed == "all" else (feed,)
    tenant = _tenant("failing", combination, "in order")
    (agent,) = store.rows(
        "agents", f"Tenant = '{tenant}' AND AgentId = 'a76ea9cef70dc2bbf'", "Status"
    )
    assert agent["Status"] == ("running" if feed == "logs" else "error")
