"""Scenarios in which the collector answers what the client may do."""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from tests.collector_processor.claude_code.live.harness import shop as shop_server
from tests.collector_processor.claude_code.live.harness.stage import (
    ALLOWED,
    Ended,
    Stage,
)
from tests.collector_processor.running import Collector, poll

_RULES: Final = """
if_unreachable: deny
budgets:
  {budget}
guards:
  loop: {{repeats: 3}}
  fan_out: {{at_once: 2}}
"""
_ORDERS: Final = "mcp__shop__orders"
_TIERS: Final = "tiers: {only: {models: [haiku]}}"
_REWRITTEN_S: Final = 8.0
_AMPLE: Final = "one session: {of: session, usd: 100}"


def _asked(
    stage: Stage, *, plan: str, budget: str = _AMPLE, more: str = ""
) -> dict[str, Any]:
    """A collector with rules; what it stopped, and what was done all the same."""
    rules = stage.home / "control.yaml"
    rules.write_text(_RULES.format(budget=budget) + more)
    _install(stage, "deny")
    variables = {"HOME": str(stage.home), "FLEETSPAN_CONTROL_FILE": str(rules)}
    with Collector(stage.data, variables=variables, ports=()) as collector:
        ended = stage.run(f"SCRIPT-{plan} go", *ALLOWED, name="main")
        poll(
            lambda: collector.count("claude_hooks", "Event = 'SessionEnd'") >= 1,
            "the end of the session",
        )
        collector.settle()
        decided = "EventName LIKE 'fleetspan.%.decision'"
        poll(lambda: collector.count("otel_logs", decided) > 0, "a decision")
        poll(
            lambda: collector.count("findings", "Detector = 'control'") > 0, "findings"
        )
        return _outcome(stage, ended) | {
            "hooks": _hooks(collector),
            "decisions": collector.sql(
                f"SELECT Body, LogAttributes FROM otel.otel_logs WHERE {decided}"
            ),
            "findings": _lasting(
                lambda: collector.sql(
                    "SELECT What, ToolCallIds FROM otel.findings"
                    " WHERE Detector = 'control' ORDER BY What"
                )
            ),
        }


def _lasting(read: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Read what is written again every few seconds, until it stays the same."""
    now = read()
    while True:
        time.sleep(_REWRITTEN_S)
        before, now = now, read()
        if now == before:
            return now


def _shortened(stage: Stage, *, mode: str, plan: str = "LONG") -> dict[str, Any]:
    """A long output of a tool; the agent may read files of its project only."""
    rules = stage.home / "control.yaml"
    rules.write_text(f"if_unreachable: allow\noutputs: {{mode: {mode}}}\n")
    servers = stage.home / "servers.json"
    shop = {"command": sys.executable, "args": [shop_server.__file__]}
    servers.write_text(json.dumps({"mcpServers": {"shop": shop}}))
    _install(stage, "allow")
    variables = {"HOME": str(stage.home), "FLEETSPAN_CONTROL_FILE": str(rules)}
    with Collector(stage.data, variables=variables, ports=()) as collector:
        ended = stage.run(
            f"SCRIPT-{plan} go",
            *("--mcp-config", str(servers), "--allowedTools", "Bash", _ORDERS),
            name="main",
        )
        reduced = "EventName = 'fleetspan.context.reduction'"
        poll(lambda: collector.count("otel_logs", reduced) > 0, "the event")
        return _outcome(stage, ended) | {
            "events": collector.sql(
                f"SELECT LogAttributes FROM otel.otel_logs WHERE {reduced}"
            )
        }


def _routed(stage: Stage, *, mode: str) -> dict[str, Any]:
    """Sub-agents whose model is chosen; there is one that it can be."""
    tiers = stage.home / "tiers.yaml"
    tiers.write_text(_TIERS)
    more = f"models: {{mode: {mode}, tiers: tiers.yaml}}\n"
    return _asked(stage, plan="FAN", more=more) | {
        "models": [
            record["model"]
            for record in map(json.loads, stage.truth.read_text().splitlines())
            if record.get("marker") == "SCRIPT-PART" and record.get("model")
        ]
    }


def _unanswered(stage: Stage, *, unreachable: str) -> dict[str, Any]:
    """No collector, and what was laid down for that."""
    _install(stage, unreachable)
    return _outcome(stage, stage.run("SCRIPT-WORK go", *ALLOWED, name="main"))


def _install(stage: Stage, unreachable: str) -> None:
    stage.fleetspan(
        *("claude", "install", "--yes", "--content", "full"),
        *("--control", "--if-unreachable", unreachable),
    )


def _outcome(stage: Stage, ended: Ended) -> dict[str, Any]:
    """What the client did, and how many tools really ran, by what it told the model."""
    results = [
        block
        for message in ended.messages
        if message.get("type") == "user"
        for block in message["message"]["content"]
        if isinstance(block, dict) and block.get("type") == "tool_result"
    ]
    return {
        "client": {"code": ended.code, "results": ended.results},
        "told": [
            [bool(each.get("is_error")), str(each["content"])] for each in results
        ],
        "answers": stage.answers,
    }


def _hooks(collector: Collector) -> dict[str, int]:
    rows = collector.sql(
        "SELECT Event, toUInt32(count()) AS n FROM otel.claude_hooks GROUP BY Event"
    )
    return {row["Event"]: row["n"] for row in rows}


SCENARIOS: Final[dict[str, Callable[[Stage], dict[str, Any]]]] = {
    "loop": functools.partial(_asked, plan="LOOP"),
    "fan": functools.partial(_asked, plan="FAN"),
    "spent_calls": functools.partial(
        _asked, plan="WORK", budget="one session: {of: session, calls: 2}"
    ),
    "spent_usd": functools.partial(
        _asked, plan="WORK", budget="one session: {of: session, usd: 0.00001}"
    ),
    "routed_on": functools.partial(_routed, mode="on"),
    "routed_dry": functools.partial(_routed, mode="dry_run"),
    "shortened_on": functools.partial(_shortened, mode="on"),
    "shortened_mcp": functools.partial(_shortened, mode="on", plan="ORDERS"),
    "shortened_dry": functools.partial(_shortened, mode="dry_run"),
    "dead_allow": functools.partial(_unanswered, unreachable="allow"),
    "dead_deny": functools.partial(_unanswered, unreachable="deny"),
}
