"""Plays one scenario inside the network namespace and writes down what came of it.

``python -m tests.collector_processor.claude_code.live.harness.inside SCENARIO ROOT CLIENT``
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.collector_processor.claude_code.live.harness import controlled, loopback
from tests.collector_processor.claude_code.live.harness.stage import (
    ALLOWED,
    Ended,
    Stage,
)
from tests.collector_processor.running import Collector, poll

SESSION: Final = "11111111-1111-4111-8111-111111111111"
OFTEN: Final = {
    "OTEL_METRIC_EXPORT_INTERVAL": "2000",
    "OTEL_LOGS_EXPORT_INTERVAL": "500",
    "OTEL_TRACES_EXPORT_INTERVAL": "500",
}
"""So that much is under way whenever the collector goes."""

_TREE: Final = ("SCRIPT-MAIN please run the plan", "--session-id", SESSION, *ALLOWED)
_TABLES: Final = ("runs", "agents", "llm_calls", "tool_calls")


def tree(stage: Stage) -> dict[str, Any]:
    """Everything on, nothing goes wrong; transcripts are followed as they grow."""
    stage.fleetspan("claude", "install", "--yes", "--content", "full")
    with stage.collector() as collector, stage.following():
        ended = stage.run(*_TREE, name="main", **OFTEN)
        _wait_for_hooks(stage, collector)
        _wait_for_lines(stage, collector)
        return _outcome(stage, collector, ended)


def restart(stage: Stage) -> dict[str, Any]:
    """The collector is killed in the middle and started again some answers later."""
    stage.fleetspan("claude", "install", "--yes")
    first = stage.collector().wait_until_ready()
    outcome: dict[str, Any] = {}
    with _killed_meanwhile(stage, first, outcome) as (collector, ended):
        _wait_for_hooks(stage, collector)
        stage.fleetspan("claude", "import")
        outcome |= _outcome(stage, collector, ended)
    return outcome


def followed(stage: Stage) -> dict[str, Any]:
    """The same, and transcripts are followed by a process that sees it go and come back.

    It is all that there is: neither hooks nor telemetry are installed.
    """
    first = stage.collector().wait_until_ready()
    outcome: dict[str, Any] = {}
    with (
        stage.following(),
        _killed_meanwhile(stage, first, outcome) as (collector, ended),
    ):
        _wait_for_lines(stage, collector)
        outcome |= _outcome(stage, collector, ended)
    return outcome


@contextmanager
def _killed_meanwhile(
    stage: Stage, first: Collector, outcome: dict[str, Any]
) -> Generator[tuple[Collector, Ended]]:
    """Yield the second collector, and the client when it has ended."""
    client = stage.begin(*_TREE, name="main", **OFTEN)
    poll(lambda: stage.answers >= 6, "the run is under way")
    first.kill()
    poll(lambda: stage.answers >= 9, "the run has gone on without the collector")
    outcome["spooled_meanwhile"] = _spooled(stage)
    with stage.collector() as second:
        outcome["back_in_time"] = client.process.poll() is None
        yield second, client.wait()


def absent(stage: Stage) -> dict[str, Any]:
    """No collector at all, until long after the client has ended."""
    stage.fleetspan("claude", "install", "--yes")
    ended = stage.run(*_TREE, name="main")
    spooled = _spooled(stage)
    with stage.collector() as collector:
        _wait_for_hooks(stage, collector)
        stage.fleetspan("claude", "import", str(stage.projects))
        return _outcome(stage, collector, ended) | {"spooled_meanwhile": spooled}


def http(stage: Stage) -> dict[str, Any]:
    """Hooks that the client itself posts, where it can."""
    stage.fleetspan("claude", "install", "--yes", "--hooks", "http")
    with stage.collector() as collector:
        ended = stage.run(*_TREE, name="main", **OFTEN)
        _wait_for_hooks(stage, collector)
        stage.fleetspan("claude", "import")
        return _outcome(stage, collector, ended)


def resume(stage: Stage) -> dict[str, Any]:
    """One session by four processes, compacted between, and a fork of it."""
    stage.fleetspan("claude", "install", "--yes")
    on = ("--resume", SESSION)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with stage.collector() as collector:
        ended = [
            stage.run(_followup(prompt), *form, *ALLOWED, name=name, **changes)
            for prompt, form, name, changes in (
                ("first", ("--session-id", SESSION), "start", {"TRACEPARENT": parent}),
                ("second", on, "second", {}),
                ("third", (*on, "--fork-session"), "fork", {}),
                ("/compact", on, "compact", {}),
                ("fourth", on, "fourth", {}),
            )
        ]
        _wait_for_hooks(stage, collector, processes=len(ended))
        stage.fleetspan("claude", "import")
        outcome = _outcome(stage, collector, ended[-1])
    return outcome | {"clients": [_of(each) for each in ended]}


def _followup(prompt: str) -> str:
    return prompt if prompt.startswith("/") else f"SCRIPT-FOLLOWUP {prompt}"


def under_run(stage: Stage) -> dict[str, Any]:
    """Nothing installed and no collector: ``fleetspan run -- claude`` sees to both."""
    report = stage.root / "report.json"
    command = (sys.executable, "-m", "fleetspan_collector", "run")
    ended = stage.run(
        *_TREE, name="main", under=(*command, "--report", str(report), "--")
    )
    with stage.collector() as collector:
        outcome = _outcome(stage, collector, ended)
    return outcome | {"report": json.loads(report.read_bytes())}


def bare(stage: Stage) -> dict[str, Any]:
    """A client that nothing was installed for."""
    return {"client": _of(stage.run(*_TREE, name="main"))}


def spool_files(stage: Stage) -> list[Path]:
    """Return the hooks that have not been sent yet."""
    folder = stage.home / ".local" / "state" / "fleetspan" / "hooks"
    return [
        path
        for path in folder.glob("*/*")
        if path.is_file() and not path.name.startswith(".")
    ]


def _spooled(stage: Stage) -> int:
    return len(spool_files(stage))


def _wait_for_hooks(stage: Stage, collector: Collector, processes: int = 1) -> None:
    """Return once no hook of the client is kept any more, and the last ones have come."""
    ends = "Event = 'SessionEnd'"

    def arrived() -> bool:
        return not spool_files(stage) and (
            collector.count("claude_hooks", ends) >= processes
        )

    poll(arrived, "all hooks have arrived")
    collector.settle()


def _wait_for_lines(stage: Stage, collector: Collector) -> None:
    """Return once every line of every transcript has been followed."""
    question = (
        "SELECT toUInt32(uniqExact(Path, Offset)) AS n"
        " FROM otel.claude_transcript_lines"
    )

    def arrived() -> bool:
        files = [path for path in stage.projects.rglob("agent-*") if path.is_file()]
        files += stage.projects.glob("*/*.jsonl")
        lines = sum(len(path.read_bytes().splitlines()) for path in files)
        return collector.sql(question) == [{"n": lines}]

    poll(arrived, "all lines have arrived")
    collector.settle()


def _outcome(stage: Stage, collector: Collector, ended: Ended) -> dict[str, Any]:
    collector.settle()
    tables = {table: collector.sql(f"SELECT * FROM otel.{table}") for table in _TABLES}
    status, _, body = collector.request("web", "GET", f"/api/v1/runs/{SESSION}")
    assert status == 200, body
    raw = {
        feed: collector.count(table)
        for feed, table in (
            ("spans", "otel_traces"),
            ("events", "otel_logs"),
            ("hooks", "claude_hooks"),
            ("lines", "claude_transcript_lines"),
        )
    }
    hooks = collector.sql(
        "SELECT Event, toUInt32(count()) AS n FROM otel.claude_hooks GROUP BY Event"
    )
    return {
        "expected": stage.expected(),
        "tables": tables,
        "shown": json.loads(body),
        "raw": raw,
        "hooks": {row["Event"]: row["n"] for row in hooks},
        "stopped": collector.stop(),
        "client": _of(ended),
    }


def _of(ended: Ended) -> dict[str, Any]:
    return {
        "code": ended.code,
        "seconds": ended.seconds,
        "stderr": ended.stderr,
        "results": ended.results,
    }


SCENARIOS: Final[dict[str, Callable[[Stage], dict[str, Any]]]] = {
    "tree": tree,
    "restart": restart,
    "absent": absent,
    "http": http,
    "followed": followed,
    "resume": resume,
    "under_run": under_run,
    "bare": bare,
    **controlled.SCENARIOS,
}


def main() -> None:
    """Play the scenario that the arguments name."""
    name, root, client = sys.argv[1:]
    loopback.bring_up()
    with Stage(Path(root), Path(client)) as stage:
        outcome = SCENARIOS[name](stage)
    (Path(root) / "outcome.json").write_text(json.dumps(outcome, indent=1))


if __name__ == "__main__":
    main()
