"""Chance for plans: ids, durations, tokens and what providers do with prefixes."""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from typing import Final, Literal

from tests.faults.plan import Call, Row, Tool

_ANTHROPIC_TAIL: Final = (3, 12)
_CACHED_FROM: Final = 1_024
_CACHED_BY: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as a client meets it.

    Attributes:
        provider: ``gen_ai.provider.name``.
        name: Its name.
        first_s: Seconds until its first token.
        tokens_per_s: How fast it writes.
        caching: ``written`` where writing into the cache is priced (Anthropic),
            ``read`` where only reading is told of (OpenAI, Google).
    """

    provider: str
    name: str
    first_s: float
    tokens_per_s: float
    caching: Literal["written", "read"]


OPUS: Final = Model(
    provider="anthropic",
    name="claude-opus-4-5",
    first_s=1.9,
    tokens_per_s=55,
    caching="written",
)
SONNET: Final = Model(
    provider="anthropic",
    name="claude-sonnet-4-5",
    first_s=1.4,
    tokens_per_s=70,
    caching="written",
)
HAIKU: Final = Model(
    provider="anthropic",
    name="claude-haiku-4-5",
    first_s=0.7,
    tokens_per_s=140,
    caching="written",
)
GPT: Final = Model(
    provider="openai", name="gpt-5", first_s=2.2, tokens_per_s=75, caching="read"
)
GPT_MINI: Final = Model(
    provider="openai", name="gpt-5-mini", first_s=1.1, tokens_per_s=120, caching="read"
)
GEMINI: Final = Model(
    provider="gcp.vertex_ai",
    name="gemini-2.5-pro",
    first_s=2.4,
    tokens_per_s=95,
    caching="read",
)
FLASH: Final = Model(
    provider="gcp.vertex_ai",
    name="gemini-2.5-flash",
    first_s=0.8,
    tokens_per_s=180,
    caching="read",
)
FAMILIES: Final = ((OPUS, SONNET, HAIKU), (GPT, GPT, GPT_MINI), (GEMINI, GEMINI, FLASH))
"""Strong, middle and small models that are used together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolKind:
    """How a tool usually behaves.

    Attributes:
        name: Its name.
        median_s: Its usual duration in seconds.
        spread: Sigma of the logarithm of its duration.
        median_bytes: Size of a usual result.
        fails: Share of calls that fail.
        permission: Share of calls that somebody has to allow.
    """

    name: str
    median_s: float
    spread: float
    median_bytes: int
    fails: float = 0.02
    permission: float = 0.0


READ: Final = ToolKind(name="Read", median_s=0.06, spread=0.4, median_bytes=5_000)
GREP: Final = ToolKind(name="Grep", median_s=0.25, spread=0.6, median_bytes=1_800)
EDIT: Final = ToolKind(
    name="Edit",
    median_s=0.08,
    spread=0.4,
    median_bytes=400,
    fails=0.05,
    permission=0.05,
)
SHELL: Final = ToolKind(
    name="Bash",
    median_s=0.9,
    spread=1.0,
    median_bytes=1_500,
    fails=0.07,
    permission=0.04,
)
TESTS: Final = ToolKind(
    name="Bash", median_s=28.0, spread=0.5, median_bytes=2_500, fails=0.15
)
BUILD: Final = ToolKind(
    name="Bash", median_s=60.0, spread=0.2, median_bytes=4_000, fails=0.05
)
SEARCH: Final = ToolKind(
    name="WebSearch", median_s=1.8, spread=0.4, median_bytes=4_000, fails=0.01
)
FETCH: Final = ToolKind(
    name="WebFetch", median_s=2.6, spread=0.6, median_bytes=7_000, fails=0.05
)
LOOKUP: Final = ToolKind(
    name="crm_lookup", median_s=0.35, spread=0.5, median_bytes=900, fails=0.02
)
QUERY: Final = ToolKind(
    name="run_query", median_s=1.5, spread=0.8, median_bytes=2_200, fails=0.04
)


class Draw:
    """A seeded source of everything that differs between runs."""

    def __init__(self, *seed: object) -> None:
        self.random = random.Random(repr(seed))
        self._prefix = hashlib.blake2b(repr(seed).encode(), digest_size=4).hexdigest()
        self._count = 0

    def id(self, kind: str) -> str:
        """Return an id that no other thing has."""
        self._count += 1
        return f"{kind}-{self._prefix}-{self._count}"

    def span_id(self) -> str:
        """Return 16 hexadecimal digits."""
        return f"{self.random.getrandbits(64):016x}"

    def hash(self) -> str:
        """Return the hash of something that has not been seen before."""
        return f"{self.random.getrandbits(128):032x}"

    def around(self, median: float, spread: float = 0.3) -> float:
        """Return a log-normal number; ``spread`` is the sigma of its logarithm."""
        return median * math.exp(self.random.gauss(0, spread))

    def between(self, low: float, high: float) -> float:
        """Return any number between two, each ratio as likely as the other."""
        return math.exp(self.random.uniform(math.log(low), math.log(high)))

    def whole(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return self.random.randint(low, high)

    def chance(self, share: float) -> bool:
        """Return whether it happens this time."""
        return self.random.random() < share


class Conversation:
    """The prefix of an agent's calls as it grows, and what of it is cached.

    Args:
        draw: Chance.
        model: The agent's model.
        system_tokens: Tokens of system prompt, tools and task.
        compacts_at: Tokens at which the agent sums up and goes on with less.
        priming: Share of the system prompt that others have put into the cache.
    """

    def __init__(
        self,
        draw: Draw,
        model: Model,
        system_tokens: int,
        compacts_at: int,
        priming: float = 0.0,
    ) -> None:
        self._draw = draw
        self._model = model
        self._system = system_tokens
        self._compacts_at = compacts_at
        self._cached = int(system_tokens * priming)
        self._tokens = system_tokens

    def hears(self, tokens: int) -> None:
        """Add the result of a tool, or a message."""
        self._tokens += tokens

    def call(self, output_tokens: int, finish: str = "tool_use") -> Call:
        """Return the next call, which writes so many tokens."""
        draw, model = self._draw, self._model
        if self._tokens > self._compacts_at:
            self._tokens = self._system + draw.whole(1_500, 4_000)
            self._cached = int(self._system * 0.8)
        tokens = self._input_tokens()
        self._cached = self._tokens
        self._tokens += output_tokens
        first = draw.around(model.first_s, 0.25)
        seconds = first + output_tokens / draw.around(model.tokens_per_s, 0.15)
        row: Row = {
            "CallId": draw.id("call"),
            "SpanId": draw.span_id(),
            "Model": model.name,
            "Provider": model.provider,
            "OutputTokens": output_tokens,
            "TimeToFirstTokenMs": first * 1000,
            "FinishReason": finish,
            **tokens,
        }
        return Call(seconds=seconds, row=row)

    def _input_tokens(self) -> Row:
        if self._model.caching == "written":
            fresh = self._draw.whole(*_ANTHROPIC_TAIL)
            written = self._tokens - self._cached - fresh
            return {
                "InputTokens": fresh,
                "CacheReadTokens": self._cached,
                "CacheWriteTokens": max(written, 0),
                "CacheWrite5mTokens": max(written, 0),
                "CacheWrite1hTokens": 0,
            }
        cached = self._cached // _CACHED_BY * _CACHED_BY
        cached = cached if cached >= _CACHED_FROM else 0
        return {
            "InputTokens": self._tokens - cached,
            "CacheReadTokens": cached,
            "CacheWriteTokens": 0,
        }


def use(draw: Draw, kind: ToolKind, *, arguments: str = "") -> Tool:
    """Return a call of a tool with a result of its own.

    Args:
        draw: Chance.
        kind: The tool.
        arguments: Hash of its arguments; ``""`` for some that were not used before.
    """
    failed = draw.chance(kind.fails)
    size = 120 if failed else max(20, round(draw.around(kind.median_bytes, 0.8)))
    waits = draw.chance(kind.permission)
    return Tool(
        seconds=draw.around(kind.median_s, kind.spread),
        permission_s=draw.around(4.0, 0.6) if waits else 0.0,
        row={
            "ToolCallId": draw.id("tool"),
            "SpanId": draw.span_id(),
            "Tool": kind.name,
            "ArgumentsHash": arguments or draw.hash(),
            "ResultHash": draw.hash(),
            "ResultBytes": min(size, 24_000),
            "Success": 0 if failed else 1,
            "Error": "exit code 1" if failed else "",
        },
    )


def result_tokens(tool: Tool) -> int:
    """Return about how many tokens the result of a tool call has."""
    return int(tool.row["ResultBytes"]) // 4
