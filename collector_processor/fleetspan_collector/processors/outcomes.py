"""What became of tasks before: by kind of task and model.

Read by `outcome_store` from the rollups of agents of runs that began in earlier hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What one model did with one kind of task.

    Attributes:
        agents: How many agents had such a task and have ended.
        failures: How many of them failed.
    """

    agents: int
    failures: int


@dataclass(frozen=True, slots=True)
class PastOutcomes:
    """Outcomes by kind of task and model.

    Attributes:
        known: By kind of task (a name of `fleetspan_routing.complexity`) and model.
    """

    known: Mapping[tuple[str, str], Outcomes] = field(default_factory=dict)

    def of_kind(self, kind: str) -> Mapping[str, Outcomes]:
        """What became of one kind of task, by model."""
        return {
            model: outcomes
            for (of_kind, model), outcomes in self.known.items()
            if of_kind == kind
        }
