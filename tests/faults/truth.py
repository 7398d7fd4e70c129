"""What was planted where, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleetspan_collector.processors.run import Run

Measure = Literal["seconds", "usd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A fault that was planted.

    Attributes:
        detector: Who ought to find it.
        variant: Which shape of the fault it is.
        agents: Ids of the agents at the place.
        calls: Ids of the model calls at the place.
        tools: Ids of the tool calls at the place.
        seconds: Wall time of the run that there would not be without it.
        usd: US dollars that would not have been spent without it.
        judged: The measures that a prediction is held against.
    """

    detector: str
    variant: str
    agents: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    seconds: float = 0.0
    usd: float = 0.0
    judged: tuple[Measure, ...] = ("seconds", "usd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A run with a fault, and the same run without it.

    Attributes:
        origin: ``generated``, ``mini_swe`` or ``capture``.
        healthy: The run without the fault.
        faulty: The run with it.
        truth: What was planted.
    """

    origin: str
    healthy: Run
    faulty: Run
    truth: Truth
