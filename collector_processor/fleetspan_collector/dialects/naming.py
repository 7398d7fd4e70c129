"""The rename map for one span at a time, in Python: what the live stream shows.

Attributes that hold JSON are left to the engine: a stream that is behind shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from fleetspan_collector.dialects._table import dialects


@cache
def _ranked() -> Mapping[str, tuple[str, int]]:
    """The fact of each name, and the name's rank among those of its fact."""
    found: dict[str, tuple[str, int]] = {}
    taken: dict[str, int] = {}
    for dialect in dialects().values():
        for fact, names in dialect.names.items():
            for name in names:
                if name not in found:
                    taken[fact] = taken.get(fact, 0) + 1
                    found[name] = (fact, taken[fact])
    return found


@cache
def _kinds() -> tuple[Mapping[str, str], Mapping[str, str]]:
    kinds: dict[str, str] = {}
    span_names: dict[str, str] = {}
    for dialect in dialects().values():
        for value, kind in dialect.kinds.items():
            kinds.setdefault(value, kind)
        for name, kind in dialect.span_names.items():
            span_names.setdefault(name, kind)
    return kinds, span_names


def is_named(attribute: str) -> bool:
    """Tell whether an attribute says something that has a name of ours."""
    return attribute in _ranked()


def facts_of(attributes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what attributes say, under one set of names (`FACTS`).

    Args:
        attributes: Names and values as text; what is empty says nothing.
    """
    ranked = _ranked()
    best: dict[str, tuple[int, str]] = {}
    for name, value in attributes:
        place = ranked.get(name)
        if place is None or not value:
            continue
        fact, rank = place
        held = best.get(fact)
        if held is None or rank < held[0]:
            best[fact] = (rank, value)
    return {fact: value for fact, (_, value) in best.items()}


def kind_of(facts: Mapping[str, str], span_name: str) -> str:
    """Return what a span stands for: one of `KINDS`."""
    kinds, span_names = _kinds()
    stated = facts.get("kind")
    if stated:
        return kinds.get(stated, "other")
    return span_names.get(span_name, "other")
