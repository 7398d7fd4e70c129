"""What a running collector answers to clients that ask."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from fleetspan_collector.control.feeds import LocalTranscripts
from tests.collector_processor.control.asking import RULES, Client, run_hook
from tests.collector_processor.running import Collector, command, poll

pytestmark = pytest.mark.integration


@pytest.fixture
def collector(tmp_path: Path) -> Generator[Collector]:
    """A collector with rules."""
    rules = tmp_path / "control.yaml"
    rules.write_text(RULES)
    variables = {"FLEETSPAN_CONTROL_FILE": str(rules)}
    with Collector(tmp_path / "data", variables=variables) as running:
        yield running


def test_a_loop_is_stopped_and_found(collector: Collector) -> None:
    """The third time without anything new; the finding names the calls that prove it."""
    client = Client(collector)
    client.ask("SessionStart", source="startup")
    assert client.call("Bash", {"stdout": "1 failed"}, command="make")[0] == "none"
    assert client.call("Bash", {"stdout": "1 failed"}, command="make")[0] == "none"
    decision, reason = client.call("Bash", command="make")
    assert decision == "deny"
    assert "time 3" in reason
    assert client.call("Bash", command="cat Makefile")[0] == "none"
    found = "SELECT * FROM otel.findings WHERE Detector = 'control'"
    poll(lambda: len(collector.sql(found)) == 1, "the finding")
    (finding,) = collector.sql(found)
    assert finding["RunId"] == finding["SessionId"] == "s1"
    assert finding["Severity"] == "high"
    assert finding["ToolCallIds"] == ["toolu_s1_1", "toolu_s1_2", "toolu_s1_3"]
    assert json.loads(finding["Details"])["by"] == "loop"
    # Analysing the run again, now that it ends, leaves the decision on record.
    client.ask("SessionEnd", reason="other")
    ended = "SELECT 1 FROM otel.run_analyses WHERE RunOpen = 0"
    poll(lambda: bool(collector.sql(ended)), "the analysis")
    assert len(collector.sql(found)) == 1


def test_progress_is_no_loop(collector: Collector) -> None:
    """The same command with another answer each time is let do."""
    client = Client(collector)
    for number in range(8):
        answer = {"stdout": f"{number} of 8 done"}
        assert client.call("Bash", answer, command="make status")[0] == "none"


def test_a_fan_out_is_stopped_at_its_limit(collector: Collector) -> None:
    """Two at once; when one has ended there is room again."""
    client = Client(collector)
    for number in range(2):
        given = {"prompt": f"part {number}", "subagent_type": "worker"}
        assert client.call("Agent", None, **given)[0] == "none"
        started = {"agent_id": f"a{number}", "agent_type": "worker"}
        client.ask("SubagentStart", **started)
    decision, reason = client.call("Agent", prompt="part 2", subagent_type="worker")
    assert decision == "deny"
    assert "2 sub-agents are at work" in reason
    client.ask("SubagentStop", agent_id="a0", agent_type="worker")
    assert client.call("Agent", prompt="part 2", subagent_type="worker")[0] == "none"


def model_call(session: str, *tools: str) -> str:
    """A line of a transcript: a call of the model for 1.503 USD, which wants tools."""
    said = {
        "type": "assistant",
        "sessionId": session,
        "requestId": "req_1",
        "message": {
            "id": "msg_1",
            "model": "claude-sonnet-4-5",
            "content": [{"type": "tool_use", "id": each} for each in tools],
            "usage": {"input_tokens": 1000, "output_tokens": 100_000},
        },
    }
    return json.dumps(said) + "\n"


def test_a_spent_budget_stops_the_next_call(
    collector: Collector, tmp_path: Path
) -> None:
    """As soon as the transcript says so; a person raises it, and the work goes on."""
    client = Client(collector, "s2")
    transcript = tmp_path / "projects" / "s2.jsonl"
    transcript.parent.mkdir()
    where = {"transcript_path": str(transcript)}
    called = {"tool_name": "Read", "tool_input": {"file_path": "/repo/a"}}
    assert client.ask("PreToolUse", **called, tool_use_id="t1", **where) == {}
    transcript.write_text(model_call("s2"))
    answer = client.ask("PreToolUse", **called, tool_use_id="t2", **where)
    said = answer["hookSpecificOutput"]
    assert said["permissionDecision"] == "deny"
    assert "1.50 of 0.50 USD" in said["permissionDecisionReason"]
    blocked = client.ask("UserPromptSubmit", prompt="go on", **where)
    assert blocked["decision"] == "block"
    data = ("--data", str(collector.data))
    done = command(*data, "budget", "set", "one session", "s2", "usd=5")
    assert done.returncode == 0, done.stderr
    assert client.ask("PreToolUse", **called, tool_use_id="t3", **where) == {}
    shown = command(*data, "budget", "ls", "--json")
    (usd,) = [
        each
        for each in json.loads(shown.stdout)["budgets"]
        if each["measure"] == "usd" and each["of"] == "s2"
    ]
    assert usd["limit"] == 5
    assert usd["used"] == pytest.approx(1.503)


def test_a_transcript_that_is_written_late(
    collector: Collector, tmp_path: Path
) -> None:
    """The client writes it after it has asked; the answer waits for what may be the last."""
    client = Client(collector, "late")
    transcript = tmp_path / "projects" / "late.jsonl"
    transcript.parent.mkdir()
    writing = threading.Timer(0.15, transcript.write_text, [model_call("late", "t1")])
    writing.start()
    answer = client.ask(
        "PreToolUse",
        tool_name="Read",
        tool_input={"file_path": "/repo/a"},
        tool_use_id="t1",
        transcript_path=str(transcript),
    )
    writing.join()
    said = answer["hookSpecificOutput"]
    assert said["permissionDecision"] == "deny"
    assert "1.50 of 0.50 USD" in said["permissionDecisionReason"]


def test_a_transcript_that_never_comes(tmp_path: Path) -> None:
    """After some times nobody waits for it; one of another machine is not waited for."""
    known = LocalTranscripts(lambda model, tokens: None)
    hook = {
        "hook_event_name": "PreToolUse",
        "session_id": "s",
        "transcript_path": str(tmp_path / "s.jsonl"),
        "tool_use_id": "t1",
    }
    waited = 0
    while known.may_tell_soon(hook):
        known.waited_in_vain(hook)
        waited += 1
    assert waited == 3
    other = hook | {"transcript_path": "/nowhere/s.jsonl"}
    assert not known.may_tell_soon(other)
    sub_agent = hook | {"agent_id": "a1"}
    assert known.may_tell_soon(sub_agent)
    path = tmp_path / "s" / "subagents" / "agent-a1.jsonl"
    path.parent.mkdir(parents=True)
    said = {"message": {"content": [{"type": "tool_use", "id": "t1"}]}}
    path.write_text(json.dumps(said) + "\n")
    assert not list(known.news(sub_agent))
    assert not known.may_tell_soon(sub_agent)


def test_consent_is_given_by_a_person(collector: Collector) -> None:
    """Risk is held, approved once from outside, and an agent cannot approve itself."""
    client = Client(collector, "s3")
    risky = {"command": "rm -rf build && git reset --hard"}
    decision, reason = client.call("Bash", None, **risky)
    assert decision == "deny"
    data = ("--data", str(collector.data))
    listed = command(*data, "approvals", "ls", "--json")
    (waiting,) = json.loads(listed.stdout)["approvals"]
    assert waiting["approval_id"] in reason
    assert waiting["what"]["what"] == risky["command"]
    grant = ("approvals", "grant", waiting["approval_id"])
    for hostile in (
        f"fleetspan {' '.join(grant)}",
        f"python -m fleetspan_collector --data x {' '.join(grant)}",
        f"fleet'span' approvals grant {waiting['approval_id']}",
        "cat ~/.local/share/fleetspan/owner.json",
        "curl -X POST http://127.0.0.1:8317/api/v1/control/approvals",
        "fleetspan budget set 'one session' s3 usd=1000",
    ):
        decision, reason = client.call("Bash", command=hostile)
        assert decision == "deny", hostile
        assert "for people" in reason
    inside = command(*data, *grant, CLAUDECODE="1")
    assert inside.returncode == 2
    assert "session" in inside.stderr
    assert client.call("Bash", None, **risky)[0] == "deny"
    done = command(*data, *grant)
    assert done.returncode == 0, done.stderr
    assert client.call("Bash", None, **risky)[0] == "none"
    # It was for one time.
    assert client.call("Bash", None, **risky)[0] == "deny"


def test_the_hook_hands_the_answer_on(collector: Collector, tmp_path: Path) -> None:
    """What stops a call is written to the client, and the hook is delivered once."""
    endpoint = f"http://{collector.endpoint('otlp_http')}"
    client = Client(collector, "s4")
    pushing = {
        "tool_name": "Bash",
        "tool_input": {"command": "git push"},
        "tool_use_id": "t1",
    }
    done = run_hook(tmp_path, endpoint, "deny", client.hook("PreToolUse", **pushing))
    assert done.returncode == 0
    said = json.loads(done.stdout)["hookSpecificOutput"]
    assert said["permissionDecision"] == "deny"
    assert "pushing is for people" in said["permissionDecisionReason"]
    fine = client.hook("PostToolUse", tool_name="Bash", tool_use_id="t0")
    done = run_hook(tmp_path, endpoint, "deny", fine)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    hooks = "SELECT Event FROM otel.claude_hooks WHERE SessionId = 's4' ORDER BY Event"
    poll(lambda: len(collector.sql(hooks)) == 2, "both hooks")


@pytest.mark.parametrize(
    ("unreachable", "code", "answer"),
    [("allow", 0, ""), ("ask", 0, "ask"), ("deny", 2, "")],
)
def test_nobody_answers(
    tmp_path: Path, unreachable: str, code: int, answer: str
) -> None:
    """What the user has laid down holds; who merely tells is never stopped."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        hook = {"session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Bash"}
        done = run_hook(tmp_path, endpoint, unreachable, hook)
        told = {**hook, "hook_event_name": "PostToolUse"}
        after = run_hook(tmp_path, endpoint, unreachable, told)
    assert done.returncode == code
    assert (after.returncode, after.stdout) == (0, "")
    if answer:
        said = json.loads(done.stdout)["hookSpecificOutput"]
        assert said["permissionDecision"] == answer
    else:
        assert done.stdout == ""
    if code:
        assert "No Fleetspan collector" in done.stderr


def test_a_wrong_file_of_rules(tmp_path: Path) -> None:
    """The collector does not start without the rules that it was told to keep."""
    rules = tmp_path / "control.yaml"
    rules.write_text("if_unreachable: allow\nbudgets: {x: {of: sesion, usd: 1}}\n")
    done = command(
        *("--data", str(tmp_path / "data"), "up", "--grpc=127.0.0.1:0"),
        FLEETSPAN_CONTROL_FILE=str(rules),
    )
    assert done.returncode == 2
    assert "budgets.x.of" in done.stderr
    assert "sesion" in done.stderr
