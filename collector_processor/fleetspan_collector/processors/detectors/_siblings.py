"""Which agents of one parent are of one kind: what fan-out detectors look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.critical_path import timeline_of
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run

_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Siblings:
    """Agents that have a parent, by parent, then start.

    Attributes:
        agents: Their rows.
        parent: The parent of each.
        start_ns: The (repaired) start of each, Unix nanoseconds.
        end_ns: The end of each.
        bounds: Where each parent's begin in these arrays, and one more for the end.
    """

    agents: Indexes
    parent: Indexes
    start_ns: Indexes
    end_ns: Indexes
    bounds: Indexes

    def families(self, at_least: int) -> list[slice]:
        """The places of the children of every parent that has so many."""
        sizes = np.diff(self.bounds)
        return [
            slice(int(self.bounds[each]), int(self.bounds[each + 1]))
            for each in np.flatnonzero(sizes >= at_least)
        ]


@per_run
def siblings_of(run: Run) -> Siblings:
    """Return the run's sub-agents, by parent, then start."""
    timeline, parent = timeline_of(run), run.tree.parent
    children = np.flatnonzero(parent != NONE)
    start = timeline.agent_start[children]
    order = np.lexsort((children, start, parent[children]))
    children = children[order]
    of = parent[children]
    changes = np.flatnonzero(np.diff(of)) + 1
    return Siblings(
        agents=children,
        parent=of,
        start_ns=start[order],
        end_ns=timeline.agent_end[children],
        bounds=np.concatenate(([0], changes, [len(of)])) if len(of) else _NOBODY,
    )


_NOBODY: NDArray[np.int64] = np.zeros(1, dtype=np.int64)


def same_kind(run: Run, first: int, second: int) -> bool:
    """Whether two agents seem to do the same kind of work.

    Their types are equal, as far as both have one; and their names are equal but for
    numbers, or share a word. ``reader-1`` and ``reader-2`` are of one kind, and so are
    ``Review the API`` and ``Review the store``; ``search`` and ``write`` are not.
    """
    types, names = run.agents.strings("Type"), run.agents.strings("Name")
    if types[first] != types[second] and types[first] and types[second]:
        return False
    if names[first] == names[second]:
        return True
    words = _words(names[first])
    # Names without words (ids) say nothing: then the type alone decides.
    if not words or not _words(names[second]):
        return bool(types[first]) and types[first] == types[second]
    return bool(words & _words(names[second]))


@lru_cache(maxsize=4096)
def _words(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(name)) - _EMPTY_WORDS


_EMPTY_WORDS = frozenset(("the", "of", "in", "for", "and", "to", "on", "agent"))
