"""What streams send: made once for all that stand at one place and want the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from fleetspan_collector.live.filters import Filter
from fleetspan_collector.live.ring import Ring

_MOST_LOOKED_AT: Final = 1000
_MOST_FRAME_BYTES: Final = 512 << 10
_MOST_KEPT: Final = 1024
_MOST_KEPT_BYTES: Final = 16 << 20
_OVERHEAD_BYTES: Final = 200

Part = tuple[str | None, bytes]
"""An event's id, ``None`` for what has none, and its JSON object."""


class Frame:
    """Some events in a row, as they are sent.

    Args:
        parts: The events that are wanted.
        place: The number of the last event that was looked at.
        missed: How many events went by unseen.

    Attributes:
        place: As given.
        missed: As given.
        size_bytes: About how much memory it takes.
    """

    def __init__(self, parts: Sequence[Part], place: int = 0, missed: int = 0) -> None:
        self.place = place
        self.missed = missed
        self._parts = parts
        self._text: str | None = None
        self._lines: bytes | None = None
        self.size_bytes = _OVERHEAD_BYTES + 3 * sum(len(body) for _, body in parts)

    def __bool__(self) -> bool:
        """Whether there is anything to be sent."""
        return bool(self._parts)

    @property
    def text(self) -> str:
        """A JSON array, as a WebSocket carries it."""
        if self._text is None:
            bodies = b",".join(body for _, body in self._parts)
            self._text = f"[{bodies.decode()}]"
        return self._text

    @property
    def lines(self) -> bytes:
        """Messages of SSE."""
        if self._lines is None:
            self._lines = b"".join(
                (b"id: " + name.encode() + b"\n" if name else b"")
                + (b"data: " + body + b"\n\n")
                for name, body in self._parts
            )
        return self._lines


class Frames:
    """Makes frames, and keeps the latest for whoever asks for the same.

    Used by one event loop alone.

    Args:
        ring: Where events are.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._kept: OrderedDict[tuple[str, int, Filter], Frame] = OrderedDict()
        self._bytes = 0

    def after(self, place: int, wanted: Filter) -> Frame:
        """Return what follows a place, at most one frame of it.

        It may be empty though more follows its own place: much is not wanted by all.
        """
        key = (self._ring.epoch, place, wanted)
        known = self._kept.get(key)
        if known is not None:
            return known
        made = self._make(place, wanted)
        if made.place > place:
            self._keep(key, made)
        return made

    def _keep(self, key: tuple[str, int, Filter], frame: Frame) -> None:
        self._kept[key] = frame
        self._bytes += frame.size_bytes
        while len(self._kept) > _MOST_KEPT or self._bytes > _MOST_KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size_bytes

    def _make(self, place: int, wanted: Filter) -> Frame:
        gone, entries = self._ring.after(place, _MOST_LOOKED_AT)
        epoch = self._ring.epoch
        place += gone
        missed = unsaid = gone
        parts: list[Part] = []
        size = 0
        for event in entries:
            place += 1
            if event is None:
                missed += 1
                unsaid += 1
                continue
            if unsaid:
                parts.append(_missed(f"{epoch}-{place - 1}", unsaid))
                unsaid = 0
            if wanted.wants(event):
                name = f"{epoch}-{place}"
                body = b'{"id":"%b",%b}' % (name.encode(), event.body)
                parts.append((name, body))
                size += len(body)
                if size >= _MOST_FRAME_BYTES:
                    break
        if unsaid:
            parts.append(_missed(f"{epoch}-{place}", unsaid))
        return Frame(parts, place, missed)


def _missed(name: str, count: int) -> Part:
    body = b'{"kind":"missed","id":"%b","count":%d}' % (name.encode(), count)
    return name, body
