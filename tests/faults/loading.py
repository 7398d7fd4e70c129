"""Real healthy runs: those of mini-SWE-agent, and Claude Code's captures.

mini-SWE-agent (layout: the README beside the data) is one agent with a shell: each model
call is followed by at most one command. Only the time of each call's beginning is known
(whole seconds; it grows by 10 ms for every token of the call that it belongs to, measured
over 20,163 calls, and not with those of the next, so it is the beginning). The time until
the next call is split by one rule: 2.0 s plus 10 ms per token written is the model, at
least that much of the rest as makes 0.05 s is the command.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.faults.plan import Agent, Call, Pause, Plan, Row, Tool

OWN: Final = Path(__file__).parent / "data"
"""A dozen of the public runs, chosen by hash, so that a clone has some."""

VARIABLE: Final = "FLEETSPAN_MINI_SWE_RUNS"
"""Names the folder with all of them."""

_COMMAND: Final = re.compile(r"```bash\n(.*?)\n```", re.DOTALL)
_CODE: Final = re.compile(r"<returncode>(-?\d+)</returncode>")
_REFUSED: Final = "Please always provide EXACTLY ONE action"
_MODEL_S: Final = 2.0
_TOKEN_S: Final = 0.010
_LEAST_S: Final = 0.05


def folder() -> Path:
    """Return the folder of all public runs, or that of the dozen in the repository."""
    named = os.environ.get(VARIABLE, "")
    return Path(named) if named else OWN


def mini_swe(directory: Path | None = None) -> Iterator[Plan]:
    """Yield the runs of a folder, in its order.

    Args:
        directory: Holds ``runs.jsonl.xz``; None for `folder`.
    """
    path = (directory or folder()) / "runs.jsonl.xz"
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield plan_of(json.loads(line))


def plan_of(run: Mapping[str, Any]) -> Plan:
    """Return a run of mini-SWE-agent as a plan."""
    messages = run["messages"]
    name = str(run["instance_id"])
    task = next(each["content"] for each in messages if each["role"] == "user")
    asked = [at for at, each in enumerate(messages) if each["role"] == "assistant"]
    times = [int(messages[at]["created"]) for at in asked]
    root = Agent(
        row={
            "AgentId": name,
            "SpanId": _digest(name)[:16],
            "Name": "mini-swe-agent",
            "Type": "mini-swe-agent",
            "Model": str(run["model"]),
            "Task": task,
        }
    )
    for number, at in enumerate(asked):
        until = times[number + 1] if number + 1 < len(times) else None
        left = None if until is None else float(until - times[number])
        result = messages[at + 1]["content"] if at + 1 < len(messages) else None
        _add_turn(
            root, f"{name}/{number}", str(run["model"]), messages[at], result, left
        )
    return Plan(
        run_id=name,
        name="swe-bench",
        origin="mini_swe",
        start_ns=times[0] * 1_000_000_000,
        root=root,
    )


def _add_turn(
    root: Agent,
    turn: str,
    model: str,
    message: Mapping[str, Any],
    result: str | None,
    left_s: float | None,
) -> None:
    usage = message["usage"]
    model_s = _MODEL_S + _TOKEN_S * usage["completion"]
    left_s = model_s + _LEAST_S if left_s is None else left_s
    model_s = min(model_s, max(left_s - _LEAST_S, left_s / 2))
    root.steps.append(Call(seconds=model_s, row=_call_row(turn, model, message)))
    rest_s = left_s - model_s
    command = _COMMAND.search(str(message["content"]))
    if command and result is not None and not result.startswith(_REFUSED):
        row = _tool_row(turn, command.group(1), result)
        root.steps.append(Tool(seconds=rest_s, row=row))
    else:
        root.steps.append(Pause(seconds=rest_s))


def _call_row(turn: str, model: str, message: Mapping[str, Any]) -> Row:
    usage = message["usage"]
    return {
        "CallId": f"{turn}/call",
        "SpanId": _digest(f"{turn}/call")[:16],
        "Model": model,
        "Provider": str(message.get("provider") or ""),
        "InputTokens": usage["prompt"] - usage["cached"],
        "CacheReadTokens": usage["cached"],
        "CacheWriteTokens": 0,
        "OutputTokens": usage["completion"],
        "ReasoningTokens": usage["reasoning"],
        "FinishReason": "stop",
    }


def _tool_row(turn: str, command: str, result: str) -> Row:
    code = _CODE.match(result)
    failed = code is not None and code.group(1) != "0"
    return {
        "ToolCallId": f"{turn}/tool",
        "SpanId": _digest(f"{turn}/tool")[:16],
        "Tool": "bash",
        "ArgumentsHash": _digest(command),
        "ResultHash": _digest(result),
        "ResultBytes": len(result.encode()),
        "Success": 0 if failed else 1,
        "Error": f"exit code {code.group(1)}" if failed and code else "",
    }


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
