"""Asking: a hook that waits for the collector's answer and hands it to the client.

The hook is delivered as any other. An answer that does not come in time is replaced by
what the user has laid down for that: go on, ask the user, or stop.
"""

from __future__ import annotations

import os
import sys

from fleetspan_hook.deliver import hand_over, take
from fleetspan_hook.send import connect, request_head
from fleetspan_hook.spool import Delivery, split_endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

DECIDE_PATH: Final = "/v1/claude-code/decide"
WITHIN_S: Final = 2.0
"""The client waits for us longer than that: it would go on if we were late."""

_ANSWER_AT_MOST: Final = 32 * 1024 * 1024
_STOPPED: Final = 2
_REASON: Final = "No Fleetspan collector has answered, and the rules say to {what} then"


def ask(endpoint: str, unreachable: str) -> None:
    """Take the hook on standard input, ask about it, and write the answer.

    Args:
        endpoint: Base address of the collector's OTLP/HTTP port.
        unreachable: ``allow``, ``ask`` or ``deny``: what holds without an answer.

    Raises:
        SystemExit: With 2, which stops the client, when that is so laid down.
    """
    body = b""
    try:
        delivery = take()
        if delivery is None:
            return
        body = delivery.body
        hand_over_quietly(endpoint, delivery)
        answer = _asked(endpoint, delivery)
    except Exception:  # noqa: BLE001 - whatever it was, there is no answer
        answer = None
    if answer is None:
        _without(unreachable, body)
    elif answer.strip() not in (b"", b"{}"):
        os.write(1, answer + b"\n")


def hand_over_quietly(endpoint: str, delivery: Delivery) -> None:
    """Have it delivered; whether that works has no part in the answer."""
    parent = os.getpid()
    try:
        hand_over(endpoint, delivery)
    except Exception:  # noqa: S110, BLE001 - the observer's own trouble
        pass
    if os.getpid() != parent:
        # The child that has sent it.
        os._exit(0)


def _asked(endpoint: str, delivery: Delivery) -> bytes | None:
    if not delivery.body:
        return None
    scheme, host, port, _ = split_endpoint(endpoint)
    connection = connect(scheme, host, port)
    try:
        connection.settimeout(WITHIN_S)
        connection.sendall(request_head(endpoint, DECIDE_PATH, delivery))
        connection.sendall(delivery.body)
        answer = b""
        while len(answer) < _ANSWER_AT_MOST:
            chunk = connection.recv(65536)
            if not chunk:
                break
            answer += chunk
    finally:
        connection.close()
    head, _, said = answer.partition(b"\r\n\r\n")
    version, _, rest = head.partition(b" ")
    if not version.startswith(b"HTTP/1.") or rest[:3] != b"200":
        return None
    return said if said.startswith(b"{") else None


def _without(unreachable: str, body: bytes) -> None:
    """Say what holds when nobody has answered; nothing for who merely tells."""
    event = _event(body)
    if unreachable == "allow" or event not in (
        *("PreToolUse", "PermissionRequest", "UserPromptSubmit", ""),
    ):
        return
    if unreachable == "ask" and event == "PreToolUse":
        reason = _REASON.format(what="ask you")
        said = (
            '{"hookSpecificOutput":{"hookEventName":"PreToolUse",'
            f'"permissionDecision":"ask","permissionDecisionReason":"{reason}"}}}}'
        )
        os.write(1, said.encode() + b"\n")
    elif unreachable == "deny":
        os.write(2, (_REASON.format(what="stop") + ".\n").encode())
        sys.exit(_STOPPED)


def _event(body: bytes) -> str:
    """Find the event, without a library that takes as long to load as all of this."""
    _, found, rest = body.partition(b'"hook_event_name"')
    if not found:
        return ""
    return (
        rest.lstrip(b" :\t\r\n")
        .lstrip(b'"')
        .partition(b'"')[0]
        .decode("ascii", "ignore")
    )
