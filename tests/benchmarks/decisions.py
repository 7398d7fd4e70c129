"""Decisions: how long an agent waits for the answer to what it may do.

A process of its own asks 200 times a second over eight connections that are kept open:
calls of tools by sub-agents of 40 sessions, under budgets of every scope, guards, rules
and risk, each followed by its result; with each question, in turns, an empty one that
nothing has to be decided for. Both meet the same collector in the same seconds. A time
is from before the request is sent until the answer is read.

Two states: by itself; and beside 1,000 spans a second, which the collector inserts and
derives.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import _systems
from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale
from tests.benchmarks.hooks import spans_beside

_AIM_MS: Final = 10.0
_PER_S: Final = 200
_CONNECTIONS: Final = 8
_SESSIONS: Final = 40
_AGENTS: Final = 10
_WARM_UP: Final = 5
_PATH: Final = "/v1/claude-code/decide"
_RULES: Final = """
if_unreachable: allow
budgets:
  session: {of: session, usd: 1000, calls: 100000}
  branch: {of: sub_tree, tokens: 100000000}
  kind: {of: agent_type, calls: 100000}
  person: {of: user, usd: 10000}
  today: {of: day, usd: 10000}
guards: {loop: {repeats: 3}, fan_out: {at_once: 20}}
rules:
  - {name: secrets, paths: ["**/.env*", "~/.ssh/**"]}
  - {name: net, hosts_outside: [pypi.org]}
  - {name: push, tools: [Bash], commands: ["git push"]}
risk: {threshold: 0.9}
"""


def measure(scale: Scale, folder: Path) -> Result:
    """Ask in both states."""
    rules = folder / "control.yaml"
    rules.write_text(_RULES)
    questions = scale.hooks_rounds * 4
    found: dict[str, dict[str, list[float]]] = {}
    option = f"--set=control_file={rules}"
    with _systems.fleetspan(folder, option) as system:
        address = system.collector.endpoint("otlp_http")
        found["by itself"] = _ask(address, questions)
        with spans_beside(system.grpc, questions / _PER_S + 2):
            found["beside 1,000 spans/s"] = _ask(address, questions)
    rows: list[list[object]] = []
    for state, times in found.items():
        ms = {kind: [1000 * each for each in some] for kind, some in times.items()}
        decided, empty = ms["decision"], ms["empty"]
        p99_ms = percentile(decided, 99)
        rows.append(
            [
                *(state, len(decided), percentile(decided, 50), p99_ms, max(decided)),
                *(percentile(empty, 99), p99_ms / percentile(empty, 99)),
            ]
        )
    return Result(
        part="decisions",
        title="answers to what an agent may do",
        columns=(
            *("state", "decisions", "p50 ms", "p99 ms", "max ms"),
            *("empty p99 ms", "p99 : empty"),
        ),
        rows=rows,
        settings={"per_s": _PER_S, "questions": questions},
        raw=found,
        notes=[f"aim: p99 within {_AIM_MS:.0f} ms at {_PER_S} a second."],
    )


def _ask(address: str, questions: int) -> dict[str, list[float]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.decisions", address, str(questions)],
        capture_output=True,
        text=True,
        check=True,
    )
    times: dict[str, list[float]] = json.loads(done.stdout)
    return times


def ask(address: str, questions: int) -> None:
    """Ask and print the seconds; the client's process."""
    times: dict[str, list[float]] = {"decision": [], "empty": []}
    lock = threading.Lock()
    each = questions // _CONNECTIONS

    def work(number: int) -> None:
        own: dict[str, list[float]] = {"decision": [], "empty": []}
        with contextlib.closing(
            http.client.HTTPConnection(address, timeout=60)
        ) as connection:
            # Not all at the same moment.
            next_s = time.monotonic() + number / _PER_S
            for count in range(-_WARM_UP, each):
                time.sleep(max(0.0, next_s - time.monotonic()))
                next_s += _CONNECTIONS / _PER_S
                call = _call(number, count)
                kinds = [("decision", call), ("empty", {})]
                for kind, hook in kinds if count % 2 else reversed(kinds):
                    took_s = _post(connection, hook)
                    if count >= 0:
                        own[kind].append(took_s)
                result = {"hook_event_name": "PostToolUse", "tool_response": count}
                _post(connection, call | result)
        with lock:
            for kind, seconds in own.items():
                times[kind] += seconds

    threads = [
        threading.Thread(target=work, args=(number,)) for number in range(_CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(times))


def _call(number: int, count: int) -> dict[str, Any]:
    place = number + _CONNECTIONS * count
    return {
        "hook_event_name": "PreToolUse",
        "session_id": f"session-{place % _SESSIONS}",
        "agent_id": f"agent-{place // _SESSIONS % _AGENTS}",
        "agent_type": f"kind-{place % 3}",
        "cwd": "/repo",
        "transcript_path": f"/nowhere/session-{place % _SESSIONS}.jsonl",
        "tool_name": "Bash",
        "tool_use_id": f"call-{number}-{count}",
        "tool_input": {
            "command": f"cd /repo && grep -rn 'name{count % 7}' src/ | head -20",
            "description": "Look " + "for it " * 40,
        },
    }


def _post(connection: http.client.HTTPConnection, hook: dict[str, Any]) -> float:
    body = json.dumps(hook).encode()
    began_s = time.perf_counter()
    connection.request("POST", _PATH, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    took_s = time.perf_counter() - began_s
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}")
    return took_s


if __name__ == "__main__":
    ask(sys.argv[1], int(sys.argv[2]))
