"""The plugin folder says the same as `fleetspan claude install`."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

from fleetspan_collector.claude_settings.wanted import wanted
from tests.collector_processor.claude_code.client.hooks import Receiver
from tests.collector_processor.running import poll

PLUGIN: Final = Path(__file__).parents[4] / "deploy" / "claude-code-plugin"
LINE: Final = (
    'python3 -I -S "${CLAUDE_PLUGIN_ROOT}/fleetspan_hook/run.py" 2>/dev/null || :'
)


def hooks() -> dict[str, Any]:
    """The hooks of the plugin."""
    found: dict[str, Any] = json.loads((PLUGIN / "hooks" / "hooks.json").read_text())
    assert list(found) == ["hooks"]
    events: dict[str, Any] = found["hooks"]
    return events


def test_the_plugin_has_the_hooks_of_install() -> None:
    """The same events, waited for or not; only the command line is its own."""
    expected = wanted("http://127.0.0.1:4318").hooks
    assert hooks() == {
        event: [{"hooks": [handler | {"command": LINE}]}]
        for event, handler in expected.items()
    }
    manifest = json.loads((PLUGIN / ".claude-plugin" / "plugin.json").read_text())
    assert manifest["name"] == "fleetspan"


def test_the_page_lists_the_variables_of_install() -> None:
    """What a plugin cannot set is shown as install writes it."""
    text = (PLUGIN / "README.md").read_text("utf-8")
    block = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert block is not None
    assert json.loads(block[1]) == {"env": dict(wanted("http://127.0.0.1:4318").env)}


def test_its_command_runs(tmp_path: Path) -> None:
    """As the client runs it, through the link to the hook."""
    with Receiver() as receiver:
        done = subprocess.run(
            ["/bin/sh", "-c", LINE],
            input=b"{}",
            capture_output=True,
            check=False,
            timeout=30,
            env={
                "PATH": os.environ["PATH"],
                "CLAUDE_PLUGIN_ROOT": str(PLUGIN),
                "FLEETSPAN_SPOOL": str(tmp_path),
                "FLEETSPAN_HOOK_ENDPOINT": receiver.endpoint,
            },
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        poll(lambda: receiver.requests, "it has arrived")
