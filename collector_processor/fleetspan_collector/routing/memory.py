"""Outcomes in memory, read from the store now and then, for whoever has to choose."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector.routing.keeper import STATUS
from fleetspan_collector.snapshots.reading import Ask
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_routing.outcomes import Outcome, Outcomes, Task
from fleetspan_routing.tiers import Tiers

_DAYS: Final = 180
_MOST: Final = 200_000
_MOST_TEXTS: Final = 4_000
_FAILING_S: Final = 300
_LEAST_FAILURES: Final = 3
_DATED: Final = re.compile(r"-\d{8}(?=$|[^0-9])|@\d{8}$")


class Names:
    """Models as tiers name them.

    Args:
        tiers: Their names are full ones, with or without a date, or the client's short
            ones (``haiku``), which are found as a word of full ones.
    """

    def __init__(self, tiers: Tiers) -> None:
        self._names = {_DATED.sub("", name): name for name in tiers.models}

    def of(self, model: str) -> str:
        """Return the tiers' name of a model; itself when it has none."""
        plain = _DATED.sub("", model.rpartition("/")[2])
        if plain in self._names:
            return self._names[plain]
        words = set(plain.split("-"))
        found = [name for short, name in self._names.items() if short in words]
        return found[0] if len(found) == 1 else model

    def chances(self, row: Mapping[str, Any]) -> dict[str, float]:
        """Return the chance that each model had, of a row with chances."""
        found: dict[str, float] = {}
        for model, chance in zip(row["ChanceNames"], row["ChanceValues"], strict=True):
            name = self.of(model)
            found[name] = found.get(name, 0.0) + chance
        return found


def outcomes_of(
    rows: Iterable[Mapping[str, Any]], tiers: Tiers, *, trust_status: bool = False
) -> list[Outcome]:
    """Make outcomes of rows.

    Args:
        rows: As ``outcomes_read`` returns them.
        tiers: Which name the models.
        trust_status: Whether that an agent ended without an error counts as success.
    """
    names = Names(tiers)
    return [
        Outcome(
            task=Task(
                workload=row["Workload"],
                role=row["Role"],
                tools=row["Tools"],
                repository=row["Repository"],
                kind=row["TaskKind"],
            ),
            model=names.of(row["Model"]),
            quality=row["Quality"],
            cost_usd=row["CostUsd"],
            latency_s=row["Seconds"],
            at_s=row["At"],
        )
        for row in rows
        if trust_status or row["Verifier"] != STATUS
    ]


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from: the store, or a running collector.

    Attributes:
        rows: Runs a read-only statement.
        prefix: Of the names of views.
    """

    rows: Callable[[str], list[dict[str, Any]]]
    prefix: str = ""

    @classmethod
    def of_engine(cls, engine: Engine) -> Source:
        """Read from a store, by a connection that the caller alone uses."""
        return cls(
            lambda statement: engine.arrow(statement).to_pylist(),
            f"{engine.address.database}.",
        )

    @classmethod
    def of_ask(cls, ask: Ask) -> Source:
        """Read through a running collector, or from the store itself."""

        def rows(statement: str) -> list[dict[str, Any]]:
            answer = b"".join(ask(statement, "ArrowStream"))
            found: list[dict[str, Any]] = (
                pa.ipc.open_stream(answer).read_all().to_pylist()
            )
            return found

        return cls(rows)

    def outcomes(self, since_s: float | None = None) -> list[dict[str, Any]]:
        """Return what became of tasks, the latest first.

        Args:
            since_s: Unix seconds; ``None``: half a year ago.

        Raises:
            ClickHouseError: When the store fails.
        """
        return self._ask(
            "outcomes_read",
            outcomes=f"{self.prefix}outcomes",
            since=_since(since_s),
            most=str(_MOST),
        )

    def texts(
        self, since_s: float | None = None, *, trust_status: bool = False
    ) -> list[dict[str, Any]]:
        """Return what those were asked whose model was left to chance, likewise."""
        return self._ask(
            "outcome_texts",
            outcomes=f"{self.prefix}outcomes",
            agents=f"{self.prefix}agents",
            since=_since(since_s),
            trusted="1" if trust_status else f"Verifier != '{STATUS}'",
            most=str(_MOST_TEXTS),
        )

    def version(self) -> tuple[int, int]:
        """Return what is different once there are other outcomes."""
        (row,) = self._ask("outcomes_version", stored=f"{self.prefix}stored_outcomes")
        return row["Latest"], row["Number"]

    def failing(self) -> list[str]:
        """Return the models whose provider has failed every time in the last minutes."""
        return [
            row["Model"]
            for row in self._ask(
                "failing_models",
                calls=f"{self.prefix}llm_calls",
                within=str(_FAILING_S),
                least=str(_LEAST_FAILURES),
            )
        ]

    def _ask(self, name: str, **tokens: str) -> list[dict[str, Any]]:
        return self.rows(_sql.render(name, **tokens))


def _since(since_s: float | None) -> str:
    since = time.time() - _DAYS * 86_400 if since_s is None else since_s
    return str(max(0, int(since)))


def remember(
    rows: Iterable[Mapping[str, Any]], tiers: Tiers, *, trust_status: bool = False
) -> Outcomes:
    """Return outcomes that a router decides by."""
    outcomes = Outcomes()
    outcomes.add(outcomes_of(rows, tiers, trust_status=trust_status))
    return outcomes
