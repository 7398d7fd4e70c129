"""The settings of the processors: when they run, and every detector's thresholds.

A base class of `Settings`, so that a detector can be made from these alone. Names are
``detect_DETECTOR_WHAT``; each detector's docstring says where its threshold comes from.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from fleetspan_collector.config import _parsers as parse
from fleetspan_collector.config._setting import setting
from fleetspan_collector.config._snapshot_settings import SnapshotSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorSettings(SnapshotSettings):
    """When processors run, and what they look for; see ``SETTINGS.md`` for each field."""

    processors_off: tuple[str, ...] = setting(
        (),
        parse.names,
        "Processors that do not run, by name.",
        zero="all run",
        shown="none",
        example="dominating_step,straggler",
    )
    processor_timeout_s: float = setting(
        10.0,
        parse.number(above=0),
        "Seconds that one processor may take over one run; then it is ended, set aside "
        "for that run, and named in `run_analyses.SetAside`, the log and the metrics.",
    )
    baseline_days: int = setting(
        30,
        parse.whole(at_least=1, at_most=365),
        "Days of history before a run's hour that it is held against: what has been "
        "usual for its name, agents, tools and models, and what became of such tasks.",
    )


def of_processors(settings: ProcessorSettings) -> ProcessorSettings:
    """The settings of processors alone, of settings that may hold more."""
    return ProcessorSettings(
        **{
            each.name: getattr(settings, each.name)
            for each in dataclasses.fields(ProcessorSettings)
        }
    )
