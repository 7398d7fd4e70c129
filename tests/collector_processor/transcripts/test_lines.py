"""Whole lines are read, and half ones left for later."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetspan_collector.transcripts.lines import Chunk, line_at, read_chunks
from fleetspan_collector.transcripts.standing import (
    Standing,
    Stored,
    resume,
    still_stands,
)
from tests.collector_processor.transcripts.made import begun, reply

LINES = (b'{"a":1}\n', b'{"b":"\xc3\xa4"}\r\n', b"not json\n", b"\x00\x00\xff\n", b"\n")


def read(path: Path, offset: int = 0, **given: int) -> list[tuple[int, bytes, int]]:
    """Return every chunk of a file."""
    chunks = read_chunks(path, offset, **given)
    return [(each.offset, each.body, each.end) for each in chunks]


def test_every_kind_of_line_is_read_as_it_stands(tmp_path: Path) -> None:
    """NUL, invalid UTF-8, CRLF and blank lines stay as they are."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(LINES))
    assert read(path) == [(0, b"".join(LINES), sum(map(len, LINES)))]


def test_an_empty_file_has_nothing(tmp_path: Path) -> None:
    """A file that was only made has no chunk."""
    path = tmp_path / "t.jsonl"
    path.touch()
    assert read(path) == []
    assert line_at(path, 0) is None


def test_a_file_cut_anywhere_gives_its_whole_lines(tmp_path: Path) -> None:
    """Cut at every byte: what is whole comes, what is not waits and comes later."""
    whole = begun() + reply(1) + reply(2)
    ends = [0, len(begun()), len(begun() + reply(1)), len(whole)]
    path = tmp_path / "t.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        first = b"".join(body for _, body, _ in read(path))
        # An object without its end is whole: nothing more can belong to it.
        complete = max(end for end in ends if end <= cut or end - 1 == cut)
        assert first == whole[:complete], cut
        end = read(path)[-1][2] if complete else 0
        path.write_bytes(whole)
        rest = read(path, end)
        assert first + b"".join(body for _, body, _ in rest) == whole, cut
        assert all(whole[offset:].startswith(body) for offset, body, _ in rest)


def test_chunks_follow_each_other(tmp_path: Path) -> None:
    """However small they are, chunks hold whole lines and every byte once."""
    path = tmp_path / "t.jsonl"
    whole = b"".join(reply(number) for number in range(20))
    path.write_bytes(whole)
    for size in (1, 100, 700, 5000):
        chunks = read(path, chunk_bytes=size)
        assert b"".join(body for _, body, _ in chunks) == whole
        assert all(body.endswith(b"\n") for _, body, _ in chunks)
        assert [offset for offset, _, _ in chunks[1:]] == [e for _, _, e in chunks[:-1]]


def test_a_line_that_no_request_can_hold_is_passed(tmp_path: Path) -> None:
    """It comes as an empty chunk, its neighbours come whole."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"{}\n" + b"x" * 500 + b"\n" + b'{"a":1}\n')
    assert read(path, chunk_bytes=50, longest_line_bytes=200) == [
        (0, b"{}\n", 3),
        (3, b"", 504),
        (504, b'{"a":1}\n', 512),
    ]
    path.write_bytes(b"{}\n" + b"x" * 500)
    assert read(path, chunk_bytes=50, longest_line_bytes=200) == [(0, b"{}\n", 3)]


def test_reading_goes_on_where_the_store_stands(tmp_path: Path) -> None:
    """After the last line that is stored, when the file is still the same."""
    path = tmp_path / "t.jsonl"
    one, two = reply(1), reply(2)
    path.write_bytes(one + two + begun())
    uuid = "bbbbbbbb-0000-4000-8000-000000000001"
    stored = Stored(last=len(one), known=0, uuid=uuid, described="")
    assert resume(path, stored).offset == len(one + two)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(b"", id="emptied"),
        pytest.param(reply(1)[:-40], id="shorter"),
        pytest.param(reply(3) + reply(2) + begun(), id="another of the same length"),
        pytest.param(begun() + reply(1) + reply(2), id="no line begins there"),
    ],
)
def test_a_file_that_is_not_what_it_was_is_read_again(
    tmp_path: Path, now: bytes
) -> None:
    """Shrunk or replaced: from the beginning, whoever remembers it, store or process."""
    path = tmp_path / "t.jsonl"
    one, two = reply(1), reply(2)
    path.write_bytes(one + two)
    uuid = "bbbbbbbb-0000-4000-8000-000000000001"
    stored = Stored(last=len(one), known=0, uuid=uuid, described="")
    standing = Standing().after(Chunk(offset=0, body=one, end=len(one)))
    assert still_stands(path, standing)
    path.write_bytes(now)
    assert resume(path, stored) == Standing()
    assert not still_stands(path, standing)
