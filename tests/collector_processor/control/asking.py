"""A client that asks: its hooks, sent over HTTP or through the hook's own script."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fleetspan_hook
from tests.collector_processor.running import Collector, environment

RULES = """
if_unreachable: deny
budgets:
  one session: {of: session, usd: 0.5, calls: 100}
guards:
  loop: {repeats: 3}
  fan_out: {at_once: 2}
rules:
  - name: pushing
    tools: [Bash]
    commands: ["git push"]
    because: pushing is for people
risk: {threshold: 0.7, then: approve}
"""


class Client:
    """A session of a client.

    Args:
        collector: Who answers.
        session: Its id.
        cwd: Where it works.
    """

    def __init__(self, collector: Collector, session: str = "s1", cwd: str = "/repo"):
        self.collector = collector
        self.session = session
        self.cwd = cwd
        self._calls = 0

    def hook(self, event: str, **fields: Any) -> dict[str, Any]:
        """A hook as the client writes it."""
        return {
            "session_id": self.session,
            "transcript_path": f"/nowhere/{self.session}.jsonl",
            "cwd": self.cwd,
            "hook_event_name": event,
            **fields,
        }

    def ask(self, event: str, **fields: Any) -> dict[str, Any]:
        """Ask, and return the answer; the hook is told of, too."""
        hook = self.hook(event, **fields)
        body = json.dumps(hook).encode()
        status, _, _ = self.collector.request(
            "otlp_http",
            "POST",
            "/v1/claude-code/hooks",
            body,
            content_type="application/json",
        )
        assert status == 200
        status, _, answer = self.collector.request(
            "otlp_http",
            "POST",
            "/v1/claude-code/decide",
            body,
            content_type="application/json",
        )
        assert status == 200, answer
        document: dict[str, Any] = json.loads(answer)
        return document

    def call(self, tool: str, result: object = "ok", **given: Any) -> tuple[str, str]:
        """Call a tool; returns what was decided and why. Let do, it has a result."""
        self._calls += 1
        called = {
            "tool_name": tool,
            "tool_input": given,
            "tool_use_id": f"toolu_{self.session}_{self._calls}",
        }
        said = self.ask("PreToolUse", **called).get("hookSpecificOutput", {})
        decision = said.get("permissionDecision", "none")
        if decision != "deny" and result is not None:
            self.ask("PostToolUse", **called, tool_response=result)
        return decision, said.get("permissionDecisionReason", "")


def run_hook(
    home: Path, endpoint: str, unreachable: str, hook: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Run the hook's script as the client does."""
    script = Path(fleetspan_hook.__file__).with_name("run.py")
    return subprocess.run(
        [
            *(sys.executable, "-I", "-S", str(script), "ask"),
            *("--endpoint", endpoint, "--unreachable", unreachable),
        ],
        input=json.dumps(hook),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=environment(HOME=str(home), FLEETSPAN_SPOOL=str(home / "spool")),
    )
