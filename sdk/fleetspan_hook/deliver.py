"""One hook: read it, put it into the spool, and let a child of ours send it.

The client waits only for the first two. The child has left the client's session and its
pipes, so neither a slow nor a dead collector is ever noticed.
"""

from __future__ import annotations

import os
import time

from fleetspan_hook.spool import BODY_AT_MOST, Delivery, spool_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import Final
else:
    # `signal` makes enumerations of everything, which takes longer than all of this.
    import _signal

_INPUT_WAIT_S: Final = 2
"""A client that does not close our input is not waited for any longer."""
_ENDING: Final = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP)
_ZEROS: Final = frozenset("0")
_HEX: Final = frozenset("0123456789abcdef")


def deliver(endpoint: str) -> None:
    """Take the hook on standard input, keep it, and have it sent to an endpoint."""
    delivery = take()
    if delivery is not None:
        hand_over(endpoint, delivery)


def take() -> Delivery | None:
    """Return the hook on standard input; its body is empty when it is too long.

    From then on the process is not ended by a signal.
    """
    for number in _ENDING:
        _signal.signal(number, _leave)
    time_ns = time.time_ns()
    body, is_whole = _read_input()
    for number in _ENDING:
        _signal.signal(number, _signal.SIG_IGN)
    if is_whole and not body.strip():
        return None
    # Of the environment only this is ever read into a delivery.
    traceparent = checked_traceparent(os.environ.get("TRACEPARENT", ""))
    return Delivery(time_ns, os.urandom(16).hex(), traceparent, body)


def hand_over(endpoint: str, delivery: Delivery) -> None:
    """Keep a hook, and let a child of ours send it."""
    spool = spool_of(endpoint)
    if not delivery.body:
        spool.count_dropped()
        return
    name = spool.put(delivery)
    if os.fork() == 0:
        _detach()
        # Only now: the client does not wait for this import.
        from fleetspan_hook.send import send_and_catch_up

        send_and_catch_up(spool, delivery, name)


def _detach() -> None:
    """Let go of the client: of its session, its pipes and its signals."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    for number in _ENDING:
        _signal.signal(number, _signal.SIG_DFL)


def _read_input() -> tuple[bytes, bool]:
    """Return standard input, and whether it is short enough to be kept."""
    chunks: list[bytes] = []
    size = 0
    if os.isatty(0):
        return b"", True
    _signal.signal(_signal.SIGALRM, _enough)
    _signal.alarm(_INPUT_WAIT_S)
    try:
        while chunk := os.read(0, 1024 * 1024):
            size += len(chunk)
            if size > BODY_AT_MOST:
                # Read on all the same: a client must not find its pipe broken.
                chunks.clear()
            else:
                chunks.append(chunk)
    except (OSError, _EnoughError):
        # Closed, or never closed: what has come is what there is.
        pass
    finally:
        _signal.alarm(0)
    return b"".join(chunks), size <= BODY_AT_MOST


class _EnoughError(Exception):
    """Standard input was waited for long enough."""


def _enough(number: int, frame: object) -> None:
    raise _EnoughError


def _leave(number: int, frame: object) -> None:
    os._exit(0)


def checked_traceparent(text: str) -> str:
    """Return a W3C ``traceparent``, or nothing when it is not one."""
    pieces = text.strip().split("-")
    if [len(piece) for piece in pieces] != [2, 32, 16, 2]:
        return ""
    if any(set(piece) - _HEX for piece in pieces):
        return ""
    if set(pieces[1]) == _ZEROS or set(pieces[2]) == _ZEROS or pieces[0] == "ff":
        return ""
    return "-".join(pieces)
