"""Which processors there are: ours by name, and those of installed plugins.

A plugin is a package with an entry point in the group ``fleetspan.processors``: its name
is the processor's, its value a class or function that makes one of `ProcessorSettings`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from fleetspan_collector._errors import UsageError
from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors.broken_cache import BrokenCache
from fleetspan_collector.processors.detectors.broken_trace import BrokenTrace
from fleetspan_collector.processors.detectors.context_growth import ContextGrowth
from fleetspan_collector.processors.detectors.dominating_step import DominatingStep
from fleetspan_collector.processors.detectors.failing_tool import FailingTool
from fleetspan_collector.processors.detectors.no_progress_loop import NoProgressLoop
from fleetspan_collector.processors.detectors.overpowered_model import OverpoweredModel
from fleetspan_collector.processors.detectors.oversized_output import OversizedOutput
from fleetspan_collector.processors.detectors.rate_limit_wait import RateLimitWait
from fleetspan_collector.processors.detectors.retry_storm import RetryStorm
from fleetspan_collector.processors.detectors.runaway_fanout import RunawayFanout
from fleetspan_collector.processors.detectors.serialised_subagents import (
    SerialisedSubagents,
)
from fleetspan_collector.processors.detectors.slower_than_usual import SlowerThanUsual
from fleetspan_collector.processors.detectors.straggler import Straggler
from fleetspan_collector.processors.detectors.stuck_agent import StuckAgent
from fleetspan_collector.processors.processor import Factory, Processor

logger = logging.getLogger("fleetspan.processors")

GROUP: Final = "fleetspan.processors"

PROCESSORS: Final[Mapping[str, Factory]] = {
    "broken_cache": BrokenCache,
    "broken_trace": BrokenTrace,
    "context_growth": ContextGrowth,
    "dominating_step": DominatingStep,
    "failing_tool": FailingTool,
    "no_progress_loop": NoProgressLoop,
    "overpowered_model": OverpoweredModel,
    "oversized_output": OversizedOutput,
    "rate_limit_wait": RateLimitWait,
    "retry_storm": RetryStorm,
    "runaway_fanout": RunawayFanout,
    "serialised_subagents": SerialisedSubagents,
    "slower_than_usual": SlowerThanUsual,
    "straggler": Straggler,
    "stuck_agent": StuckAgent,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The processors that are to run.

    Attributes:
        processors: In a fixed order.
        broken: Plugins that could not be made, by name, with the reason.
    """

    processors: tuple[Processor, ...]
    broken: Mapping[str, str]


def check_names(settings: ProcessorSettings) -> Mapping[str, EntryPoint]:
    """See that all that is switched off is there; nothing of plugins is loaded.

    Returns:
        The plugins by name.

    Raises:
        UsageError: When ``processors_off`` names one that there is not.
    """
    plugins = {
        each.name: each
        for each in entry_points(group=GROUP)
        if each.name not in PROCESSORS
    }
    unknown = sorted(set(settings.processors_off) - PROCESSORS.keys() - plugins.keys())
    if unknown:
        raise UsageError(
            "the setting processors_off cannot be used",
            because=f"there is no processor {unknown[0]!r}",
            suggestion="one of " + ", ".join(sorted([*PROCESSORS, *plugins])),
        )
    return plugins


def make_processors(settings: ProcessorSettings) -> Made:
    """Make every processor that is not switched off.

    Raises:
        UsageError: When ``processors_off`` names one that there is not.
    """
    plugins = check_names(settings)
    processors = [
        make(settings)
        for name, make in PROCESSORS.items()
        if name not in settings.processors_off
    ]
    broken: dict[str, str] = {}
    for name, point in sorted(plugins.items()):
        if name in settings.processors_off:
            continue
        try:
            processors.append(_made(point, settings))
        except Exception as error:
            broken[name] = f"{type(error).__name__}: {error}"
            logger.exception("the processor %s of %s", name, point.value)
    return Made(processors=tuple(processors), broken=broken)


def _made(point: EntryPoint, settings: ProcessorSettings) -> Processor:
    make: Factory = point.load()
    processor = make(settings)
    if processor.name != point.name or not callable(processor.findings):
        raise TypeError(
            f"expected a processor called {point.name!r}, got {processor!r}"
        )
    return processor
