"""What a policy would have got, from decisions that were made here and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fleetspan_collector.routing.memory import Names, outcomes_of
from fleetspan_collector.routing.texts import Halves, half_of
from fleetspan_routing.decision_log import Log, Logged, Other
from fleetspan_routing.router import Router
from fleetspan_routing.tiers import Tiers


def log_of(
    rows: Iterable[Mapping[str, Any]],
    tiers: Tiers,
    *,
    texts: Iterable[Mapping[str, Any]] = (),
    trust_status: bool = False,
) -> Log:
    """Make a log of the outcomes whose model was chosen here, and was put in place.

    Of others nobody knows with which chance their model came up.

    Args:
        rows: As ``outcomes_read`` returns them.
        tiers: Which name the models.
        texts: What was asked, as ``outcome_texts`` returns it.
        trust_status: Whether that an agent ended without an error counts as success.

    Raises:
        LogError: When there is none.
    """
    names = Names(tiers)
    asked = {_agent(row): row["Task"] for row in texts}
    logged: list[Logged] = []
    for row in rows:
        if not row["Applied"] or not row["Propensity"]:
            continue
        for outcome in outcomes_of([row], tiers, trust_status=trust_status):
            model = names.of(row["Chosen"])
            chances = names.chances(row)
            logged.append(
                Logged(
                    task=outcome.task,
                    model=model,
                    propensities=chances
                    if chances.get(model)
                    else {model: row["Propensity"]},
                    quality=outcome.quality,
                    cost_usd=outcome.cost_usd,
                    text=asked.get(_agent(row), ""),
                )
            )
    return Log(logged)


def _agent(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["Tenant"], row["RunId"], row["AgentId"]


def policy_of(router: Router, at_s: float, halves: Halves) -> Other:
    """Return what a router would do, as chances of models.

    Args:
        router: With what it knows now, of these tasks too.
        at_s: Now, Unix seconds.
        halves: What was judged of each half of the texts; it goes for the other one.
    """
    first, second = halves
    others = [replace(router, texts=dict(each)) for each in (second, first)]

    def chances(asked: Logged) -> Mapping[str, float]:
        other = others[half_of(asked.text)]
        decision = other.pick(asked.task, text=asked.text, at_s=at_s)
        return {
            each.model: each.propensity
            for each in decision.alternatives
            if each.propensity > 0
        }

    return chances
