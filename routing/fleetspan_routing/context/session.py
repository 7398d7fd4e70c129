"""One conversation: give it all messages before each model call, send what it returns.

What was sent stays as it was sent, so that the provider's cache goes on matching: a tool
output is reduced once, when it arrives, and old ones are evicted in blocks, rarely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from fleetspan_routing.context import store as stores
from fleetspan_routing.context.evict import Size, choose, recall_risk
from fleetspan_routing.context.ledger import Ledger, Report, input_usd
from fleetspan_routing.context.messages import TOOL, Message
from fleetspan_routing.context.names import names, pieces, worth_keeping
from fleetspan_routing.context.pointers import Pointers, refs
from fleetspan_routing.context.reduce import is_short, reduce
from fleetspan_routing.context.settings import (
    Forecast,
    Prices,
    Settings,
    as_long_again,
)
from fleetspan_routing.context.store import SHORTEST, MemoryStore, Store

_LAST_SAID: Final = 3
"""So many of the assistant's last messages tell what it is about."""
_LONGEST_NAME: Final = 40


@dataclass(slots=True, kw_only=True)
class _Entry:
    """A message, as given and as sent.

    Attributes:
        raw: As given.
        sent: As sent now.
        raw_tokens: What it would take without the optimiser; 0 for recalls.
        same_as: Index of the message that it repeats.
        evicted: Whether only a mark is left.
        recalled: Whether it was asked back, or asks for it.
        about: Pieces of its names; None until somebody asks.
        names: Its names, the same.
        names_sent: Those of what is sent.
    """

    raw: Message
    sent: Message
    raw_tokens: float
    tokens: float
    same_as: int | None = None
    evicted: bool = False
    recalled: bool = False
    about: frozenset[str] | None = None
    names: frozenset[str] | None = None
    names_sent: frozenset[str] | None = None


@dataclass(slots=True, kw_only=True)
class Session:
    """Keeps one conversation short.

    Attributes:
        prices: Of the model that the prompts go to.
        store: Where removed texts go.
        settings: What may be done.
        forecast: How many calls are still to come.
    """

    prices: Prices
    store: Store = field(default_factory=MemoryStore)
    settings: Settings = field(default_factory=Settings)
    forecast: Forecast = as_long_again
    _entries: list[_Entry] = field(default_factory=list)
    _recalled: list[str] = field(default_factory=list)
    _first: dict[str, int] = field(default_factory=dict)
    _sent: int = 0
    _ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self._ledger = Ledger(prices=self.prices)

    def prompt(
        self, messages: Sequence[Message], *, idle_s: float = 0.0
    ) -> list[Message]:
        """Return what to send for the next model call.

        Args:
            messages: The whole conversation, as it is without the optimiser. Where it
                differs from what was given before, it is taken to be rewritten from there.
            idle_s: Seconds since the last call; after `Settings.cache_ttl_s` nothing is
                cached.
        """
        self._forget(self._known(messages))
        cached = 0 if idle_s > self.settings.cache_ttl_s else self._sent
        new = messages[len(self._entries) :]
        asked_back = self._asked_back(new)
        remaining = self.forecast(self._ledger.own_calls + 1)
        for message in new:
            self._add(message, remaining, asked_back)
        raw_cached = sum(entry.raw_tokens for entry in self._entries[:cached])
        if not asked_back:
            raw = sum(entry.raw_tokens for entry in self._entries)
            self._ledger.raw.add(raw, raw_cached, self.prices)
            self._ledger.own_calls += 1
        kept = self._evict(cached, remaining) if self.settings.evict else cached
        now = sum(entry.tokens for entry in self._entries)
        prefix = sum(entry.tokens for entry in self._entries[: min(kept, cached)])
        self._ledger.now.add(now, prefix, self.prices)
        self._ledger.calls += 1
        self._sent = len(self._entries)
        return [entry.sent for entry in self._entries]

    def recall(
        self, ref: str, first: int | None = None, last: int | None = None
    ) -> str:
        """Return removed text exactly, to be given to the model as a tool output.

        Args:
            ref: As a mark has it, with or without ``ref:``.
            first: The first line that is wanted; the whole text unless given.
            last: The last one.

        Raises:
            ContextError: When it is not in the store, or has no such lines.
        """
        text = self.store.get(ref.removeprefix("ref:").strip())
        if first is not None or last is not None:
            end = len(text) if last is None else last
            text = stores.part(text, 1 if first is None else first, end)
        self._recalled.append(text)
        self._ledger.recalls += 1
        return text

    def report(self) -> Report:
        """Return what was saved so far: tokens and cost."""
        return self._ledger.report()

    def _known(self, messages: Sequence[Message]) -> int:
        """Return how many messages are as they were given before."""
        for at, entry in enumerate(self._entries):
            if at >= len(messages) or messages[at] != entry.raw:
                return at
        return len(self._entries)

    def _forget(self, known: int) -> None:
        del self._entries[known:]
        self._sent = min(self._sent, known)
        self._first = {text: at for text, at in self._first.items() if at < known}

    def _asked_back(self, new: Sequence[Message]) -> bool:
        """Whether this call is there only because something was recalled."""
        outputs = [message for message in new if message.role == TOOL]
        return bool(outputs) and all(map(self._is_recalled, outputs))

    def _is_recalled(self, message: Message) -> bool:
        return any(text in message.content for text in self._recalled)

    def _tokens(self, message: Message) -> float:
        if message.tokens is not None:
            return message.tokens
        length = len(message.content) + len(message.arguments)
        return length / self.settings.characters_per_token

    def _add(self, message: Message, remaining: float, asked_back: bool) -> None:
        """Take a new message, reduced if it is a tool output."""
        tokens = self._tokens(message)
        entry = _Entry(
            raw=message,
            sent=message,
            raw_tokens=0.0 if asked_back else tokens,
            tokens=tokens,
            recalled=asked_back or self._is_recalled(message),
        )
        if message.role == TOOL and not entry.recalled:
            if not self._repeat(entry):
                self._reduce(entry, remaining)
            self._first.setdefault(message.content, len(self._entries))
        self._entries.append(entry)

    def _repeat(self, entry: _Entry) -> bool:
        """Point to the same output above, if it is still there and long enough."""
        text = entry.raw.content
        above = self._first.get(text)
        if above is None or len(text) < self.settings.least_cut_characters:
            return False
        if self._entries[above].evicted:
            # It was run again because it is gone; from here on this is the first.
            del self._first[text]
            return False
        ref = self.store.put(text)
        mark = self._pointers(ref).same(len(self._entries) - above, len(text))
        if len(mark) >= len(text):
            return False
        entry.same_as = above
        self._send(entry, mark)
        self._ledger.repeats += 1
        return True

    def _reduce(self, entry: _Entry, remaining: float) -> None:
        """Cut an output, if that saves more than its recall will probably cost."""
        text = entry.raw.content
        if is_short(text, self.settings):
            return
        draft = reduce(text, self.settings, None, self._wanted())
        if draft.text == text:
            return
        removed = entry.tokens * (1 - len(draft.text) / len(text))
        context = sum(each.tokens for each in self._entries)
        saving = input_usd(self.prices, fresh=removed, cached=removed * remaining)
        if saving <= recall_risk(
            context, removed, remaining, self.prices, self.settings
        ):
            return
        made = reduce(text, self.settings, self.store, self._wanted())
        self._send(entry, made.text)
        self._ledger.cuts += bool(made.ref)

    def _wanted(self) -> frozenset[str]:
        """Return what the task and the last steps are about."""
        task = [entry for entry in self._entries if entry.raw.role == "user"][:1]
        said = [entry for entry in self._entries if entry.raw.role == "assistant"]
        found: frozenset[str] = frozenset()
        return found.union(*(_about(e) for e in (*task, *said[-_LAST_SAID:])))

    def _send(self, entry: _Entry, text: str) -> None:
        """Send another text for a message; its tokens shrink as its characters do."""
        tokens = self._tokens(entry.raw) * len(text) / max(len(entry.raw.content), 1)
        entry.sent = replace(entry.raw, content=text, tokens=None)
        entry.names_sent = None
        entry.tokens = min(tokens, entry.tokens)

    def _pointers(self, ref: str) -> Pointers:
        return Pointers(ref=ref, hint=self.settings.recall_hint)

    def _evict(self, cached: int, remaining: float) -> int:
        """Evict what pays; return how many messages stay as they were sent."""
        now = sum(entry.tokens for entry in self._entries)
        prefix = sum(entry.tokens for entry in self._entries[:cached])
        call = input_usd(self.prices, fresh=now - prefix, cached=prefix)
        chosen = choose(
            self._sizes(cached, self._is_crowded(now)),
            prices=self.prices,
            settings=self.settings,
            remaining=remaining,
            saved_usd=self._ledger.saved_usd - call,
        )
        if chosen is None:
            return cached
        for at in chosen.messages:
            self._drop(at)
        self._ledger.evictions += 1
        self._ledger.evicted += len(chosen.messages)
        self._ledger.forced += chosen.forced
        return min(cached, chosen.messages[0])

    def _is_crowded(self, tokens: float) -> bool:
        """Whether the window leaves no choice, so that what is in use may go, too."""
        window = self.settings.window_tokens
        return window is not None and tokens > self.settings.window_share * window

    def _sizes(self, cached: int, crowded: bool) -> list[Size]:
        outputs = [at for at, e in enumerate(self._entries) if e.raw.role == TOOL]
        keep = set(outputs[len(outputs) - self.settings.keep_last :])
        if not self.settings.keep_last:
            keep = set()
        # What a recent output points to stays, or the pointer would lead nowhere.
        keep |= {
            e.same_as
            for at, e in enumerate(self._entries)
            if at in keep and e.same_as is not None
        }
        if not crowded:
            keep |= self._in_use()
        return [
            Size(
                tokens=entry.tokens,
                stub=self._stub_tokens(entry)
                if entry.raw.role == TOOL and at not in keep
                else None,
                cached=at < cached,
            )
            for at, entry in enumerate(self._entries)
        ]

    def _in_use(self) -> set[int]:
        """Return the messages that share enough names with the last steps."""
        if not self.settings.in_use_names:
            return set()
        said = [e for e in self._entries if e.raw.role == "assistant"]
        used: set[str] = set()
        for entry in said[-self.settings.in_use_steps :]:
            used |= _names(entry)
        return {
            at
            for at, entry in enumerate(self._entries)
            if entry.raw.role == TOOL
            and len(_names(entry) & used) >= self.settings.in_use_names
        }

    def _stub_tokens(self, entry: _Entry) -> float | None:
        """Return what a message takes at most once evicted; None when that saves little."""
        if entry.evicted or entry.same_as is not None:
            return None
        bare = self._stub(entry, "0" * (SHORTEST + 8), [])
        longest = len(bare) + len("; names:") + 1 + self._names_room(entry)
        if longest * 2 > len(entry.sent.content):
            return None
        per_character = self._tokens(entry.raw) / len(entry.raw.content)
        return math.ceil(longest * per_character)

    def _stub(self, entry: _Entry, ref: str, names: Sequence[str]) -> str:
        what = (entry.raw.name or "an output")[:_LONGEST_NAME]
        return self._pointers(ref).gone(what, len(entry.raw.content), names)

    def _names_room(self, entry: _Entry) -> int:
        share = self.settings.names_share * len(entry.raw.content)
        # What is left of an output that was cut must not shrink to names alone.
        left = len(entry.sent.content) / 4
        return int(min(self.settings.names_characters, share, left))

    def _drop(self, at: int) -> None:
        entry = self._entries[at]
        held = refs(entry.sent.content, self.store)
        ref = (
            held[0]
            if held and entry.sent is not entry.raw
            else self.store.put(entry.raw.content)
        )
        kept: set[str] = set()
        for number, other in enumerate(self._entries):
            if number != at:
                kept |= _names_sent(other)
        known = worth_keeping(
            entry.sent.content, kept, self._wanted(), self._names_room(entry)
        )
        self._send(entry, self._stub(entry, ref, known))
        entry.evicted = True


def _names(entry: _Entry) -> frozenset[str]:
    if entry.names is None:
        entry.names = frozenset(names(f"{entry.raw.content} {entry.raw.arguments}"))
    return entry.names


def _names_sent(entry: _Entry) -> frozenset[str]:
    if entry.sent is entry.raw:
        return _names(entry)
    if entry.names_sent is None:
        entry.names_sent = frozenset(names(entry.sent.content))
    return entry.names_sent


def _about(entry: _Entry) -> frozenset[str]:
    if entry.about is None:
        entry.about = frozenset(
            piece for name in _names(entry) for piece in pieces(name)
        )
    return entry.about
