"""Steps and what they need: checked when they come, and who is urgent."""

from __future__ import annotations

import difflib
import hashlib
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fleetspan_routing.coordinator._errors import GraphError
from fleetspan_routing.coordinator.limits import Limits, Rank
from fleetspan_routing.coordinator.step import Step

MOST_STEPS: Final = 10_000
"""A planner that never stops planning is stopped here."""


class Graph:
    """The steps of one run of a workflow.

    Args:
        steps: Those it begins with.
        limits: What the keys of resources are checked against.
        most_steps: How many there may ever be.

    Attributes:
        steps: All steps by name, in the order in which they came.
        grown_by: Which plan a step came from, for those that did not begin with it.
        dependents: Who needs a step.

    Raises:
        GraphError: When the steps do not make a workflow.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        limits: Limits | None = None,
        most_steps: int = MOST_STEPS,
    ) -> None:
        self._limits = limits or Limits()
        self._most_steps = most_steps
        self.steps: dict[str, Step] = {}
        self.grown_by: dict[str, str] = {}
        self.dependents: dict[str, list[str]] = {}
        self.add(steps)

    def add(self, steps: Iterable[Step], grown_by: str | None = None) -> list[Step]:
        """Take further steps, all of them or, when one is wrong, none.

        Args:
            steps: They may need each other and any that are here.
            grown_by: The plan that they come from.

        Returns:
            The steps.

        Raises:
            GraphError: When they do not fit.
        """
        given = list(steps)
        new = self._checked(given)
        self._refuse_cycle(new)
        for name, step in new.items():
            self.steps[name] = step
            self.dependents[name] = []
            if grown_by is not None:
                self.grown_by[name] = grown_by
        for name, step in new.items():
            for need in step.needs:
                self.dependents[need].append(name)
        return given

    def order(self) -> list[str]:
        """Return all names, each after what it needs."""
        found, left = _sorted(self.steps)
        assert not left, "a cycle is never taken"  # noqa: S101 - for the reader
        return found

    def ranks(self) -> dict[str, Rank]:
        """Return how urgent each step is: by what is still to come after it.

        The longest remaining path in expected seconds, its own included, then how many
        steps wait for it, however indirectly. Where no step says how long it takes only
        the second counts; where some do, the others are taken for the middle one.
        """
        told = [s.expected_s for s in self.steps.values() if s.expected_s is not None]
        middle = statistics.median(told) if told else 0.0
        place = {name: number for number, name in enumerate(self.steps)}
        longest: dict[str, float] = {}
        below: dict[str, int] = {}
        for name in reversed(self.order()):
            own = self.steps[name].expected_s
            after = self.dependents[name]
            longest[name] = (middle if own is None else own) + max(
                (longest[each] for each in after), default=0.0
            )
            # A set of steps as the bits of one number: fast for thousands of steps.
            below[name] = 0
            for each in after:
                below[name] |= below[each] | 1 << place[each]
        return {n: (longest[n], float(below[n].bit_count())) for n in self.steps}

    def critical_path(self, seconds: Mapping[str, float]) -> tuple[float, list[str]]:
        """Return the longest chain of steps that need each other.

        Args:
            seconds: How long each step takes.

        Returns:
            How long the chain takes, in seconds, and its steps in their order: no way of
            running them is faster.
        """
        ends: dict[str, float] = {}
        before: dict[str, str | None] = {}
        for name in self.order():
            last = max(self.steps[name].needs, key=ends.__getitem__, default=None)
            before[name] = last
            ends[name] = (ends[last] if last else 0.0) + seconds[name]
        at = max(ends, key=ends.__getitem__, default=None)
        total, chain = ends[at] if at else 0.0, []
        while at is not None:
            chain.append(at)
            at = before[at]
        return total, chain[::-1]

    def _checked(self, given: Sequence[Step]) -> dict[str, Step]:
        if len(self.steps) + len(given) > self._most_steps:
            raise GraphError(
                f"a workflow cannot have {len(self.steps) + len(given):,} steps",
                because=f"it has a limit of {self._most_steps:,}",
                suggestion="see whether a plan grows without end, or raise most_steps",
            )
        new: dict[str, Step] = {}
        for step in given:
            if not isinstance(step, Step):
                raise GraphError(
                    f"{step!r} is no step",
                    because=f"it is a {type(step).__name__}",
                    suggestion="give Step objects",
                )
            if step.name in new or step.name in self.steps:
                raise GraphError(
                    f"step {step.name!r} is there twice",
                    because="needs and results go by name",
                    suggestion="give each step a name of its own",
                )
            new[step.name] = step
        known = self.steps.keys() | new.keys()
        for step in new.values():
            self._refuse_unknown(step, known)
        return new

    def _refuse_unknown(self, step: Step, known: set[str]) -> None:
        for need in step.needs:
            if need not in known:
                raise GraphError(
                    f"step {step.name!r} needs {need!r}, which is unknown",
                    because="no step has that name",
                    suggestion=_nearest(need, known),
                )
        for key in step.resources:
            if self._limits.of_resource(key) is None:
                raise GraphError(
                    f"step {step.name!r} takes the resource {key!r}, which is unknown",
                    because="Limits.resources does not have it",
                    suggestion="add it there, or set Limits.other_resources",
                )

    def _refuse_cycle(self, new: Mapping[str, Step]) -> None:
        # What is here needs nothing that is new, so a cycle is among the new ones.
        _, left = _sorted(new)
        if not left:
            return
        walk: dict[str, None] = {}
        at = next(name for name in new if name in left)
        while at not in walk:
            walk[at] = None
            at = next(need for need in new[at].needs if need in left)
        names = list(walk)
        circle = [*names[names.index(at) :], at]
        raise GraphError(
            "steps wait for each other in a circle",
            because=" needs ".join(repr(name) for name in circle),
            suggestion="take out one of these needs",
        )


def shape(step: Step) -> dict[str, Any]:
    """Return what makes a step the same one in a snapshot.

    Not what may well be changed before a workflow is resumed: timeouts, retries, limits
    and the handler's code.
    """
    return {
        "phase": str(step.phase),
        "needs": sorted(step.needs),
        "version": step.version,
    }


def fingerprint(shapes: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the hash of steps, whatever their order."""
    text = json.dumps(shapes, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _sorted(steps: Mapping[str, Step]) -> tuple[list[str], set[str]]:
    """Return names, each after what it needs, and those that are on or behind a cycle."""
    open_needs = {
        name: sum(need in steps for need in step.needs) for name, step in steps.items()
    }
    after: dict[str, list[str]] = {name: [] for name in steps}
    for name, step in steps.items():
        for need in step.needs:
            if need in after:
                after[need].append(name)
    found = [name for name, count in open_needs.items() if not count]
    for name in found:
        for each in after[name]:
            open_needs[each] -= 1
            if not open_needs[each]:
                found.append(each)
    return found, steps.keys() - set(found)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"is {near[0]!r} meant?" if near else "add such a step, or drop the need"
