"""The policies that ours stands beside, and ours, as what they send for each call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from fleetspan_routing.context import Message, Prices, Session, Settings
from fleetspan_routing.context.messages import TOOL
from fleetspan_routing.control.rules import OutputRule
from tests.benchmarks._context_replay import OUTPUT, Policy

INPUT_USD: Final = 2.0
STUB: Final = "[old output omitted]"
_STUB_TOKENS: Final = 8

CAREFUL: Final = Settings(keep_last=6, in_use_names=1, in_use_steps=10)
THRIFTY: Final = Settings(in_use_names=0, names_characters=200, cap_characters=1_000)
ARRIVAL: Final = Settings(evict=False)
FOR_CLIENT: Final = Settings(
    evict=False,
    cap_characters=OutputRule().over,
    code_characters=OutputRule().code_over,
)
"""What control does to outputs of Claude Code's tools."""


def prices(cached: float) -> Prices:
    """Return the prices of the runs' model, with this one for cached input."""
    return Prices(
        input_usd=INPUT_USD, output_usd=OUTPUT * INPUT_USD, cached_read=cached
    )


def session(settings: Settings, cached: float) -> Session:
    """Return a session of ours that is told a price of cached input."""
    return Session(prices=prices(cached), settings=settings)


def raw() -> Policy:
    """Send everything."""
    return list


def drop_identical() -> Policy:
    """Point to an output that was there before, whole."""

    def policy(given: Sequence[Message]) -> Sequence[Message]:
        seen: dict[str, int] = {}
        sent: list[Message] = []
        for at, message in enumerate(given):
            mark = f"[same as message {seen.get(message.content, at)}]"
            known = message.role == TOOL and message.content in seen
            if known and len(message.content) > len(mark):
                sent.append(replace(message, content=mark))
                continue
            if message.role == TOOL:
                seen.setdefault(message.content, at)
            sent.append(message)
        return sent

    return policy


def cap(most: int) -> Policy:
    """Keep the head and the tail of outputs that are longer."""
    cut: dict[int, Message] = {}

    def policy(given: Sequence[Message]) -> Sequence[Message]:
        for at in range(len(cut), len(given)):
            text = given[at].content
            if given[at].role == TOOL and len(text) > most:
                half = most // 2
                gone = f"\n[... {len(text) - most} characters cut]\n"
                text = f"{text[:half]}{gone}{text[-half:]}"
            cut[at] = replace(given[at], content=text)
        return [cut[at] for at in range(len(given))]

    return policy


def mask(keep: int, block: int = 1) -> Policy:
    """Keep the last outputs; the rest go one by one, or so many at once."""

    def policy(given: Sequence[Message]) -> Sequence[Message]:
        outputs = [at for at, each in enumerate(given) if each.role == TOOL]
        old = max(len(outputs) - keep, 0) // block * block
        return _masked(given, set(outputs[:old]))

    return policy


def clear(keep: int, over_tokens: float) -> Policy:
    """Let all but the last outputs go whenever a prompt has more tokens."""
    gone: set[int] = set()

    def policy(given: Sequence[Message]) -> Sequence[Message]:
        total = sum(
            _STUB_TOKENS if at in gone else each.tokens or 0.0
            for at, each in enumerate(given)
        )
        if total > over_tokens:
            outputs = [at for at, each in enumerate(given) if each.role == TOOL]
            gone.update(outputs[:-keep])
        return _masked(given, gone)

    return policy


def _masked(given: Sequence[Message], gone: set[int]) -> Sequence[Message]:
    return [
        replace(each, content=STUB)
        if at in gone and len(each.content) > len(STUB)
        else each
        for at, each in enumerate(given)
    ]


OTHERS: Final[Sequence[tuple[str, Callable[[], Policy]]]] = (
    ("raw", raw),
    ("drop identical outputs", drop_identical),
    ("cap 4k at arrival", lambda: cap(4_000)),
    ("mask M=10, sliding", lambda: mask(10)),
    ("mask M=10, blocks of 10", lambda: mask(10, 10)),
    ("mask M=10, blocks of 20", lambda: mask(10, 20)),
    ("clear all but 5 over 20k", lambda: clear(5, 20_000)),
)

OURS: Final[Sequence[tuple[str, Settings, bool]]] = (
    ("ours", Settings(), False),
    ("ours, recalls counted", Settings(), True),
    ("ours, careful", CAREFUL, False),
    ("ours, thrifty", THRIFTY, False),
    ("ours, arrival only", ARRIVAL, False),
    ("ours, arrival as for Claude Code", FOR_CLIENT, False),
)
"""Name, settings, and whether what is lost is recalled."""
