"""Tiers of models, as a user names them in YAML; every key is used, no other is taken.

::

    tiers:                          # from the weakest to the strongest
      weak:
        models: [claude-haiku-4-5, gpt-5-mini]
        up_to: 3                    # complexity that the prior gives it
      base:
        models: [claude-sonnet-4-5]
        up_to: 7
        context_tokens: 200000      # tasks with more go to a tier that takes them
      strong:
        models: [claude-opus-4-7]
    force:                          # kinds of tasks, roles of agents: never below
      security_review: strong
    forbid:                         # never to these models
      production_critical: [gpt-5-mini]
    fallback:                       # when a model's provider fails
      claude-opus-4-7: gpt-5-pro
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fleetspan_routing.complexity import MOST
from fleetspan_routing.document import (
    DocumentError,
    mapping,
    number,
    one_of,
    only,
    read_yaml,
    text,
    texts,
)

_KEYS: Final = frozenset({"tiers", "force", "forbid", "fallback"})
_TIER_KEYS: Final = frozenset({"models", "up_to", "context_tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Models that may stand for each other.

    Attributes:
        name: What the user calls it.
        models: Their names, the preferred one first.
        up_to: The complexity, 0 to 10, up to which the prior chooses this tier.
        context_tokens: How long a context its models take; ``None`` for any.
    """

    name: str
    models: tuple[str, ...]
    up_to: float
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """All of them, and what holds whatever outcomes say.

    Attributes:
        tiers: From the weakest to the strongest, at least one.
        force: The least tier of a kind of task, or a role of agents, by its name.
        forbid: Models that a kind or a role never gets, by its name.
        fallback: Which model stands in for one whose provider fails.
    """

    tiers: tuple[Tier, ...]
    force: Mapping[str, str] = field(default_factory=dict)
    forbid: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fallback: Mapping[str, str] = field(default_factory=dict)

    @property
    def strongest(self) -> Tier:
        """The last one."""
        return self.tiers[-1]

    @property
    def models(self) -> tuple[str, ...]:
        """All models, the weakest tier's first."""
        return tuple(model for tier in self.tiers for model in tier.models)

    def tier_of(self, model: str) -> Tier | None:
        """Return the tier that has a model."""
        for tier in self.tiers:
            if model in tier.models:
                return tier
        return None

    def by_complexity(self, complexity: float) -> Tier:
        """Return the tier that the prior chooses: the first that reaches so far."""
        for tier in self.tiers:
            if complexity <= tier.up_to:
                return tier
        return self.strongest

    def least(self, *names: str) -> Tier:
        """Return the tier below which tasks of these kinds or roles never go."""
        forced = {self.force[name] for name in names if name in self.force}
        found = [tier for tier in self.tiers if tier.name in forced]
        return found[-1] if found else self.tiers[0]

    def forbidden(self, *names: str) -> frozenset[str]:
        """Return the models that tasks of these kinds or roles never go to."""
        none: frozenset[str] = frozenset()
        return none.union(*(self.forbid.get(name, none) for name in names))


def load(path: Path) -> Tiers:
    """Read tiers from a YAML file.

    Raises:
        DocumentError: When it is not one.
        OSError: When it cannot be read.
    """
    return parse(read_yaml(path))


def parse(document: object) -> Tiers:
    """Make tiers of a document.

    Raises:
        DocumentError: When a key is not known, missing, or has a value that cannot be used.
    """
    top = mapping("the file", document)
    only("the file", top, _KEYS)
    tiers = _tiers(top.get("tiers"))
    names = {tier.name for tier in tiers}
    models = {model for tier in tiers for model in tier.models}
    force = {
        name: one_of(f"force.{name}", tier, names)
        for name, tier in mapping("force", top.get("force", {})).items()
    }
    forbid = {
        name: frozenset(
            one_of(f"forbid.{name}", model, models)
            for model in texts(f"forbid.{name}", listed)
        )
        for name, listed in mapping("forbid", top.get("forbid", {})).items()
    }
    fallback = {
        one_of("fallback", model, models): text(f"fallback.{model}", other)
        for model, other in mapping("fallback", top.get("fallback", {})).items()
    }
    _ends("fallback", fallback)
    made = Tiers(tiers=tiers, force=force, forbid=forbid, fallback=fallback)
    for name, never in forbid.items():
        least = tiers.index(made.least(name))
        left = {m for tier in tiers[least:] for m in tier.models} - never
        if not left:
            raise DocumentError(f"forbid.{name}", "no model is left for it")
    return made


def _tiers(document: object) -> tuple[Tier, ...]:
    found = mapping("tiers", document)
    if not found:
        raise DocumentError("tiers", "there has to be at least one")
    made: list[Tier] = []
    seen: dict[str, str] = {}
    for place, (name, each) in enumerate(found.items(), 1):
        where = f"tiers.{name}"
        tier = mapping(where, each)
        only(where, tier, _TIER_KEYS)
        models = texts(f"{where}.models", tier.get("models"))
        for model in models:
            if model in seen:
                raise DocumentError(
                    f"{where}.models", f"{model} is in {seen[model]}, too"
                )
            seen[model] = name
        last = place == len(found)
        up_to = MOST if last and "up_to" not in tier else tier.get("up_to")
        made.append(
            Tier(
                name=name,
                models=models,
                up_to=number(f"{where}.up_to", up_to, MOST),
                context_tokens=None
                if tier.get("context_tokens") is None
                else int(number(f"{where}.context_tokens", tier["context_tokens"])),
            )
        )
        if place > 1 and made[-1].up_to <= made[-2].up_to:
            raise DocumentError(
                f"{where}.up_to", "has to be more than the tier before has"
            )
    if made[-1].up_to < MOST:
        raise DocumentError(
            f"tiers.{made[-1].name}.up_to", f"the last has to reach {MOST:g}"
        )
    return tuple(made)


def _ends(where: str, fallback: Mapping[str, str]) -> None:
    """Refuse models that stand in for each other in a circle."""
    for model in fallback:
        seen = {model}
        at = fallback[model]
        while at in fallback:
            if at in seen:
                raise DocumentError(f"{where}.{model}", "it comes back to itself")
            seen.add(at)
            at = fallback[at]
        if at in seen:
            raise DocumentError(f"{where}.{model}", "it comes back to itself")
