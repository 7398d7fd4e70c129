"""Ancestors of all nodes at once, against a walk from each."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_collector.derive import tree

Parents = list[int]


@st.composite
def forests(draw: st.DrawFn) -> Parents:
    """Draw parents of up to 30 nodes: trees, chains and circles."""
    size = draw(st.integers(0, 30))
    return [draw(st.integers(-1, size - 1)) for _ in range(size)]


def _walk(parents: Parents, node: int) -> list[int]:
    """Return a node's ancestors, nearest first, up to the first that repeats."""
    passed: list[int] = []
    here = parents[node]
    while here != -1 and here not in passed:
        passed.append(here)
        here = parents[here]
    return passed


def _goes_round(parents: Parents, node: int) -> bool:
    """Tell whether the walk from a node never ends."""
    last = [node, *_walk(parents, node)][-1]
    return parents[last] != -1


@given(forests(), st.data())
@settings(deadline=None)
def test_nearest(parents: Parents, data: st.DataObject) -> None:
    """The nearest proper ancestor that is a stop; -1 when there is none."""
    stops = [data.draw(st.booleans()) for _ in parents]
    wanted = [
        next((each for each in _walk(parents, node) if stops[each]), -1)
        for node in range(len(parents))
    ]
    found = tree.nearest(np.array(parents, dtype=np.int64), np.array(stops, dtype=bool))
    assert found.tolist() == wanted


@given(forests())
@settings(deadline=None)
def test_topmost(parents: Parents) -> None:
    """The root; for a circle, and what hangs on it, one smallest index of the walk."""
    found = tree.topmost(np.array(parents, dtype=np.int64)).tolist()
    for node in range(len(parents)):
        walk = [node, *_walk(parents, node)]
        wanted = min(walk) if _goes_round(parents, node) else walk[-1]
        assert found[node] == wanted


@given(forests())
@settings(deadline=None)
def test_depths(parents: Parents) -> None:
    """The number of ancestors; 0 where the walk never ends."""
    wanted = [
        0 if _goes_round(parents, node) else len(_walk(parents, node))
        for node in range(len(parents))
    ]
    assert tree.depths(np.array(parents, dtype=np.int64)).tolist() == wanted


@given(st.lists(st.integers(1, 2**64 - 1), unique=True, max_size=20), st.data())
@settings(deadline=None)
def test_parent_indexes(nodes: list[int], data: st.DataObject) -> None:
    """The index of the node whose id is the parent's; -1 for 0 and for the absent."""
    known = st.sampled_from(nodes) if nodes else st.just(0)
    wanted = [data.draw(known | st.sampled_from([0, 5, 2**64 - 1])) for _ in nodes]
    found = tree.parent_indexes(
        np.array(nodes, dtype=np.uint64), np.array(wanted, dtype=np.uint64)
    )
    assert found.tolist() == [
        nodes.index(each) if each and each in nodes else -1 for each in wanted
    ]


def test_chain_of_a_hundred_thousand() -> None:
    """A chain as deep as a trace may be has an answer for its last node."""
    size = 100_000
    parents = np.arange(-1, size - 1)
    stops = np.zeros(size, dtype=bool)
    stops[0] = True
    assert tree.nearest(parents, stops)[-1] == 0
    assert tree.topmost(parents)[-1] == 0
    assert tree.depths(parents)[-1] == size - 1


def test_circle_of_a_hundred_thousand() -> None:
    """So has a circle: there is nothing above it, and its name is its first node."""
    size = 100_000
    parents = np.roll(np.arange(size), 1)
    assert tree.nearest(parents, np.zeros(size, dtype=bool)).max() == -1
    assert tree.topmost(parents).max() == 0
    assert tree.depths(parents).max() == 0
