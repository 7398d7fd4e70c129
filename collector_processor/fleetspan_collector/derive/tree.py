"""Ancestors in a forest of spans, for all of them at once.

A forest is an array of parent indexes: ``parents[i]`` is the index of the parent of
node ``i``, or -1. Pointer doubling answers for every node in ``log2(depth)`` array
operations, so a trace of 50,000 spans costs milliseconds and a chain or a cycle of
them no more: what is not answered after `_MAX_ROUNDS` goes round in a circle.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Indexes = NDArray[np.int64]
Mask = NDArray[np.bool_]

NONE: Final = -1
_MAX_ROUNDS: Final = 40
"""Doubling this often passes chains of 2**40 nodes."""


def parent_indexes(
    nodes: NDArray[np.uint64], parent_nodes: NDArray[np.uint64]
) -> Indexes:
    """Find each node's parent among the nodes.

    Args:
        nodes: Unique ids, in any order.
        parent_nodes: For each node the id of its parent; 0 for none.

    Returns:
        For each node the index of its parent, -1 when it has none or it is not here.
    """
    if not len(nodes):
        return np.empty(0, dtype=np.int64)
    order = np.argsort(nodes, kind="stable")
    ordered = nodes[order]
    place = np.minimum(np.searchsorted(ordered, parent_nodes), len(nodes) - 1)
    found = (ordered[place] == parent_nodes) & (parent_nodes != 0)
    return np.where(found, order[place], NONE)


def nearest(parents: Indexes, stops: Mask) -> Indexes:
    """The nearest proper ancestor that is a stop, for every node.

    Args:
        parents: The forest.
        stops: Which nodes count as an answer.

    Returns:
        Index of the ancestor; -1 where there is none, or only a circle.
    """
    count = len(parents)
    # One more place stands for "no ancestor"; it and the stops point at themselves.
    jump = np.append(np.where(parents == NONE, count, parents), count)
    here = np.arange(count + 1)
    fixed = np.append(stops, True)
    step = np.where(fixed, here, jump)
    for _ in range(_MAX_ROUNDS):
        further = step[step]
        if np.array_equal(further, step):
            break
        step = further
    answer = step[jump[:-1]]
    answer = np.where(fixed[answer], answer, count)
    return np.where(answer == count, NONE, answer)


def topmost(parents: Indexes) -> Indexes:
    """The root above every node, the node itself when it has no parent.

    A circle of nodes has no root: each node in it, or below it, gets the smallest
    index that its walk passes, so that the circle still has one name.
    """
    count = len(parents)
    step = np.where(parents == NONE, np.arange(count), parents)
    lowest = np.minimum(np.arange(count), step)
    for _ in range(_MAX_ROUNDS):
        further = step[step]
        lower = np.minimum(lowest, lowest[step])
        if np.array_equal(further, step) and np.array_equal(lower, lowest):
            break
        step, lowest = further, lower
    return np.where(parents[step] == NONE, step, lowest) if count else step


def depths(parents: Indexes) -> Indexes:
    """How many ancestors each node has; 0 for roots and for nodes in a circle."""
    count = len(parents)
    jump = np.append(np.where(parents == NONE, count, parents), count)
    length = np.append(np.where(parents == NONE, 0, 1), 0)
    for _ in range(_MAX_ROUNDS):
        if np.all(jump == count):
            break
        length = length + length[jump]
        jump = jump[jump]
        # In a circle the length doubles every round; one that has passed every node
        # is no depth.
        if length.max(initial=0) > count:
            break
    return np.where(jump[:-1] == count, length[:-1], 0)
