"""Removed text comes back exactly, from memory and from disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_routing.context import ContextError, DiskStore, MemoryStore, Store, part

ANY_TEXT = st.text(alphabet=st.characters(), max_size=300)
"""Half surrogates too, as tools that read broken files write them."""


@settings(deadline=None, max_examples=50)
@given(texts=st.lists(ANY_TEXT, max_size=5))
def test_exact_recall(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    """Whatever a text is, in both stores and under the same reference."""
    disk = DiskStore(tmp_path_factory.mktemp("kept"))
    stores: tuple[Store, Store] = (MemoryStore(), disk)
    for text in texts:
        first, second = (store.put(text) for store in stores)
        assert first == second
        assert all(store.get(first) == text for store in stores)
    for text in texts:
        assert disk.get(disk.put(text)) == text


def test_another_process_reads_what_one_wrote(tmp_path: Path) -> None:
    """A folder is all that they share, and keeping twice writes once."""
    ref = DiskStore(tmp_path).put("one\r\ntwo\n")
    assert DiskStore(tmp_path).put("one\r\ntwo\n") == ref
    assert DiskStore(tmp_path).get(ref) == "one\r\ntwo\n"
    assert ref in DiskStore(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [ref]


def test_texts_that_share_a_reference_get_longer_ones(tmp_path: Path) -> None:
    """The one that came first keeps the short one; both come back."""
    ref = MemoryStore().put("mine")
    memory = MemoryStore({ref: "another text"})
    longer = memory.put("mine")
    assert len(longer) == 16
    assert longer.startswith(ref)
    assert memory.get(longer) == "mine"
    assert memory.get(ref) == "another text"
    (tmp_path / ref[:2]).mkdir()
    (tmp_path / ref[:2] / ref).write_text("another text")
    disk = DiskStore(tmp_path)
    assert disk.get(disk.put("mine")) == "mine"


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """With the reason and what to try; no file elsewhere can be named."""
    (tmp_path / "secret").write_text("x")
    for store in (MemoryStore(), DiskStore(tmp_path / "kept")):
        for ref in ("0123abcd", "../secret", ""):
            assert ref not in store
            with pytest.raises(
                ContextError, match=r"is not kept here\n  because: .*\n"
            ):
                store.get(ref)


def test_a_changed_file_is_not_taken_for_the_text(tmp_path: Path) -> None:
    """It is refused, not handed to a model."""
    store = DiskStore(tmp_path)
    ref = store.put("as it was")
    (tmp_path / ref[:2] / ref).write_text("as it is")
    with pytest.raises(ContextError, match="was changed since it was written"):
        store.get(ref)


def test_some_lines() -> None:
    """From 1, both ends included, with their ends; past the last one there is less."""
    text = "a\nb\r\nc\fd\ne"
    assert part(text, 2, 3) == "b\r\nc\fd\n"
    assert part(text, 4, 9) == "e"
    for first, last in ((0, 1), (3, 2), (5, 6)):
        with pytest.raises(ContextError, match="the text has lines 1 to 4"):
            part(text, first, last)
