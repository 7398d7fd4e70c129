"""What a step of a workflow is, and what its handler is told."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from fleetspan_routing.coordinator._errors import GraphError


class Phase(StrEnum):
    """What a step is for. It orders nothing: only needs do; limits may be per phase."""

    SCOUT = "scout"
    PLAN = "plan"
    BUILD = "build"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What a handler is told.

    Attributes:
        name: Its step.
        phase: The step's phase.
        results: Results of what the step needs, by name. They are shared: do not change
            them.
        missing: Optional steps that it needs and that failed, with their errors.
        attempt: Which attempt this is, from 1.
        attempts: How many there may be.
        deadline: When this attempt has to be done, on the clock of the event loop; None
            without a timeout.
        stop: Set when a handler in a thread is to return: its time is up, or the
            workflow was cancelled. A thread cannot be ended from outside.
    """

    name: str
    phase: Phase
    results: Mapping[str, Any]
    missing: Mapping[str, str]
    attempt: int
    attempts: int
    deadline: float | None
    stop: threading.Event
    _now: Callable[[], float]

    def remaining_s(self) -> float:
        """Return the seconds until the deadline, at least 0; infinite without one."""
        if self.deadline is None:
            return math.inf
        return max(0.0, self.deadline - self._now())


Handler = Callable[[StepContext], object]
"""A coroutine function, or a plain one, which is called in a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often, when and after which errors a step is tried again.

    Attributes:
        attempts: How many there may be, the first included.
        on: Errors after which it is tried again; `StepTimeout` is a `TimeoutError`.
        first_wait_s: Seconds before the second attempt.
        factor: How much longer each wait is than the one before.
        most_wait_s: The longest wait, in seconds.
        jitter: Share of a wait, 0 to 1, that is left to chance, so that steps that
            failed together do not come back together.
    """

    attempts: int = 3
    on: tuple[type[Exception], ...] = (Exception,)
    first_wait_s: float = 1.0
    factor: float = 2.0
    most_wait_s: float = 60.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        for name, value, good in (
            ("attempts", self.attempts, _is_count(self.attempts)),
            ("first_wait_s", self.first_wait_s, _is_at_least(self.first_wait_s, 0)),
            ("factor", self.factor, _is_at_least(self.factor, 1)),
            ("most_wait_s", self.most_wait_s, _is_at_least(self.most_wait_s, 0)),
            ("jitter", self.jitter, _is_at_least(1 - self.jitter, 0)),
            ("jitter", self.jitter, _is_at_least(self.jitter, 0)),
        ):
            if not good:
                raise GraphError(
                    f"Retry: {name} cannot be {value!r}",
                    because=_RETRY_RULES[name],
                    suggestion="leave it out for the default",
                )

    def wait_s(
        self, attempt: int, error: Exception, chance: random.Random
    ) -> float | None:
        """Return how long to wait after an attempt has failed.

        Args:
            attempt: Which one it was, from 1.
            error: What it failed with.
            chance: Where the jitter comes from.

        Returns:
            Seconds; None when it is not to be tried again.
        """
        if attempt >= self.attempts or not isinstance(error, self.on):
            return None
        try:
            wait = self.first_wait_s * self.factor ** (attempt - 1)
        except OverflowError:
            wait = self.most_wait_s
        return min(wait, self.most_wait_s) * (1 - self.jitter * chance.random())


_RETRY_RULES: Final = {
    "attempts": "it is a whole number of at least 1",
    "first_wait_s": "it is a finite number of seconds, 0 or more",
    "factor": "it is a finite number of at least 1",
    "most_wait_s": "it is a finite number of seconds, 0 or more",
    "jitter": "it is a share, from 0 to 1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One piece of work.

    Attributes:
        name: Unique in the workflow.
        phase: ``scout``, ``plan`` or ``build``.
        handler: What does it; a plain function is called in a thread.
        needs: Steps that have to be done before it starts.
        grow: For a plan step: makes further steps of its result, on the event loop, so
            quickly. It has to make the same steps of the same result: for a plan that
            is already made, `resume` asks it again, and not the handler.
        required: Whether the workflow fails when it does; what needs an optional step
            that failed runs without its result.
        timeout_s: Longest time of one attempt, in seconds; None for any.
        retry: When it is tried again; by default it is not.
        resources: Keys of which it takes one slot each; see `Limits.resources`.
        expected_s: How long it is likely to take, in seconds; it decides who goes first
            when slots are scarce. None when not known.
        version: Change it when what the step does has changed, so that a snapshot of
            before is refused.
        agent: The name of its agent in telemetry, of low cardinality; by default its
            own name. Give it to steps that are grown.
    """

    name: str
    phase: Phase
    handler: Handler
    needs: tuple[str, ...] = ()
    grow: Callable[[Any], Sequence[Step]] | None = None
    required: bool = True
    timeout_s: float | None = None
    retry: Retry = field(default_factory=lambda: Retry(attempts=1))
    resources: tuple[str, ...] = ()
    expected_s: float | None = None
    version: str = ""
    agent: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise GraphError(
                f"a step cannot be called {self.name!r}",
                because="a name is a text that is not empty",
                suggestion="give each step a name of its own",
            )
        for key in ("needs", "resources"):
            object.__setattr__(self, key, self._names(key))
        if self.phase not in set(Phase):
            self._refuse("phase", self.phase, f"it is one of {', '.join(Phase)}")
        object.__setattr__(self, "phase", Phase(self.phase))
        if not callable(self.handler):
            self._refuse("handler", self.handler, "it has to be callable")
        if self.grow is not None and self.phase is not Phase.PLAN:
            self._refuse("grow", self.grow, f"only a plan grows, this is {self.phase}")
        if self.timeout_s is not None and (
            not _is_at_least(self.timeout_s, 0) or not self.timeout_s
        ):
            self._refuse("timeout_s", self.timeout_s, "it is seconds, more than 0")
        if self.expected_s is not None and not _is_at_least(self.expected_s, 0):
            self._refuse("expected_s", self.expected_s, "it is seconds, 0 or more")

    def _names(self, key: str) -> tuple[str, ...]:
        """Return names once each; one text is a likely slip, and no list of letters."""
        given = getattr(self, key)
        if isinstance(given, str) or not all(isinstance(each, str) for each in given):
            self._refuse(key, given, "it is a tuple of names")
        return tuple(dict.fromkeys(given))

    def _refuse(self, key: str, value: object, because: str) -> None:
        raise GraphError(
            f"step {self.name!r}: {key} cannot be {value!r}",
            because=because,
            suggestion=f"correct {key}, or leave it out where it has a default",
        )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_at_least(value: object, least: float) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= least
    )
