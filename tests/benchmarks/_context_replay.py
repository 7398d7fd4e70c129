"""Replays public runs with shorter contexts: what was sent, what it cost, what was lost.

The replay is open-loop: commands stay as they were, whatever a policy removes. Tokens of
each message come from the counts of the calls around it: what a prompt has more than the
one before is shared out over the messages between by their characters; a shortened message
is scaled by its characters. Input that a prompt has in common with the prompt before, from
its beginning, is taken to be cached.
"""

from __future__ import annotations

import json
import lzma
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fleetspan_routing.context import Message, Session
from fleetspan_routing.context.names import names
from fleetspan_routing.context.pointers import refs

OUTPUT: Final = 6.0
"""Price of an output token, in input tokens: that of the model of the runs."""

_COMMAND: Final = re.compile(r"```bash\n(.*?)\n```", re.DOTALL)
_TASK: Final = 2
"""So many messages are there before the first call."""
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{5,}")
_LEAST_LINE: Final = 16
_LIKELY: Final = (1.2, 8.0)
"""Characters of a token; counts outside that belong to another provider's counting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One run.

    Attributes:
        name: Its task.
        messages: All of them, with tokens; outputs of commands have the role ``tool``.
        calls: Indexes of the assistant's messages; before each is one call.
        commands: What each of these runs.
        output_tokens: What all of them wrote.
    """

    name: str
    messages: Sequence[Message]
    calls: Sequence[int]
    commands: Sequence[str]
    output_tokens: float


def conversations(folder: Path) -> Iterator[Conversation]:
    """Yield the runs of a folder."""
    with lzma.open(folder / "runs.jsonl.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield conversation(json.loads(line))


def conversation(run: Mapping[str, Any]) -> Conversation:
    """Return a run of mini-SWE-agent as messages with tokens."""
    given = run["messages"]
    tokens = _tokens(given)
    calls = [at for at, each in enumerate(given) if each["role"] == "assistant"]
    found = [_COMMAND.search(given[at]["content"]) for at in calls]
    return Conversation(
        name=str(run["instance_id"]),
        messages=[
            Message(
                role="tool" if each["role"] == "user" and at >= _TASK else each["role"],
                content=each["content"],
                name="bash" if each["role"] == "user" and at >= _TASK else "",
                tokens=tokens[at],
            )
            for at, each in enumerate(given)
        ],
        calls=calls,
        commands=[place.group(1) if place else "" for place in found],
        output_tokens=sum(given[at]["usage"]["completion"] for at in calls),
    )


def _tokens(given: Sequence[Mapping[str, Any]]) -> list[float]:
    """Share out what each prompt has more than the one before."""
    lengths = [len(each["content"]) for each in given]
    calls = [at for at, each in enumerate(given) if each["role"] == "assistant"]
    last = calls[-1]
    mean = sum(lengths[:last]) / max(given[last]["usage"]["prompt"], 1)
    tokens = [length / mean for length in lengths]
    begin = before = 0
    for at in calls:
        prompt = given[at]["usage"]["prompt"]
        characters, more = sum(lengths[begin:at]), prompt - before
        if more > 0 and _LIKELY[0] < characters / more < _LIKELY[1]:
            for number in range(begin, at):
                tokens[number] = more * lengths[number] / characters
        begin, before = at, prompt
    return tokens


Policy = Callable[[Sequence[Message]], Sequence[Message]]
"""Given all messages before a call, returns those that are sent, as many."""


@dataclass(slots=True, kw_only=True)
class Taken:
    """What a run took under a policy.

    Attributes:
        calls: Model calls.
        tokens: Input tokens of all calls.
        fresh: Those that were not in the cache.
        written: Output tokens.
        lost: Steps that use a name which is only in removed text.
        words: The same for any word of six letters and more.
        lines: Steps that quote a whole line which is only in removed text.
    """

    calls: int = 0
    tokens: float = 0.0
    fresh: float = 0.0
    written: float = 0.0
    lost: int = 0
    words: int = 0
    lines: int = 0

    def cost(self, cached: float) -> float:
        """Return the cost in input tokens, at a price of cached ones."""
        read = cached * (self.tokens - self.fresh)
        return self.fresh + read + OUTPUT * self.written


@dataclass(slots=True)
class Probe:
    """What of one kind (names, words, lines) is there, and what was.

    Attributes:
        find: Finds it in a text.
        was: All that was in any message.
        there: How many of the sent messages have it.
    """

    find: Callable[[str], frozenset[str]]
    was: set[str] = field(default_factory=set)
    there: Counter[str] = field(default_factory=Counter)

    def gone(self, text: str) -> set[str]:
        """Return what a text uses that is only in removed text."""
        return {each for each in self.find(text) & self.was if self.there[each] <= 0}


@lru_cache(maxsize=20_000)
def names_in(text: str) -> frozenset[str]:
    """Return paths, symbols and ids."""
    return frozenset(names(text))


@lru_cache(maxsize=20_000)
def words_in(text: str) -> frozenset[str]:
    """Return words of six letters and more, in commands or texts."""
    return frozenset(_WORD.findall(text))


@lru_cache(maxsize=20_000)
def lines_in(text: str) -> frozenset[str]:
    """Return lines without what is around them, numbers of lines neither."""
    found = (re.sub(r"^\s*\d+[\t: ]\s*", "", line).strip() for line in text.split("\n"))
    return frozenset(line for line in found if len(line) >= _LEAST_LINE)


class Replay:
    """One run under one policy, call by call."""

    def __init__(self, run: Conversation) -> None:
        self.taken = Taken(written=run.output_tokens)
        self._probes = [Probe(names_in), Probe(words_in), Probe(lines_in)]
        self._before: Sequence[Message] = ()
        self._given = 0

    def call(self, given: Sequence[Message], sent: Sequence[Message]) -> None:
        """Count a call, and what is there for it."""
        self._count(given, sent)
        for message in given[self._given :]:
            for probe in self._probes:
                probe.was |= probe.find(message.content)
        for at, message in enumerate(sent):
            before = self._before[at].content if at < len(self._before) else None
            if before == message.content:
                continue
            for probe in self._probes:
                if before is not None:
                    probe.there.subtract(probe.find(before))
                probe.there.update(probe.find(message.content))
        self._before, self._given = list(sent), len(given)

    def gone(self, command: str) -> set[str]:
        """Return the names that a command uses and that are gone."""
        return self._probes[0].gone(command)

    def step(self, command: str) -> None:
        """Count what a command has lost."""
        names, words, lines = (bool(probe.gone(command)) for probe in self._probes)
        self.taken.lost += names
        self.taken.words += words
        self.taken.lines += lines

    def _count(self, given: Sequence[Message], sent: Sequence[Message]) -> None:
        total = common = 0.0
        same = True
        for at, (raw, now) in enumerate(zip(given, sent, strict=True)):
            each = (raw.tokens or 0.0) / max(len(raw.content), 1)
            total += each * len(now.content)
            if not same or at >= len(self._before):
                continue
            before = self._before[at].content
            if before == now.content:
                common += each * len(now.content)
            else:
                same = False
                common += each * len(os.path.commonprefix([before, now.content]))
        self.taken.calls += 1
        self.taken.tokens += total
        self.taken.fresh += total - common


def replay(run: Conversation, policy: Policy) -> Taken:
    """Replay a run under a policy."""
    replayed = Replay(run)
    for at, command in zip(run.calls, run.commands, strict=True):
        given = run.messages[:at]
        replayed.call(given, policy(given))
        replayed.step(command)
    return replayed.taken


def recalling(run: Conversation, session: Session) -> Taken:
    """Replay a run under ours, asking back what a step has lost before it is made."""
    replayed = Replay(run)
    given: list[Message] = []
    begin = 0
    for at, command in zip(run.calls, run.commands, strict=True):
        given += run.messages[begin:at]
        begin = at
        sent = session.prompt(given)
        replayed.call(given, sent)
        gone = replayed.gone(command)
        asked = _asked(session, given, sent, gone) if gone else []
        if asked:
            given += asked
            replayed.call(given, session.prompt(given))
            replayed.taken.written += session.settings.recall_tokens
        replayed.step(command)
    return replayed.taken


def _asked(
    session: Session,
    given: Sequence[Message],
    sent: Sequence[Message],
    gone: set[str],
) -> list[Message]:
    """Return the messages of one recall of the latest texts that have what is gone."""
    wanted: dict[str, float] = {}
    left = set(gone)
    for raw, now in zip(reversed(given), reversed(sent), strict=True):
        found = names_in(raw.content) & left if raw.content != now.content else set()
        kept = refs(now.content, session.store)
        if found and kept:
            wanted[kept[0]] = raw.tokens or 0.0
            left -= found
    if not wanted:
        return []
    asking = Message(
        role="assistant",
        content=" ".join(f"recall({ref})" for ref in wanted),
        tokens=float(session.settings.recall_tokens),
    )
    return [
        asking,
        *(
            Message(role="tool", content=session.recall(ref), tokens=tokens)
            for ref, tokens in wanted.items()
        ),
    ]
