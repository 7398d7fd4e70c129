"""Something that differs between two phases by more than noise."""

from __future__ import annotations

from dataclasses import dataclass

from fleetspan_collector.insights.measures import Dimension, Measure
from fleetspan_collector.insights.noise import Samples, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that differs by more than noise.

    Attributes:
        dimension: ``run``, ``agent``, ``tool`` or ``model``.
        subject: Its name.
        measure: ``seconds`` and ``usd`` (of a run, of an agent in a run, of one call),
            ``tokens`` (of a run), ``calls`` (of a tool in a run that uses it),
            ``failures`` and ``cache_share`` (shares, 0 to 1), or ``presence`` (share of
            runs that have it at all).
        unit: ``s``, ``usd``, ``tokens``, ``calls`` or ``share``.
        before: The earlier phase, seen with the later one's mix of runs.
        after: The later phase.
        difference: ``after - before``.
        ratio: ``after / before``; None when there was nothing before.
        low: Lower end of the difference's 95 % interval.
        high: Its upper end.
        p: How likely such a difference is by chance, adjusted for all comparisons.
        times: How often the later phase had it: the difference times this is what it
            comes to.
        runs_before: Runs that were compared.
        runs_after: The same, later ones.
        run_names: Names of the runs that have it.
        because_of: The change that this one is a part, or a consequence, of, as
            ``DIMENSION SUBJECT MEASURE``; None when it stands for itself.
        run_ids: Later runs that show it most.
    """

    dimension: Dimension
    subject: str
    measure: str
    unit: str
    before: float
    after: float
    difference: float
    ratio: float | None
    low: float
    high: float
    p: float
    times: float
    runs_before: int
    runs_after: int
    run_names: list[str]
    because_of: str | None
    run_ids: list[str]

    @property
    def key(self) -> str:
        """What another change calls this one."""
        return f"{self.dimension} {self.subject} {self.measure}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A difference that is more than noise.

    Attributes:
        measure: Of what.
        subject: Its name.
        samples: What was compared.
        size: How large it is.
        p: How likely it is by chance, adjusted for all comparisons.
    """

    measure: Measure
    subject: str
    samples: Samples
    size: Size
    p: float

    @property
    def rises(self) -> bool:
        """Whether there is more of it than before."""
        return self.size.after > self.size.before

    @property
    def key(self) -> str:
        """What another change calls this one."""
        return f"{self.measure.dimension} {self.subject} {self.measure.name}"
