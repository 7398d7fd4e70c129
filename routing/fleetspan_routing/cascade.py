"""A weak model first, a stronger one when a verifier does not pass its answer.

::

    weak ─► answer ─► verifier ─ passed ─► done
                         └ failed, or broken ─► next model ─► … ─► strongest: taken as it is

It pays only where the weak model is cheap for how often it will do: with two models, where
c_weak / c_strong < 1 - P(escalate); `break_even` says it in words. How right the verifier
is decides the quality: `sharpness` tells from a share of answers that somebody looked at.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from fleetspan_routing._errors import RefusedError
from fleetspan_routing.outcomes import Expected, Outcomes, Task
from fleetspan_routing.verifiers import Broken, Verdict, Verifier

_Z: Final = 1.96
"""Of a two-sided interval of 95 %."""
_Z_ONE_SIDED: Final = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said.

    Attributes:
        text: The answer.
        cost_usd: What it cost; ``None`` when not known.
    """

    text: str
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One model's turn.

    Attributes:
        model: Which.
        answer: What it said.
        verdict: What the verifier said; ``None`` when it was not asked, as of the last.
        escalated: Whether the next model was asked.
        reason: Why, or why not.
    """

    model: str
    answer: Answer
    verdict: Verdict | None
    escalated: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascaded:
    """What a cascade decided.

    Attributes:
        steps: All turns; the last one's answer is taken.
        audit: Whether somebody is to say how good the first answer is, so that it can be
            told how right the verifier is.
    """

    steps: Sequence[Step]
    audit: bool

    @property
    def model(self) -> str:
        """Whose answer is taken."""
        return self.steps[-1].model

    @property
    def answer(self) -> Answer:
        """The answer that is taken."""
        return self.steps[-1].answer

    @property
    def cost_usd(self) -> float | None:
        """What all turns cost; ``None`` when it is not known of one."""
        costs = [step.answer.cost_usd for step in self.steps]
        return None if None in costs else math.fsum(c for c in costs if c is not None)

    @property
    def broken(self) -> Sequence[Broken]:
        """Why there was no verdict, for each turn of which there was none."""
        verdicts = [step.verdict for step in self.steps if step.verdict]
        return [verdict.broken for verdict in verdicts if verdict.broken]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """Asks models in turn until an answer passes.

    Attributes:
        models: From the weakest to the strongest, at least two.
        verifier: Says whether an answer will do.
        when_broken: What follows when there is no verdict: the next model, or the
            answer is taken unseen.
        audit: Share of tasks whose first answer somebody is to look at, whatever the
            verdict.
        random: Where chance comes from.
    """

    models: Sequence[str]
    verifier: Verifier
    when_broken: Literal["escalate", "accept"] = "escalate"
    audit: float = 0.0
    random: random.Random = field(default_factory=random.SystemRandom)

    def __post_init__(self) -> None:
        if len(self.models) < 2 or len(set(self.models)) < len(self.models):
            raise RefusedError(
                "there is no cascade",
                because=f"the models are {list(self.models)}",
                suggestion="name at least two, each once, from the weakest on",
            )
        if self.when_broken not in {"escalate", "accept"} or not 0 <= self.audit <= 1:
            raise RefusedError(
                "there is no cascade",
                because=f"when_broken is {self.when_broken!r}, audit {self.audit!r}",
                suggestion='"escalate" or "accept", and a share from 0 to 1',
            )

    def run(self, ask: Callable[[str], Answer]) -> Cascaded:
        """Ask models in turn.

        Args:
            ask: Of a model, for its answer; what it raises passes.
        """
        audit = self.random.random() < self.audit
        steps: list[Step] = []
        for model in self.models[:-1]:
            answer = ask(model)
            verdict = self.verifier.verify(answer.text)
            steps.append(self._step(model, answer, verdict))
            if not steps[-1].escalated:
                return Cascaded(steps=tuple(steps), audit=audit)
        last = self.models[-1]
        steps.append(
            Step(
                model=last,
                answer=ask(last),
                verdict=None,
                escalated=False,
                reason="nobody stronger is left",
            )
        )
        return Cascaded(steps=tuple(steps), audit=audit)

    def _step(self, model: str, answer: Answer, verdict: Verdict) -> Step:
        if verdict.broken:
            escalated = self.when_broken == "escalate"
            reason = f"no verdict ({verdict.broken}: {verdict.said[:200]}): " + (
                "the next model has it" if escalated else "taken unseen"
            )
        else:
            escalated = not verdict.passed
            reason = "it did not pass" if escalated else "it passed"
        return Step(
            model=model,
            answer=answer,
            verdict=verdict,
            escalated=escalated,
            reason=reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A first answer that somebody looked at.

    Attributes:
        verdict: What the verifier had said of it.
        good: Whether it was good.
    """

    verdict: Verdict
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share, and between which it is with 95 % confidence (Wilson's interval)."""

    value: float
    low: float
    high: float
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharpness:
    """How right a verifier is.

    Attributes:
        sensitivity: Of bad answers, the share that does not pass; ``None`` without any.
        specificity: Of good answers, the share that passes; ``None`` without any.
        broken: Audited answers of which there was no verdict; they count in neither.
    """

    sensitivity: Share | None
    specificity: Share | None
    broken: int


def sharpness(audited: Iterable[Audited]) -> Sharpness:
    """Tell from audited answers how right a verifier is.

    They have to be chosen whatever the verdict was, as `Cascade.audit` does: of those that
    did not pass alone, nothing can be told.
    """
    counts = {(good, passed): 0 for good in (True, False) for passed in (True, False)}
    broken = 0
    for each in audited:
        if each.verdict.broken:
            broken += 1
        else:
            counts[each.good, each.verdict.passed] += 1
    return Sharpness(
        sensitivity=_share(counts[False, False], counts[False, True]),
        specificity=_share(counts[True, True], counts[True, False]),
        broken=broken,
    )


def _share(yes: int, no: int) -> Share | None:
    number = yes + no
    if not number:
        return None
    as_expected = Expected(
        quality=yes / number, weight=number, seen=number, cost_usd=None, latency_s=None
    )
    return Share(
        value=yes / number,
        low=as_expected.at_least(_Z),
        high=as_expected.at_most(_Z),
        of=number,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Whether a weak model first is cheaper than a strong one alone.

    Attributes:
        pays: Whether it surely is: with the most escalations that there may be, and if
            tasks that go on cost no more than others. It says nothing of `quality`.
        ratio: What the weak model costs, of the strong one; ``None`` when not known.
        escalated: The share of tasks that is expected to go on.
        escalated_at_most: With 95 % confidence.
        cost: What the cascade is expected to cost, of the strong model alone.
        quality: Expected, 0 to 1, if the two models fail independently.
        words: All of it.
    """

    pays: bool
    ratio: float | None
    escalated: float
    escalated_at_most: float
    cost: float | None
    quality: float
    words: str


def break_even(
    outcomes: Outcomes,
    task: Task,
    weak: str,
    strong: str,
    *,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    at_s: float = 0.0,
) -> BreakEven:
    """Say whether a cascade of two models pays, from what became of such tasks.

    Args:
        outcomes: What is known.
        task: What is to be done.
        weak: The model that is asked first.
        strong: The model that is asked when its answer does not pass.
        sensitivity: Of bad answers, the share that does not pass.
        specificity: Of good answers, the share that passes.
        at_s: Now, Unix seconds.
    """
    first = outcomes.expected(task, weak, at_s)
    last = outcomes.expected(task, strong, at_s)

    def goes_on(quality: float) -> float:
        return quality * (1 - specificity) + (1 - quality) * sensitivity

    ends = (first.at_least(_Z_ONE_SIDED), first.at_most(_Z_ONE_SIDED))
    escalated, most = goes_on(first.quality), max(map(goes_on, ends))
    quality = first.quality * specificity + escalated * last.quality
    if first.cost_usd is None or not last.cost_usd:
        ratio = cost = None
        words = f"what {weak if first.cost_usd is None else strong} costs is not known"
    else:
        ratio = first.cost_usd / last.cost_usd
        cost = ratio + escalated
        words = _words(weak, strong, ratio, escalated, most)
        words += f"; quality {quality:.2f} is expected, {last.quality:.2f} of {strong}"
    return BreakEven(
        pays=ratio is not None and ratio < 1 - most,
        ratio=ratio,
        escalated=escalated,
        escalated_at_most=most,
        cost=cost,
        quality=quality,
        words=words,
    )


def _words(weak: str, strong: str, ratio: float, escalated: float, most: float) -> str:
    pays = (
        "it pays"
        if ratio < 1 - most
        else "it may pay, which is not sure"
        if ratio < 1 - escalated
        else "it does not pay"
    )
    return (
        f"{weak} costs {ratio:.1%} of {strong}, and {escalated:.0%} (at most {most:.0%}) "
        f"of its answers are expected not to pass, so that both together cost "
        f"{ratio + escalated:.0%} of {strong} alone: {pays}, as {weak} has to cost less "
        f"than {max(1 - escalated, 0):.0%} (to be sure, {max(1 - most, 0):.0%})"
    )
