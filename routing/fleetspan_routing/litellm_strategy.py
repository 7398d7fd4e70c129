"""LiteLLM asks Fleetspan which model a request goes to: a custom routing strategy.

::

    import litellm
    from fleetspan_routing.litellm_strategy import FleetspanStrategy

    router = litellm.Router(model_list=[...])
    router.set_custom_routing_strategy(FleetspanStrategy(router, Router(tiers=tiers)))
    await router.acompletion(
        model="any", messages=[...], metadata={"fleetspan": {"role": "reviewer"}}
    )

The ``model_name`` of a deployment is the name that tiers give a model. A request for a
model that the tiers do not have, or for one deployment by its id, goes where it asked to.
Written against LiteLLM 1.110; nothing of it is imported here.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from fleetspan_routing.outcomes import Task
from fleetspan_routing.router import Decision, Router, RoutingError

ANY: Final = "any"
"""The model of requests whose model is to be chosen."""

_CHARACTERS_OF_A_TOKEN: Final = 4


class HasDeployments(Protocol):
    """What is used of a ``litellm.Router``."""

    @property
    def model_list(self) -> Sequence[Mapping[str, Any]]:
        """Its deployments."""
        ...


class FleetspanStrategy:
    """Chooses deployments, as LiteLLM's ``CustomRoutingStrategyBase`` does.

    Args:
        litellm_router: Its deployments are chosen from.
        router: Decides which model; its outcomes may be replaced at any time.
        group: The model name that requests name when a model is to be chosen.
        decided: Told of every decision, for example to record it.
    """

    def __init__(
        self,
        litellm_router: HasDeployments,
        router: Router,
        *,
        group: str = ANY,
        decided: Callable[[Decision], object] | None = None,
    ) -> None:
        self._litellm = litellm_router
        self._router = router
        self._group = group
        self._decided = decided
        self._turn = itertools.count()

    async def async_get_available_deployment(
        self,
        model: str,
        messages: Sequence[Mapping[str, Any]] | None = None,
        input: str | Sequence[Any] | None = None,
        specific_deployment: bool | None = False,
        request_kwargs: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Return an element of the router's ``model_list``; see `get_available_deployment`."""
        return self.get_available_deployment(
            model, messages, input, specific_deployment, request_kwargs
        )

    def get_available_deployment(
        self,
        model: str,
        messages: Sequence[Mapping[str, Any]] | None = None,
        input: str | Sequence[Any] | None = None,
        specific_deployment: bool | None = False,
        request_kwargs: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Return an element of the router's ``model_list``.

        Args:
            model: A name of tiers, or the group's.
            messages: The conversation; its length tells the context's.
            input: Of embeddings.
            specific_deployment: Whether ``model`` is the id of one deployment.
            request_kwargs: Of the request; ``metadata.fleetspan`` holds fields of `Task`,
                ``present``, the model that it goes on from, and ``failing``, names of
                models whose provider fails.

        Raises:
            RoutingError: When no model may have it, or none has a deployment.
        """
        if specific_deployment:
            return self._one_of(
                [d for d in self._litellm.model_list if _id_of(d) == model], model
            )
        if model != self._group:
            return self._deployment(model)
        said = _metadata(request_kwargs or {})
        decision = self._router.pick(
            _task(said, messages, input),
            text=_asked(messages),
            present=str(said.get("present", "")),
            failing=[str(each) for each in said.get("failing", ())],
            at_s=time.time(),
        )
        if self._decided is not None:
            self._decided(decision)
        return self._deployment(decision.model)

    def _deployment(self, model: str) -> Mapping[str, Any]:
        some = [d for d in self._litellm.model_list if d["model_name"] == model]
        return self._one_of(some, model)

    def _one_of(
        self, some: Sequence[Mapping[str, Any]], model: str
    ) -> Mapping[str, Any]:
        if not some:
            raise RoutingError(f"LiteLLM has no deployment of {model!r}")
        # In turns, so that each of several equal ones has its share.
        return some[next(self._turn) % len(some)]


def _metadata(request: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in ("metadata", "litellm_metadata"):
        metadata = request.get(key)
        said = metadata.get("fleetspan") if isinstance(metadata, Mapping) else None
        if isinstance(said, Mapping):
            return said
    return {}


def _task(
    said: Mapping[str, Any],
    messages: Sequence[Mapping[str, Any]] | None,
    text: str | Sequence[Any] | None,
) -> Task:
    characters = sum(len(str(each.get("content") or "")) for each in messages or ())
    characters += len(str(text)) if text else 0
    return Task(
        workload=str(said.get("workload", "")),
        role=str(said.get("role", "")),
        tools=str(said.get("tools", "")),
        repository=str(said.get("repository", "")),
        kind=str(said.get("kind", "")),
        context_tokens=int(said.get("context_tokens", 0))
        or characters // _CHARACTERS_OF_A_TOKEN
        or None,
        cached_tokens=int(said.get("cached_tokens", 0)),
    )


def _asked(messages: Sequence[Mapping[str, Any]] | None) -> str:
    """What the user said last."""
    for message in reversed(messages or ()):
        if message.get("role") == "user":
            said = message.get("content")
            if isinstance(said, str):
                return said
            parts = said if isinstance(said, list) else ()
            texts = (p.get("text") for p in parts if isinstance(p, Mapping))
            return " ".join(text for text in texts if isinstance(text, str))
    return ""


def _id_of(deployment: Mapping[str, Any]) -> Any:
    return deployment.get("model_info", {}).get("id")
