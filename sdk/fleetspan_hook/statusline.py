"""One line for the client's status line: cost, agents and context.

The collector knows the session with its sub-agents; it is asked by a child of ours, for
which the client waits a tenth of a second. An answer that comes later is kept for the next
line. Without a collector the line says what the client itself has counted.
"""

from __future__ import annotations

import _socket
import json
import os
import sys
import time

from fleetspan_hook.spool import split_endpoint, spool_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import Any, Final
else:
    # `signal` makes enumerations of everything, which takes longer than all of this.
    import _signal

_INPUT_WAIT_S: Final = 1
_INPUT_AT_MOST: Final = 1024 * 1024
_WAIT_S: Final = 0.1
_ASK_S: Final = 2.0
_ANSWER_AT_MOST: Final = 8 * 1024 * 1024
_KEPT_S: Final = 600.0
_KEPT_AT_MOST: Final = 64


def print_status(data: str | None) -> None:
    """Read the client's JSON on standard input and write one line, or nothing.

    Args:
        data: Data directory of the collector; ``None``: ``FLEETSPAN_DATA``, else the
            platform's.
    """
    payload = _read_payload()
    if not payload:
        return
    line = status_line(payload, _session_of(payload, data))
    if line:
        os.write(1, f"{line}\n".encode())


def status_line(payload: dict[str, Any], known: dict[str, Any]) -> str:
    """Write the line.

    Args:
        payload: What the client passes to a status line.
        known: ``cost_usd``, ``unpriced_calls``, ``agents`` and ``at_work`` of the session
            as the collector knows it, each may be missing.

    Returns:
        Such as ``$0.42 · 5 agents, 2 at work · context 37 %``; empty when nothing is known.
    """
    parts = []
    cost = known.get("cost_usd")
    if cost is None:
        cost = _number(payload, "cost", "total_cost_usd")
    if cost is not None:
        parts.append(f"${cost:.2f}" + ("+?" if known.get("unpriced_calls") else ""))
    agents, at_work = known.get("agents"), known.get("at_work", 0)
    if agents is not None and agents > 1:
        parts.append(f"{agents} agents" + (f", {at_work} at work" if at_work else ""))
    context = _number(payload, "context_window", "used_percentage")
    if context is not None:
        parts.append(f"context {context:.0f} %")
    return " · ".join(parts)


def _read_payload() -> dict[str, Any]:
    if os.isatty(0):
        return {}
    # Its default action ends the process, as silently as we would.
    _signal.signal(_signal.SIGALRM, _leave)
    _signal.alarm(_INPUT_WAIT_S)
    text = b""
    while chunk := os.read(0, 65536):
        text += chunk
        if len(text) > _INPUT_AT_MOST:
            return {}
    _signal.alarm(0)
    payload = json.loads(text)
    return payload if isinstance(payload, dict) else {}


def _leave(number: int, frame: object) -> None:
    os._exit(0)


def _session_of(payload: dict[str, Any], data: str | None) -> dict[str, Any]:
    """Return what the collector knows of the session: now, or when last asked."""
    session = payload.get("session_id")
    web = web_port(data or data_directory())
    if not isinstance(session, str) or not web or not _is_plain(session):
        return {}
    kept = f"{os.path.dirname(spool_root())}/status/{session}.json"
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.close(reading)
            _detach()
            _ask_and_keep(web, session, kept, writing)
        finally:
            os._exit(0)
    os.close(writing)
    return _answer(reading) or _kept(kept)


def _answer(reading: int) -> dict[str, Any]:
    import select

    text = b""
    deadline = time.monotonic() + _WAIT_S
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            return {}
        chunk = os.read(reading, 65536)
        if not chunk:
            break
        text += chunk
    return json.loads(text) if text else {}


def _ask_and_keep(web: str, session: str, kept: str, writing: int) -> None:
    known = _ask(web, session)
    text = json.dumps(known).encode()
    try:
        os.write(writing, text)
    except BrokenPipeError:
        pass
    os.close(writing)
    folder = os.path.dirname(kept)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    draft = f"{kept}.{os.getpid()}"
    with open(draft, "wb") as file:
        file.write(text)
    os.rename(draft, kept)
    names = [f"{folder}/{name}" for name in os.listdir(folder)]
    names.sort(key=os.path.getmtime)
    for name in names[:-_KEPT_AT_MOST]:
        os.unlink(name)


def _ask(web: str, session: str) -> dict[str, Any]:
    """Ask the collector's web port for the session."""
    _, host, port, _ = split_endpoint(web)
    family = _socket.AF_INET6 if ":" in host else _socket.AF_INET
    connection = _socket.socket(family, _socket.SOCK_STREAM)
    connection.settimeout(_ASK_S)
    connection.connect((host, port))
    # wait=0: what can be read now; the next line is soon enough for the rest.
    request = (
        f"GET /api/v1/runs/{session}?wait=0 HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )
    connection.sendall(request.encode())
    answer = b""
    while (chunk := connection.recv(65536)) and len(answer) < _ANSWER_AT_MOST:
        answer += chunk
    connection.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError("the collector does not know the session")
    run = json.loads(body)
    if run["run_id"] != session:
        # An id that merely begins so is another session.
        raise ValueError("another session")
    return {
        "cost_usd": run["cost_usd"],
        "unpriced_calls": run["unpriced_calls"],
        "agents": len(run["agents"]),
        "at_work": sum(agent["status"] == "running" for agent in run["agents"]),
    }


def _kept(path: str) -> dict[str, Any]:
    try:
        if time.time() - os.stat(path).st_mtime > _KEPT_S:
            return {}
        with open(path, "rb") as file:
            known = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _detach() -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def web_port(data: str) -> str | None:
    """Return where the collector of a data directory answers; ``None``: nowhere."""
    try:
        with open(f"{data}/endpoints.json", "rb") as file:
            document = json.loads(file.read())
        os.kill(document["pid"], 0)
    except PermissionError:
        pass
    except (OSError, ValueError, KeyError, TypeError):
        return None
    web = document["web"]
    return web if isinstance(web, str) else None


def data_directory() -> str:
    """Return the default data directory, the same as the collector's."""
    named = os.path.expanduser(os.environ.get("FLEETSPAN_DATA", "").strip())
    if named:
        return named
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Application Support/fleetspan")
    base = os.environ.get("XDG_DATA_HOME", "").strip()
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.local/share")
    return f"{base}/fleetspan"


def _number(payload: dict[str, Any], *path: str) -> float | None:
    value: Any = payload
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def _is_plain(session: str) -> bool:
    return 0 < len(session) <= 128 and all(
        c.isascii() and (c.isalnum() or c in "-_") for c in session
    )
