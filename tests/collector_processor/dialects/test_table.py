"""The files of names as a table."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from importlib import resources

import pytest

from fleetspan_collector.dialects import FACTS, ORDER, dialects, tokens
from fleetspan_collector.dialects._table import KINDS
from fleetspan_collector.store import _sql


def test_every_file_is_read_and_says_what_it_follows() -> None:
    """A dialect names the version of what was read to write it."""
    assert tuple(dialects()) == ORDER
    for dialect in dialects().values():
        assert dialect.title
        assert dialect.follows
        assert dialect.input_tokens


@pytest.mark.parametrize("name", ORDER)
def test_a_dialect_names_known_facts_and_kinds(name: str) -> None:
    """Nothing is named that the statement does not look up."""
    dialect = dialects()[name]
    facts = {*dialect.names, *(fact for each in dialect.json.values() for fact in each)}
    assert facts <= set(FACTS)
    assert {*dialect.kinds.values(), *dialect.span_names.values()} <= set(KINDS)


def test_a_name_means_one_fact() -> None:
    """An attribute stands for one fact, in all dialects that have it."""
    meanings = defaultdict(set)
    for dialect in dialects().values():
        names = [name for each in dialect.names.values() for name in each]
        assert max(Counter(names).values(), default=1) == 1
        for fact, given in dialect.names.items():
            for name in given:
                meanings[name].add(fact)
    assert {name: facts for name, facts in meanings.items() if len(facts) > 1} == {}


def test_a_kinds_value_means_one_kind() -> None:
    """The words of two dialects may be the same only where they mean the same."""
    meanings = defaultdict(set)
    for dialect in dialects().values():
        for value, kind in {**dialect.kinds, **dialect.span_names}.items():
            meanings[value].add(kind)
    assert {value: k for value, k in meanings.items() if len(k) > 1} == {}


def test_lists_can_be_split() -> None:
    """Lists are rendered as text that the engine splits: nothing in them is a separator."""
    for dialect in dialects().values():
        names = [name for each in dialect.names.values() for name in each]
        paths = [p for f in dialect.json.values() for each in f.values() for p in each]
        for text in (*names, *dialect.json, *paths, *dialect.kinds, *ORDER):
            assert " " not in text
            assert "'" not in text
            assert "\\" not in text
        assert not any("|" in name or "'" in name for name in dialect.span_names)


def test_the_statement_looks_every_fact_up() -> None:
    """A fact that is named and not looked up would be read for nothing."""
    folder = resources.files("fleetspan_collector.store") / "sql"
    text = (folder / "normalise_spans.sql").read_text("utf-8")
    for fact in FACTS:
        assert f"@fact_{fact}@" in text
    assert not re.search("@fact_[a-z]", _sql.load("normalise_spans"))
    assert set(tokens()) >= {f"fact_{fact}" for fact in FACTS}
