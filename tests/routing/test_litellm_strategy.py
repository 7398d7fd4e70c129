"""LiteLLM's requests go to the model that the router picks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pytest

from fleetspan_routing.litellm_strategy import FleetspanStrategy
from fleetspan_routing.outcomes import Outcome, Outcomes, Task
from fleetspan_routing.router import Decision, Policy, Router, RoutingError
from fleetspan_routing.tiers import parse

TIERS = parse(
    {
        "tiers": {
            "weak": {"models": ["small"], "up_to": 5},
            "strong": {"models": ["large"]},
        }
    }
)
MODELS: list[dict[str, Any]] = [
    {
        "model_name": name,
        "litellm_params": {
            "model": f"openai/{name}",
            "api_key": "dummy",
            "mock_response": f"from {name}",
        },
        "model_info": {"id": f"{name}-{number}"},
    }
    for name, number in (("small", 1), ("small", 2), ("large", 1))
]


class Deployments:
    """What a strategy needs of a router of LiteLLM."""

    model_list = MODELS


def test_a_model_is_chosen_and_told_of() -> None:
    """By what the request says of its task; the decision is data."""
    told: list[Decision] = []
    strategy = FleetspanStrategy(
        Deployments(), Router(tiers=TIERS), decided=told.append
    )
    said = {"metadata": {"fleetspan": {"role": "x", "failing": ["large"]}}}
    chosen = strategy.get_available_deployment("any", request_kwargs=said)
    assert chosen["model_name"] == "small"
    chosen = strategy.get_available_deployment("any", [{"content": None}])
    assert chosen["model_name"] == "large"
    assert [each.model for each in told] == ["small", "large"]


class Short:
    """A rule by which the weak model has what is short."""

    weak, strong, may, reason = "small", "large", True, "it is short"

    def spares(self, text: str, marks: Sequence[str] = ()) -> bool:
        """As it says."""
        return len(text) < 10


@pytest.mark.parametrize(
    ("content", "model"),
    [
        ("fix it", "small"),
        ([{"type": "text", "text": "fix it"}], "small"),
        ("prove that it holds", "large"),
        (None, "large"),
    ],
)
def test_the_text_is_what_the_user_said_last(content: object, model: str) -> None:
    """Not what the model said, and nothing where nothing was said."""
    outcomes = Outcomes()
    outcomes.add(
        Outcome(task=Task(workload="w"), model=name, quality=1.0, cost_usd=usd)
        for name, usd in (("small", 0.1), ("large", 1.0))
    )
    router = Router(
        tiers=TIERS,
        outcomes=outcomes,
        policy=Policy(by_text=True),
        texts={"w": Short()},
    )
    chosen = FleetspanStrategy(Deployments(), router).get_available_deployment(
        "any",
        [
            {"role": "user", "content": "something else that is long"},
            {"role": "user", "content": content},
            {"role": "assistant", "content": "a word"},
        ],
        request_kwargs={"metadata": {"fleetspan": {"workload": "w"}}},
    )
    assert chosen["model_name"] == model


def test_who_asks_for_one_gets_it() -> None:
    """Of several equal deployments in turns; by its id, exactly that one."""
    strategy = FleetspanStrategy(Deployments(), Router(tiers=TIERS))
    ids = [
        strategy.get_available_deployment("small")["model_info"]["id"] for _ in range(4)
    ]
    assert ids == ["small-1", "small-2"] * 2
    one = strategy.get_available_deployment("small-2", specific_deployment=True)
    assert one["model_info"]["id"] == "small-2"
    with pytest.raises(RoutingError, match="no deployment of 'huge'"):
        strategy.get_available_deployment("huge")


async def test_with_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real router calls it, for both kinds of call."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm = pytest.importorskip("litellm", reason="needs litellm")
    router = litellm.Router(model_list=MODELS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        router.set_custom_routing_strategy(
            FleetspanStrategy(router, Router(tiers=TIERS))
        )
    asked: dict[str, Any] = {
        "model": "any",
        "messages": [{"role": "user", "content": "hi"}],
    }
    failing = {"metadata": {"fleetspan": {"failing": ["large"]}}}
    answers = [
        await router.acompletion(**asked),
        await router.acompletion(**asked, **failing),
        router.completion(**asked),
    ]
    assert [each.choices[0].message.content for each in answers] == [
        "from large",
        "from small",
        "from large",
    ]
