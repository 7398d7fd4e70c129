"""Processors of others: found by entry point, and kept from doing harm."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from fleetspan_collector.processors.finding import finding_id
from tests.collector_processor.fleet import agent, call, tool, traces
from tests.collector_processor.processors.analysing import Analysing, analysing

HERE = Path(__file__).parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generator[Analysing]:
    """A store whose collector has the example and the troublemakers installed."""
    site = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--target", site),
            *(HERE / "plugin", HERE / "troublemakers"),
        ],
        check=True,
    )
    folder = tmp_path_factory.mktemp("plugins")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(site))
        with analysing(folder, processor_timeout_s=1.0) as opened:
            yield opened


def run(trace: int, name: str) -> list[object]:
    """Return the spans of a run of that name whose agent edits and does not test."""
    return [
        agent(trace, 1, gen_ai__agent__name=name),
        call(trace, 2, 1),
        tool(trace, 3, 1, at_ms=20, gen_ai__tool__name="Edit"),
        call(trace, 4, 1, at_ms=40),
    ]


def take(made: Analysing, *names: str, first: int) -> None:
    """Analyse a run of each name, together."""
    spans = [
        span for number, name in enumerate(names) for span in run(first + number, name)
    ]
    made.take(traces(spans))  # type: ignore[arg-type]


def detectors(made: Analysing, trace: int) -> set[str]:
    """Return who has found something in a run."""
    rows = made.rows("findings", f"RunId LIKE '{trace:032x}%'")
    return {row["Detector"] for row in rows}


def set_aside(made: Analysing, trace: int) -> list[str]:
    """Return who was set aside for a run."""
    (row,) = made.rows("run_analyses", f"RunId LIKE '{trace:032x}%'")
    aside: list[str] = row["SetAside"]
    return aside


def test_a_plugin_finds_something(made: Analysing) -> None:
    """A processor of an installed package says what it found, like ours."""
    take(made, "coder", first=0x100)
    (found,) = made.findings("untested_change", f"RunId LIKE '{0x100:032x}%'")
    assert found["What"] == "coder changed files 1 times and ran no test"
    assert found["AgentName"] == "coder"
    place = finding_id("", found["RunId"], "untested_change", found["AgentIds"][0])
    assert found["FindingId"] == place


def test_one_that_raises(made: Analysing) -> None:
    """What a processor raises costs its own findings of that run, and is counted."""
    name = "fleetspan_processor_failures_total"
    before = made.count(name, processor="raises", reason="error")
    take(made, "raises", "well", first=0x200)
    assert set_aside(made, 0x200) == ["raises"]
    assert set_aside(made, 0x201) == []
    assert detectors(made, 0x200) == detectors(made, 0x201) == {"untested_change"}
    assert made.count(name, processor="raises", reason="error") == before + 1


def test_one_that_hangs_or_ends_the_process(made: Analysing) -> None:
    """Whoever hangs, or kills the process, is named, and everybody else goes on."""
    take(made, "hangs", "well", "crashes", "crashes and hangs", first=0x300)
    assert set_aside(made, 0x300) == ["hangs"]
    assert set_aside(made, 0x301) == []
    assert set_aside(made, 0x302) == ["crashes"]
    assert set_aside(made, 0x303) == ["crashes", "hangs"]
    for number in range(4):
        assert detectors(made, 0x300 + number) == {"untested_change"}
    name = "fleetspan_processor_failures_total"
    assert made.count(name, processor="hangs", reason="hang") >= 2
    assert made.count(name, processor="crashes", reason="crash") >= 2


def test_one_that_prints(made: Analysing) -> None:
    """What a processor prints does not get among the answers."""
    take(made, "prints", first=0x400)
    assert set_aside(made, 0x400) == []
    assert detectors(made, 0x400) == {"untested_change"}


def test_one_that_says_too_much(made: Analysing) -> None:
    """A hundred findings of a processor in a run are kept, the rest is counted."""
    take(made, "floods", first=0x500)
    found = made.findings("floods", f"RunId LIKE '{0x500:032x}%'")
    assert len(found) == 100
    assert max(len(each["What"]) for each in found) == 4000
    assert made.count("fleetspan_findings_dropped_total") >= 900


def test_those_that_cannot_be_made(made: Analysing) -> None:
    """A plugin that cannot be loaded is named, and does not stop the others."""
    take(made, "well", first=0x600)
    broken = made.scheduler.supervisor.broken
    assert sorted(broken) == ["absent", "misnamed", "unmade"]
    assert broken["unmade"] == "RuntimeError: needs something that is not there"
    assert made.count("fleetspan_processor_off", processor="unmade") == 1
