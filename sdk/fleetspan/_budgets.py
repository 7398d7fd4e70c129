"""Budgets of a program: how much what is done within them may use, and what happens then.

They nest: whatever is done counts for every budget around it, so that an inner one may
stop a sub-tree while the outer one still has room. They go where context goes: into
tasks, and into threads by `wrap` and `ContextExecutor`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self

from fleetspan import _semconv as semconv
from fleetspan._errors import FleetspanError
from fleetspan._guard import complain

MEASURES: Final[Mapping[str, str]] = {
    "usd": "USD",
    "tokens": "tokens",
    "wall_s": "seconds",
    "calls": "tool calls",
    "subagents": "sub-agents",
    "depth": "levels of sub-agents",
}
"""What can be limited, and in which unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """A limit that the next step would pass, or that is used up.

    Attributes:
        budget: Name of the budget.
        measure: Which limit, a key of `MEASURES`.
        used: How much is used.
        limit: At most so much.
    """

    budget: str
    measure: str
    used: float
    limit: float

    def __str__(self) -> str:
        unit = MEASURES[self.measure]
        return f"budget {self.budget!r}: {self.used:g} of {self.limit:g} {unit} used"


class BudgetSpentError(FleetspanError):
    """A budget is spent, and was to be raised for it; nothing was begun.

    Attributes:
        spent: Which limit, and how far it is used.
    """

    def __init__(self, spent: Spent) -> None:
        self.spent = spent
        super().__init__(str(spent))


OnSpent = Literal["raise", "warn"] | Callable[[Spent], object]
Price = Callable[[str, Mapping[str, Any]], float | None]


class Budget:
    """What is done within it may use so much. Use it as ``with`` or ``async with``.

    Before each model call, tool call and sub-agent within it, it is seen whether there is
    room; tokens and cost count when a model call has ended.

    Args:
        name: What people call it.
        usd: US dollars, by what `LLM.cost` is told, else by ``price``.
        tokens: Input, cached or not, and output.
        wall_s: Seconds since it was entered.
        calls: Tool calls.
        subagents: Agents within agents.
        depth: How deep they may nest.
        on_spent: ``raise``: `BudgetSpentError`; ``warn``: a log line, once for each limit;
            or called with what is spent, each time, and may raise what it likes.
        price: US dollars of a call whose cost nobody has said: its model, and its token
            attributes by OpenTelemetry's names; ``None`` when it does not know.

    Raises:
        ValueError: When nothing is limited, or a limit is not above 0.
    """

    def __init__(
        self,
        name: str,
        *,
        usd: float | None = None,
        tokens: float | None = None,
        wall_s: float | None = None,
        calls: float | None = None,
        subagents: float | None = None,
        depth: float | None = None,
        on_spent: OnSpent = "raise",
        price: Price | None = None,
    ) -> None:
        given = {
            "usd": usd,
            "tokens": tokens,
            "wall_s": wall_s,
            "calls": calls,
            "subagents": subagents,
            "depth": depth,
        }
        self.name = name
        self.limits = {key: value for key, value in given.items() if value is not None}
        if not self.limits:
            raise ValueError(
                f"budget {name!r} limits nothing; {', '.join(MEASURES)} can be"
            )
        for measure, limit in self.limits.items():
            if not limit > 0:
                raise ValueError(
                    f"budget {name!r}: {measure} is {limit!r}, not above 0"
                )
        if not callable(on_spent) and on_spent not in ("raise", "warn"):
            raise ValueError(f"on_spent is {on_spent!r}, not raise, warn or a function")
        self._on_spent = on_spent
        self._price = price
        self._used = dict.fromkeys(MEASURES, 0.0)
        self._lock = threading.Lock()
        self._entered_s = 0.0
        self._token: Token[tuple[Budget, ...]] | None = None

    @property
    def used(self) -> Mapping[str, float]:
        """How much of each measure is used."""
        with self._lock:
            used = dict(self._used)
        if self._entered_s:
            used["wall_s"] = time.monotonic() - self._entered_s
        return used

    def __enter__(self) -> Self:
        self._entered_s = self._entered_s or time.monotonic()
        self._token = _current.set((*_current.get(), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _room_for(self, step: Mapping[str, float]) -> Spent | None:
        """Take room for a step; or say which limit does not have it."""
        wall_s = time.monotonic() - self._entered_s
        with self._lock:
            for measure, limit in self.limits.items():
                used = wall_s if measure == "wall_s" else self._used[measure]
                if measure == "depth":
                    full = step.get(measure, 0.0) > limit
                elif measure in ("calls", "subagents"):
                    full = used + step.get(measure, 0.0) > limit and measure in step
                else:
                    full = used >= limit
                if full:
                    return Spent(
                        budget=self.name, measure=measure, used=used, limit=limit
                    )
            for measure, amount in step.items():
                if measure == "depth":
                    self._used[measure] = max(self._used[measure], amount)
                else:
                    self._used[measure] += amount
        return None

    def _give_back(self, step: Mapping[str, float]) -> None:
        with self._lock:
            for measure, amount in step.items():
                if measure != "depth":
                    self._used[measure] -= amount

    def _charge(self, model: str, said: Mapping[str, Any]) -> None:
        tokens = sum(
            said.get(name) or 0
            for name in (semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS)
        )
        usd = said.get(semconv.COST_USD)
        if usd is None and self._price is not None:
            usd = self._price(model, said)
        if usd is None and "usd" in self.limits and tokens:
            complain(
                f"budget.{self.name}", f"a call of {model or 'a model'} has no price"
            )
        with self._lock:
            self._used["tokens"] += tokens
            self._used["usd"] += usd or 0.0

    def _tell(self, spent: Spent) -> None:
        if callable(self._on_spent):
            self._on_spent(spent)
        elif self._on_spent == "raise":
            raise BudgetSpentError(spent)
        else:
            complain(f"{self.name}.{spent.measure}", f"is spent: {spent}")


_current: ContextVar[tuple[Budget, ...]] = ContextVar("fleetspan_budgets", default=())


def around() -> tuple[Budget, ...]:
    """Return the budgets around, the outermost first."""
    return _current.get()


def before(budgets: tuple[Budget, ...], step: Mapping[str, float]) -> None:
    """See that there is room for a step in every budget, and take it.

    Raises:
        BudgetSpentError: When one has none and says so; then none was taken anywhere.
    """
    taken: list[Budget] = []
    try:
        for budget in budgets:
            spent = budget._room_for(step)
            if spent is None:
                taken.append(budget)
            else:
                budget._tell(spent)
    except BaseException:
        for budget in taken:
            budget._give_back(step)
        raise


def charge(budgets: tuple[Budget, ...], model: str, said: Mapping[str, Any]) -> None:
    """Count a model call that has ended for every budget that it began within."""
    for budget in budgets:
        budget._charge(model, said)
