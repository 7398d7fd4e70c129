"""A collector with very many connections and files goes on analysing."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.collector_processor.fleet import traces
from tests.collector_processor.processors.analysing import analysing
from tests.collector_processor.processors.looping import looping

MORE_THAN_SELECT_TAKES = 1100


@contextlib.contextmanager
def many_open() -> Generator[None]:
    """Take every descriptor that select() could watch."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MORE_THAN_SELECT_TAKES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"a process may open {hard} files here, and {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(MORE_THAN_SELECT_TAKES)]
    try:
        yield
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_runs_are_analysed(tmp_path: Path) -> None:
    """The process of the processors is started, asked and heard all the same."""
    with many_open(), analysing(tmp_path) as made:
        made.take(traces(looping(0x500, 3)))
        made.analyse()
        assert len(made.rows("run_analyses")) == 1
