"""Reads the files of names and renders them as the rename map of `normalise_spans.sql`.

The statement looks facts up by number. A name's number is its fact's, then its rank
among all names of that fact: names of a dialect in the order of its file, dialects in
`ORDER`. So the best name wins whatever the order of a span's attributes, and one sort
by number replaces a chain of look-ups per fact.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

ORDER: Final = (
    "fleetspan",
    "otel_genai",
    "anthropic",
    "openinference",
    "openllmetry",
    "vercel",
    "langfuse",
    "pydantic_ai",
    "strands",
    "agent_framework",
    "google_adk",
    "openlit",
)
"""Whose names go first where a span has several for one fact."""

FACTS: Final[Mapping[str, str]] = {
    "kind": "what a span stands for, in the words of `kinds`",
    "run_id": "the run, where it is stated",
    "agent_id": "the agent at work, on its own span and on what it does",
    "node_id": "an agent's id in a graph, on its own span alone",
    "parent_agent_id": "the agent that started or handed over to this one",
    "spawn_tool_call_id": "the tool call that started an agent",
    "session_id": "the conversation",
    "user_id": "who is served",
    "agent_name": "name of the agent",
    "agent_type": "what kind of agent it is",
    "agent_task": "what the agent is asked to do",
    "workflow_name": "name of a run",
    "thing_name": "name of whatever the span stands for",
    "tool_name": "name of the tool",
    "tool_call_id": "the model's id of a tool call",
    "arguments": "arguments of a tool call, as text",
    "arguments_hash": "their hash",
    "result": "result of a tool call, as text",
    "result_hash": "its hash",
    "result_bytes": "its size",
    "success": "`true` or `success`, else `false`, `error` or `failure`",
    "permission_wait_ms": "how long a tool call waited for a permission",
    "model": "the model that answered, else the one that was asked",
    "provider": "who was asked",
    "response_id": "the provider's id of the answer",
    "request_id": "the provider's id of the request",
    "service_tier": "the tier that the request was served in",
    "finish_reason": "why the model stopped, in the source's words; one, or a JSON array",
    "attempts": "how often a request was sent",
    "error_type": "class of an error",
    "level": "`ERROR` for what failed",
    "status_message": "what failed",
    "input_tokens": "input tokens with cached ones (see `excludes_cache`)",
    "input_tokens_alone": "input tokens without cached ones",
    "output_tokens": "output tokens with reasoning",
    "output_tokens_alone": "output tokens without reasoning",
    "cache_read_tokens": "input tokens read from the cache",
    "cache_write_tokens": "input tokens written to the cache, of any lifetime",
    "cache_write_5m_tokens": "those kept for five minutes",
    "cache_write_1h_tokens": "those kept for an hour",
    "reasoning_tokens": "output tokens of reasoning",
    "cost_usd": "what the source says it cost",
    "cost_usd_or_zero": "the same, where 0 stands for unknown",
    "first_token_s": "time to first token in seconds",
    "first_token_ms": "the same in milliseconds",
    "first_token_at": "when the first token came",
}
"""What can be known of a span."""

KINDS: Final = ("run", "agent", "call", "tool", "other")

_RANKS: Final = 64
_UNKNOWN: Final = 65535
"""Sorts last, and is no fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One convention, as its file has it.

    Attributes:
        title: What it is called.
        follows: The version of the package or convention that was read.
        input_tokens: In words, whether they include cached tokens.
        content: Attributes that hold what was said; ``*`` stands for any ending.
        names: For each fact its attributes, best first.
        json: For attributes that hold JSON: for each fact its paths, best first.
        kinds: What the values of the fact ``kind`` stand for.
        span_names: What spans of a name stand for that have no ``kind``.
        excludes_cache: Scope and provider of spans whose ``input_tokens`` exclude
            cached ones after all.
        not_providers: Values of ``provider`` that name a framework.
        provider_suffixes: What ``provider`` has after a dot that is none of its name.
        runs_without_node: Scopes in which an agent without a ``node_id`` stands for
            the whole run.
        milliseconds: Scopes whose ``first_token_s`` is in milliseconds after all.
    """

    title: str
    follows: str
    input_tokens: str
    content: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    json: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    span_names: Mapping[str, str] = field(default_factory=dict)
    excludes_cache: tuple[tuple[str, str], ...] = ()
    not_providers: tuple[str, ...] = ()
    provider_suffixes: tuple[str, ...] = ()
    runs_without_node: tuple[str, ...] = ()
    milliseconds: tuple[str, ...] = ()


@cache
def dialects() -> Mapping[str, Dialect]:
    """All dialects by the name of their file, in `ORDER`."""
    folder = resources.files("fleetspan_collector.dialects")
    return {
        name: _read((folder / f"{name}.toml").read_text(encoding="utf-8"))
        for name in ORDER
    }


def _read(text: str) -> Dialect:
    raw = tomllib.loads(text)
    return Dialect(
        title=raw["title"],
        follows=raw["follows"],
        input_tokens=raw["input_tokens"],
        content=tuple(raw["content"]),
        names={fact: tuple(names) for fact, names in raw["names"].items()},
        json={
            attribute: {fact: tuple(paths) for fact, paths in facts.items()}
            for attribute, facts in raw.get("json", {}).items()
        },
        kinds=raw.get("kinds", {}),
        span_names=raw.get("span_names", {}),
        excludes_cache=tuple(
            (each["scope"], each["provider"]) for each in raw.get("excludes_cache", ())
        ),
        not_providers=tuple(raw.get("not_providers", ())),
        provider_suffixes=tuple(raw.get("provider_suffixes", ())),
        runs_without_node=tuple(raw.get("runs_without_node", ())),
        milliseconds=tuple(raw.get("milliseconds", ())),
    )


@cache
def tokens() -> Mapping[str, str]:
    """What stands for the tokens of `normalise_spans.sql` that are not of its window.

    ``fact_NAME`` is a fact's number; the others are literals of the engine. Lists are
    one string each that the engine splits: it would analyse every literal of an array.
    """
    number = {fact: place for place, fact in enumerate(FACTS, start=1)}
    taken = dict.fromkeys(FACTS, 0)

    def code(fact: str) -> int:
        taken[fact] += 1
        if taken[fact] > _RANKS:
            raise ValueError(f"{fact} has more than {_RANKS} names")
        return number[fact] * _RANKS + taken[fact] - 1

    codes: dict[str, int] = {}
    members: list[tuple[str, str, int]] = []
    json_code = (len(FACTS) + 1) * _RANKS
    for dialect in dialects().values():
        for fact, names in dialect.names.items():
            for name in names:
                # A name that two dialects share has the first one's place.
                if name not in codes:
                    codes[name] = code(fact)
        for attribute, facts in dialect.json.items():
            codes[attribute] = json_code
            members += [
                (attribute, path, code(fact))
                for fact, paths in facts.items()
                for path in paths
            ]
    attributes, paths, path_codes = zip(*members, strict=True)
    kinds = dict(_all("kinds"))
    span_names = dict(_all("span_names"))
    return {
        **{f"fact_{fact}": str(place) for fact, place in number.items()},
        "names": _strings(codes),
        "codes": _numbers(codes.values()),
        "json_code": str(json_code),
        "json_names": _strings(attributes),
        "json_paths": _strings(paths),
        "json_codes": _numbers(path_codes),
        "kind_values": _strings(kinds),
        "kinds": _strings(kinds.values()),
        "span_names": _strings(span_names, separator="|"),
        "span_kinds": _strings(span_names.values(), separator="|"),
        "excludes_cache": ", ".join(
            f"('{scope}', '{provider}')"
            for dialect in dialects().values()
            for scope, provider in dialect.excludes_cache
        ),
        "not_providers": _quoted("not_providers"),
        "runs_without_node": _quoted("runs_without_node"),
        "milliseconds": _quoted("milliseconds"),
        "provider_suffixes": "|".join(
            suffix
            for dialect in dialects().values()
            for suffix in dialect.provider_suffixes
        ),
    }


def _all(table: str) -> Iterator[tuple[str, str]]:
    for dialect in dialects().values():
        yield from getattr(dialect, table).items()


def _quoted(table: str) -> str:
    return ", ".join(
        f"'{value}'"
        for dialect in dialects().values()
        for value in getattr(dialect, table)
    )


def _strings(values: Iterable[str], separator: str = " ") -> str:
    return f"splitByChar('{separator}', '{separator.join(values)}')"


def _numbers(values: Iterable[int]) -> str:
    text = " ".join(str(value) for value in values)
    return f"CAST(splitByChar(' ', '{text}'), 'Array(UInt16)')"
