"""What is left when the collector is killed between finding and telling."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..running import poll
from .telling import hang, receiving

pytestmark = pytest.mark.integration

_AFTER = """
import pathlib, sys, threading
import prometheus_client
from fleetspan_collector.notify.announcer import Announcer
from tests.collector_processor.embedded import embedded
from tests.collector_processor.notify.conftest import settings_of
with embedded(pathlib.Path(sys.argv[1])) as stored:
    announcer = Announcer(
        stored.engine,
        settings_of({"pager": {"url": sys.argv[2]}}),
        prometheus_client.CollectorRegistry(),
    )
    announcer.start()
    sys.stdin.readline()
    announcer.stop()
"""
_ROOT = Path(__file__).parents[3]


def test_sigkill_between_finding_and_telling(tmp_path: Path) -> None:
    """What was found and not told is told after the next start, all of it, once."""
    with receiving(hang, 200) as receiver:
        first = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.collector_processor.notify.killed",
                str(tmp_path),
                receiver.url,
            ],
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        with first:
            assert first.stdout is not None
            assert first.stdout.readline() == b"told\n"
            poll(lambda: receiver.received, "the first delivery has begun")
            first.kill()
        second = subprocess.Popen(
            [sys.executable, "-c", _AFTER, str(tmp_path), receiver.url],
            stdin=subprocess.PIPE,
            cwd=_ROOT,
        )
        with second:
            poll(lambda: len(receiver.received) == 3, "both findings were told")
            second.communicate(b"\n")
        assert second.returncode == 0
    told = [json.loads(each.body)["finding_id"] for each in receiver.received]
    assert sorted(told[1:]) == ["f-1", "f-2"]
    first_id, *later = (each.headers["webhook-id"] for each in receiver.received)
    # Its receiver can tell that it was told before.
    assert first_id in later
