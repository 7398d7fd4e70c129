"""A processor that hangs too often is switched off; settings switch off others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.registry import PROCESSORS, make_processors
from tests.collector_processor.processors.analysing import analysing
from tests.collector_processor.processors.test_plugins import HERE, set_aside, take


@pytest.mark.slow
def test_after_the_third_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hung on three runs is not asked again until the next start."""
    site = tmp_path / "site"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--target", site),
            HERE / "troublemakers",
        ],
        check=True,
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    with analysing(tmp_path, processor_timeout_s=0.5) as made:
        take(made, *["hangs"] * 5, first=0x100)
        aside = [set_aside(made, 0x100 + number) for number in range(5)]
        assert aside.count(["hangs"]) == 3
        assert aside.count([]) == 2
        assert list(made.scheduler.supervisor.off) == ["hangs"]
        assert made.count("fleetspan_processor_off", processor="hangs") == 1


def test_by_a_setting() -> None:
    """What is named in processors_off does not run."""
    made = make_processors(ProcessorSettings(processors_off=("straggler",)))
    names = {processor.name for processor in made.processors}
    assert names == set(PROCESSORS) - {"straggler"}


def test_an_unknown_name() -> None:
    """A name that there is not is an error that says which there are."""
    with pytest.raises(UsageError, match="there is no processor 'stragler'") as told:
        make_processors(ProcessorSettings(processors_off=("stragler",)))
    assert "straggler" in told.value.suggestion


def test_every_processor_is_named_as_in_the_table() -> None:
    """The table's names are the processors' own, in alphabetical order."""
    made = make_processors(ProcessorSettings())
    assert [processor.name for processor in made.processors] == list(PROCESSORS)
    assert list(PROCESSORS) == sorted(PROCESSORS)
