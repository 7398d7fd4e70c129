"""What became of tasks, by what they were and which model had them.

A task is of a workload, for an agent role, with a set of tools, in a repository; each of
the four narrows the one before. What is known of a model at a place is what was seen
there, and as many of what is known one place wider as make up for few: at a place without
outcomes it is what holds wider, down to nothing known at all. Older outcomes count less:
models and tasks change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_DAY_S: Final = 86_400.0
_SAME_FOR_S: Final = 60.0
_MOST_KNOWN: Final = 2_000
_PRIOR: Final = (0.5, 1.0)
"""Mean and weight of what is taken for granted where nothing is known: as if half of one
task had gone well."""


def tool_set(names: Iterable[str]) -> str:
    """Return names of tools as `Task.tools` has them: sorted, each once, with commas."""
    return ",".join(sorted({name.strip() for name in names} - {""}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a task is, as far as is known before it runs; each part may be ``""``.

    Attributes:
        workload: What the program does, for example its service or the run's name.
        role: Type or name of the agent.
        tools: Its tools, as `tool_set` makes it.
        repository: What it works on.
        kind: The kind of task, as `complexity.classify` tells it.
        complexity: The score before it runs, 0 to 10; ``None`` when not known.
        context_tokens: Tokens of its first request.
        cached_tokens: Of these, how many the present model has in its prompt cache, and
            another one would have to read anew.
    """

    workload: str = ""
    role: str = ""
    tools: str = ""
    repository: str = ""
    kind: str = ""
    complexity: float | None = None
    context_tokens: int | None = None
    cached_tokens: int = 0

    def places(self) -> Iterator[tuple[str, ...]]:
        """Yield where its outcomes are kept, the widest first."""
        parts = (self.workload, self.role, self.tools, self.repository)
        for length in range(len(parts) + 1):
            yield parts[:length]

    def marks(self) -> tuple[str, ...]:
        """Return what it is of within its workload, for `text_guard.Seen.marks`."""
        names = ("role", "tools", "repository")
        found = ((name, getattr(self, name)) for name in names)
        return tuple(f"{name} {value}" for name, value in found if value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: What it was.
        model: Which model had it.
        quality: How good the result is, 0 to 1.
        cost_usd: What it cost; ``None`` when not known.
        latency_s: How long it took; ``None`` when not known.
        at_s: When it ended, Unix seconds.
    """

    task: Task
    model: str
    quality: float
    cost_usd: float | None = None
    latency_s: float | None = None
    at_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.quality <= 1:
            raise ValueError(f"quality {self.quality!r} is not between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is expected of a model for a task.

    Attributes:
        quality: The mean, 0 to 1.
        weight: How many outcomes that is worth, those of wider places counted less.
        seen: How many outcomes there are of this model for tasks at all like it, discounted.
        cost_usd: The mean; ``None`` when no outcome tells.
        latency_s: Likewise.
    """

    quality: float
    weight: float
    seen: float
    cost_usd: float | None
    latency_s: float | None

    def at_least(self, z: float) -> float:
        """Return a lower bound of the quality, ``z`` standard deviations down.

        Wilson's, so that a place where all went well is not taken to be certain.
        """
        return max(self._bound(z, -1.0), 0.0)

    def at_most(self, z: float) -> float:
        """Return an upper bound, likewise."""
        return min(self._bound(z, 1.0), 1.0)

    def _bound(self, z: float, sign: float) -> float:
        n = self.weight
        centre = self.quality + z * z / (2 * n)
        spread = z * math.sqrt(
            self.quality * (1 - self.quality) / n + z * z / (4 * n * n)
        )
        return (centre + sign * spread) / (1 + z * z / n)


_SUMMED: Final = ("weight", "quality", "costs", "cost", "latencies", "latency")
_NOTHING: Final = (0.0,) * len(_SUMMED)


@dataclass(slots=True)
class _Sums:
    """Discounted sums of one model at one place, as of `at_s`."""

    at_s: float = 0.0
    weight: float = 0.0
    quality: float = 0.0
    costs: float = 0.0
    cost: float = 0.0
    latencies: float = 0.0
    latency: float = 0.0

    def as_of(self, at_s: float, half_life_s: float) -> tuple[float, ...]:
        """Return what they are worth at a later moment."""
        kept = math.pow(0.5, (at_s - self.at_s) / half_life_s)
        return (
            *(kept * self.weight, kept * self.quality),
            *(kept * self.costs, kept * self.cost),
            *(kept * self.latencies, kept * self.latency),
        )

    def add(self, outcome: Outcome, half_life_s: float) -> None:
        """Count an outcome; one from before counts as old as it is."""
        if outcome.at_s >= self.at_s:
            kept = math.pow(0.5, (outcome.at_s - self.at_s) / half_life_s)
            new = 1.0
            self.at_s = outcome.at_s
        else:
            kept, new = 1.0, math.pow(0.5, (self.at_s - outcome.at_s) / half_life_s)
        for name in _SUMMED:
            setattr(self, name, getattr(self, name) * kept)
        self.weight += new
        self.quality += new * outcome.quality
        if outcome.cost_usd is not None:
            self.costs += new
            self.cost += new * outcome.cost_usd
        if outcome.latency_s is not None:
            self.latencies += new
            self.latency += new * outcome.latency_s


@dataclass(slots=True, kw_only=True)
class Outcomes:
    """All that is known, in memory.

    Attributes:
        half_life_days: After so many days an outcome counts half.
        borrowed: How many outcomes of the next wider place stand in at a place at most.
    """

    half_life_days: float = 30.0
    borrowed: float = 8.0
    _places: dict[tuple[str, ...], dict[str, _Sums]] = field(default_factory=dict)
    _known: dict[tuple[object, ...], tuple[float, dict[str, Expected]]] = field(
        default_factory=dict
    )

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes, in any order."""
        half_life_s = self.half_life_days * _DAY_S
        self._known.clear()
        for outcome in outcomes:
            for place in outcome.task.places():
                models = self._places.setdefault(place, {})
                sums = models.get(outcome.model)
                if sums is None:
                    sums = models[outcome.model] = _Sums(at_s=outcome.at_s)
                sums.add(outcome, half_life_s)

    def models(self) -> Mapping[str, float]:
        """Return the models of which anything is known, with their discounted counts."""
        return {name: sums.weight for name, sums in self._places.get((), {}).items()}

    def expected(self, task: Task, model: str, at_s: float = 0.0) -> Expected:
        """Return what is expected of a model.

        Args:
            task: The task.
            model: The model.
            at_s: Now, Unix seconds; what is known has aged by then.
        """
        return self.all_expected(task, (model,), at_s)[model]

    def all_expected(
        self, task: Task, models: Iterable[str], at_s: float = 0.0
    ) -> dict[str, Expected]:
        """Return what is expected of some models; see `expected`.

        What was expected within the last minute is expected still: nothing ages so fast.
        """
        some = tuple(models)
        *_, narrowest = found = list(task.places())
        key = (narrowest, some)
        known = self._known.get(key)
        if known is not None and 0 <= at_s - known[0] < _SAME_FOR_S:
            return known[1]
        places = [self._places.get(place) or {} for place in found]
        expected = {model: self._expected(places, model, at_s) for model in some}
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = at_s, expected
        return expected

    def _expected(
        self, places: Sequence[Mapping[str, _Sums]], model: str, at_s: float
    ) -> Expected:
        quality, weight = _PRIOR
        cost: float | None = None
        latency: float | None = None
        nested = self._nested(places, model, at_s)
        for wider, narrower in zip(nested, [*nested[1:], _NOTHING], strict=True):
            if wider is narrower:  # nothing was seen
                weight = min(weight, self.borrowed)
                continue
            # What was seen outside of the next narrower place: nothing counts twice, and
            # never below nothing, whatever rounding says.
            own, good, costs, usd, latencies, took_s = map(_less, wider, narrower)
            lent = min(weight, self.borrowed)
            quality = (good + lent * quality) / (own + lent)
            weight = own + lent
            cost = _mean(usd, costs, cost, lent)
            latency = _mean(took_s, latencies, latency, lent)
        seen = nested[-1][0]
        return Expected(
            quality=quality, weight=weight, seen=seen, cost_usd=cost, latency_s=latency
        )

    def _nested(
        self, places: Sequence[Mapping[str, _Sums]], model: str, at_s: float
    ) -> list[tuple[float, ...]]:
        """Return what was seen at each place, the widest first, as of one moment."""
        half_life_s = self.half_life_days * _DAY_S
        widest = places[0].get(model)
        if widest is None:
            return [_NOTHING] * len(places)
        # The widest has seen the latest.
        now_s = max(at_s, widest.at_s)
        found = (place.get(model) for place in places)
        return [
            _NOTHING if sums is None else sums.as_of(now_s, half_life_s)
            for sums in found
        ]


def _less(wider: float, narrower: float) -> float:
    return wider - narrower if wider > narrower else 0.0


def _mean(total: float, count: float, wider: float | None, lent: float) -> float | None:
    if wider is None:
        return total / count if count else None
    return (total + lent * wider) / (count + lent)
