"""What the optimiser may do, and what a token costs; every value is used and checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fleetspan_routing.context.errors import ContextError

Forecast = Callable[[int], float]
"""Says how many model calls are still to come, given how many there have been."""

_FEWEST_TURNS: Final = 5
"""What a run that has only begun is taken to have before it."""


def as_long_again(done: int) -> float:
    """Expect as many model calls as there have been, five at least.

    What has lasted long tends to last on; no past runs are needed for it.
    """
    return float(max(done, _FEWEST_TURNS))


def from_past_runs(lengths: Sequence[int]) -> Forecast:
    """Return a forecast from how many model calls past runs of this kind had.

    It is the mean of what was left to those that got as far; past the longest of them,
    one call.

    Raises:
        ContextError: When no lengths, or ones below 1, are given.
    """
    if not lengths or min(lengths) < 1:
        raise ContextError(
            "past runs cannot foretell anything",
            f"their lengths are {list(lengths)[:5]!r}, and each has at least one call",
            "give the numbers of calls of finished runs, or use as_long_again",
        )
    known = sorted(lengths)

    def forecast(done: int) -> float:
        left = [length - done for length in known if length > done]
        return sum(left) / len(left) if left else 1.0

    return forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What tokens of a model cost.

    Attributes:
        input_usd: US dollars per million input tokens that are not cached.
        output_usd: US dollars per million output tokens; a recall takes a model call more.
        cached_read: Price of a cached input token, as a share of `input_usd`.
        cached_write: Price of a token that is put into the cache, as a multiple of
            `input_usd`: 1 where caching is automatic, 1.25 at Anthropic for 5 minutes.
    """

    input_usd: float
    output_usd: float
    cached_read: float = 0.1
    cached_write: float = 1.0

    def __post_init__(self) -> None:
        _number("input_usd", self.input_usd, above=0)
        _number("output_usd", self.output_usd, least=0)
        _number("cached_read", self.cached_read, least=0, most=1)
        _number("cached_write", self.cached_write, least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a context is kept short.

    Attributes:
        cap_characters: What a tool output may have when it arrives; longer ones are cut.
        code_characters: The same for source code, which is cut between functions only.
        least_cut_characters: Cuts that save less are not made.
        names_characters: Most room for names (paths, symbols, ids) of what was removed, in
            each mark; 0 for none.
        names_share: The room for them, as a share of what was removed.
        keep_last: So many of the latest tool outputs are never evicted.
        in_use_names: Outputs that share so many names with the last steps are not either;
            0 spares none.
        in_use_steps: How many of the assistant's last messages these are.
        evict: Whether old tool outputs are evicted at all.
        least_evicted_tokens: Evictions of less are not made, so that they are few.
        margin: What an eviction is expected to save, net, has to be more than so many times
            what it costs at once; the higher, the rarer they are.
        stake: Share of what has been saved so far that an eviction may put at risk. With
            at most 1 a context is never dearer than without the optimiser, even if the
            run ends with the next call.
        recall_rate: How likely one message's removed text is to be wanted back; sets what
            a cut has to save to be worth it.
        recall_tokens: What the model writes to recall something.
        recall_hint: How the model recalls, ``{ref}`` being the reference.
        characters_per_token: For messages whose tokens are not known.
        window_tokens: The model's context window; None when there is no limit to keep.
        window_share: How full the window may get before it forces evictions.
        cache_ttl_s: Seconds after which the provider forgets a prefix; evicting after
            such a pause loses nothing.
    """

    cap_characters: int = 1_200
    code_characters: int = 12_000
    least_cut_characters: int = 400
    names_characters: int = 900
    names_share: float = 0.09
    keep_last: int = 3
    in_use_names: int = 4
    in_use_steps: int = 4
    evict: bool = True
    least_evicted_tokens: int = 2_000
    margin: float = 1.0
    stake: float = 1.0
    recall_rate: float = 0.02
    recall_tokens: int = 60
    recall_hint: str = 'recall("{ref}")'
    characters_per_token: float = 4.0
    window_tokens: int | None = None
    window_share: float = 0.8
    cache_ttl_s: float = 300.0

    def __post_init__(self) -> None:
        _number("cap_characters", self.cap_characters, least=200)
        _number("code_characters", self.code_characters, least=200)
        _number("least_cut_characters", self.least_cut_characters, least=0)
        _number("names_characters", self.names_characters, least=0)
        _number("names_share", self.names_share, least=0, most=1)
        _number("keep_last", self.keep_last, least=0)
        _number("in_use_names", self.in_use_names, least=0)
        _number("in_use_steps", self.in_use_steps, least=1)
        _number("least_evicted_tokens", self.least_evicted_tokens, least=0)
        _number("margin", self.margin, least=0)
        _number("stake", self.stake, least=0, most=1)
        _number("recall_rate", self.recall_rate, least=0, most=1)
        _number("recall_tokens", self.recall_tokens, least=0)
        _number("characters_per_token", self.characters_per_token, above=0)
        _number("window_share", self.window_share, above=0, most=1)
        _number("cache_ttl_s", self.cache_ttl_s, above=0)
        if self.window_tokens is not None:
            _number("window_tokens", self.window_tokens, least=1)
        if not isinstance(self.evict, bool):
            raise ContextError(
                "evict cannot be used", f"got {self.evict!r}", "True or False"
            )
        if "{ref}" not in self.recall_hint or "\n" in self.recall_hint:
            raise ContextError(
                "recall_hint cannot be used",
                f"got {self.recall_hint!r}, which has no {{ref}} or has several lines",
                'one line with {ref} in it, such as recall("{ref}")',
            )


def _number(
    name: str,
    value: float,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
) -> None:
    """Refuse a value outside its range.

    Raises:
        ContextError: With the name, the value and the range.
    """
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if real and math.isfinite(value) and least <= value <= most and value > above:
        return
    rules = [
        f"at least {least:g}" if least > -math.inf else "",
        f"above {above:g}" if above > -math.inf else "",
        f"at most {most:g}" if most < math.inf else "",
    ]
    expected = " and ".join(rule for rule in rules if rule)
    raise ContextError(
        f"{name} cannot be used",
        f"got {value!r}",
        f"a number that is {expected}",
    )
