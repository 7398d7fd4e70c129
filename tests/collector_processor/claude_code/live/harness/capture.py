"""Makes a capture: what a scenario sends, and the truth, without the vendor's texts.

``unshare -n python -m tests.collector_processor.claude_code.live.harness.capture NAME CLIENT``
runs the client in ``/srv/work/NAME``, the same place wherever it is made, and writes the
folder ``captures/NAME``.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import fleetspan_hook
from tests.collector_processor.claude_code.live.harness import loopback
from tests.collector_processor.claude_code.live.harness.inside import OFTEN, spool_files
from tests.collector_processor.claude_code.live.harness.recorder import Recorder
from tests.collector_processor.claude_code.live.harness.stage import ALLOWED, Stage
from tests.collector_processor.claude_code.live.harness.terminal import Terminal
from tests.collector_processor.claude_code.live.harness.truth import json_lines
from tests.collector_processor.running import poll

CAPTURES: Final = Path(__file__).parents[2] / "captures"
PLACE: Final = Path("/srv/work")
_NOBODY_ALLOWS: Final = (
    "--permission-mode",
    "default",
    "--allowedTools",
    "Read",
    "Agent",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What the client is asked in a capture.

    Attributes:
        prompts: One a process; the second and later ones resume the session.
        session: Id of the session.
        options: Options of the client.
        until: Of the interactive client: how often each event has come when all is
            done; without it, the client is run as by a script.
    """

    prompts: tuple[str, ...]
    session: str
    options: tuple[str, ...] = ALLOWED
    until: Mapping[str, int] | None = None


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "denied": Scenario(
        prompts=("SCRIPT-DENIED do what is not allowed",),
        session="55555555-5555-4555-8555-555555555555",
        options=_NOBODY_ALLOWS,
    ),
    "failing": Scenario(
        prompts=("SCRIPT-FAILING one of two will fail",),
        session="66666666-6666-4666-8666-666666666666",
    ),
    "five": Scenario(
        prompts=("SCRIPT-FIVE all at once",),
        session="77777777-7777-4777-8777-777777777777",
    ),
    "background": Scenario(
        prompts=("SCRIPT-BACKGROUND begin and go on",),
        session="88888888-8888-4888-8888-888888888888",
    ),
    "message": Scenario(
        prompts=("SCRIPT-RESUMING one agent twice",),
        session="99999999-9999-4999-8999-999999999999",
    ),
    "interactive": Scenario(
        prompts=("SCRIPT-BACKGROUND begin and go on",),
        session="aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
        until={"SubagentStop": 4, "Stop": 3},
    ),
}

_VENDOR: Final = (b"You are an agent working with", b"You are a Claude agent, built on")
_KEPT_ATTACHMENTS: Final = (
    *("hook_success", "hook_non_blocking_error", "hook_cancelled"),
    *("date", "queued_command"),
)
_KEPT_OF_REQUESTS: Final = (
    *("type", "sessionId", "agentId", "timestamp", "version", "shapeHash", "hash"),
)


def record(name: str, stage: Stage) -> None:
    """Play a scenario against a recorder, and keep what came in the stage's folder."""
    scenario = SCENARIOS[name]
    stage.fleetspan("claude", "install", "--yes", "--content", "full")
    _hook_from_elsewhere(stage)
    with Recorder(stage.root) as recorder:
        for number, prompt in enumerate(scenario.prompts):
            form = "--resume" if number else "--session-id"
            options = (prompt, form, scenario.session, *scenario.options)
            if scenario.until is not None:
                _at_a_terminal(stage, recorder, options, scenario.until)
            else:
                ended = stage.run(*options, name=f"{number}", **OFTEN)
                assert ended.stderr == "", ended
            poll(lambda: not spool_files(stage), "every hook has come")
        count = len(scenario.prompts)
        poll(lambda: recorder.events.count("SessionEnd") == count, "the end has come")


def _at_a_terminal(
    stage: Stage, recorder: Recorder, options: Sequence[str], until: Mapping[str, int]
) -> None:
    terminal = Terminal(
        [str(stage.client), *options],
        stage.project,
        stage.variables | OFTEN,
        stage.root / "screen.bin",
    )
    try:
        poll(
            lambda: all(recorder.events.count(key) >= until[key] for key in until),
            "the session is at rest",
        )
        assert terminal.leave() == 0
    finally:
        terminal.process.kill()


def _hook_from_elsewhere(stage: Stage) -> None:
    """Have the hook run from the stage: captures name no place of who made them."""
    copy = stage.root / "fleetspan_hook"
    source = Path(fleetspan_hook.__file__).parent
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    settings = stage.home / ".claude" / "settings.json"
    written = settings.read_text("utf-8")
    written = written.replace(str(source), str(copy))
    settings.write_text(written.replace(sys.executable, "/usr/bin/env python3"))


def keep(stage: Stage, folder: Path) -> None:
    """Copy what a capture consists of.

    Raises:
        AssertionError: When OTLP carries the vendor's texts: it cannot be kept then.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "otlp").mkdir(parents=True)
    for path in sorted((stage.root / "otlp").iterdir()):
        body = path.read_bytes()
        assert not any(each in body for each in _VENDOR), path
        (folder / "otlp" / path.name).write_bytes(body)
    shutil.copy(stage.root / "hooks.jsonl", folder)
    for path in stage.projects.rglob("*"):
        if path.is_file():
            copy = folder / "transcripts" / path.relative_to(stage.projects)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".jsonl":
                lines = [json.dumps(_scrubbed(each)) for each in json_lines(path)]
                copy.write_text("".join(f"{line}\n" for line in lines))
            else:
                shutil.copy(path, copy)
    truth = stage.expected()
    (folder / "expected.json").write_text(json.dumps(truth, indent=1))


def _scrubbed(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of a transcript without the vendor's texts."""
    kind = line.get("type")
    if kind in ("api-request-shape", "api-request-blob"):
        kept = {key: line[key] for key in _KEPT_OF_REQUESTS if key in line}
        return kept | {"_scrubbed": True}
    if kind == "attachment":
        line = {key: value for key, value in line.items() if key != "rendered"}
        attachment = line.get("attachment") or {}
        if attachment.get("type") not in _KEPT_ATTACHMENTS:
            line["attachment"] = {"type": attachment.get("type"), "_scrubbed": True}
    return line


def main() -> None:
    """Make the capture that the arguments name."""
    name, client = sys.argv[1:]
    loopback.bring_up()
    root = PLACE / name
    root.mkdir(parents=True)
    with Stage(root, Path(client)) as stage:
        record(name, stage)
        keep(stage, CAPTURES / name)


if __name__ == "__main__":
    main()
