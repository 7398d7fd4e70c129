"""Outcomes come from whoever says anything of them, and the best word counts."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

import fleetspan
from fleetspan_collector.control.records import submission_of
from fleetspan_collector.routing.memory import Names
from fleetspan_routing.control.decision import Chosen, Decision
from fleetspan_routing.tiers import parse
from tests.collector_processor.control.asking import Client
from tests.collector_processor.fleet import agent as span_of_agent
from tests.collector_processor.fleet import call as span_of_call
from tests.collector_processor.fleet import traces
from tests.collector_processor.running import Collector, command, poll

pytestmark = pytest.mark.integration

TIERS = """
tiers:
  weak: {models: [claude-haiku-4-5], up_to: 5}
  strong: {models: [claude-opus-4-7]}
"""

CHANCES = [
    {"model": model, "propensity": 0.5}
    for model in ("claude-haiku-4-5", "claude-opus-4-7")
]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Generator[Collector]:
    """A collector for all tests here."""
    with Collector(tmp_path_factory.mktemp("outcomes") / "data") as running:
        yield running


@pytest.fixture
def program(collector: Collector) -> Generator[None]:
    """The SDK sends to it."""
    endpoint = f"http://{collector.endpoint('otlp_http')}"
    fleetspan.configure(endpoint=endpoint, service_name="nightly")
    yield
    fleetspan.shutdown()


def outcomes(collector: Collector, role: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait for outcomes of a role."""
    question = f"SELECT * FROM otel.outcomes WHERE Role = '{role}' ORDER BY At"
    poll(lambda: len(collector.sql(question)) == count, f"{count} outcomes of {role}")
    return collector.sql(question)


@pytest.mark.usefixtures("program")
def test_the_programs_own_word_counts_most(collector: Collector) -> None:
    """Before validations and the mere end; the last of several."""
    tools = ("Read", "Bash", "Read")
    with fleetspan.agent("judge", type="judge", tools=tools) as agent:
        with fleetspan.llm("claude-haiku-4-5-20251001", provider="anthropic") as call:
            call.usage(input_tokens=1000, output_tokens=100)
        agent.outcome(0.2, verifier="draft")
        agent.outcome(0.7, verifier="reviewer")
        agent.validation("tests", "fail")
    fleetspan.flush()
    (row,) = outcomes(collector, "judge")
    assert (row["Quality"], row["Verifier"]) == (0.7, "reviewer")
    assert (row["Workload"], row["Tools"]) == ("nightly", "Bash,Read")
    assert row["Model"] == "claude-haiku-4-5-20251001"
    assert row["CostUsd"] == pytest.approx(0.0015)
    assert row["Tokens"] == 1100


def test_tools_that_another_instrumentation_names(collector: Collector) -> None:
    """With the definitions that it sends to the model, on the call or on the agent."""
    definitions = json.dumps(
        [
            {"type": "function", "function": {"name": "search"}},
            {"type": "function", "name": "fetch", "parameters": {}},
        ]
    )
    spans = [
        span_of_agent(0x900, 1, gen_ai__agent__name="finder"),
        span_of_call(0x900, 2, 1, gen_ai__tool__definitions=definitions),
    ]
    collector.post("traces", traces(spans).SerializeToString())
    (row,) = outcomes(collector, "finder")
    assert row["Tools"] == "fetch,search"


@pytest.mark.usefixtures("program")
def test_a_validation_counts_before_the_end(collector: Collector) -> None:
    """And an agent of which nobody says anything has only ended, well or not."""
    for name, verdict in (("checked", "warning"), ("silent", ""), ("failing", "")):
        try:
            with fleetspan.agent(name, type=name) as agent:
                with fleetspan.llm("claude-opus-4-7", provider="anthropic") as call:
                    call.usage(input_tokens=10, output_tokens=1)
                if verdict:
                    agent.validation("review", verdict)
                if name == "failing":
                    raise RuntimeError("no")
        except RuntimeError:
            pass
    fleetspan.flush()
    found = {
        name: outcomes(collector, name)[0] for name in ("checked", "silent", "failing")
    }
    assert {name: (row["Quality"], row["Verifier"]) for name, row in found.items()} == {
        "checked": (0.5, "review"),
        "silent": (1.0, "status"),
        "failing": (0.0, "status"),
    }


def test_the_exit_code_of_tests(collector: Collector) -> None:
    """Of a client's session: the last run of tests is what became of it."""
    client = Client(collector, "tested")
    client.ask("SessionStart", source="startup")
    line = {
        "type": "assistant",
        "sessionId": "tested",
        "requestId": "req_1",
        "uuid": "u1",
        "timestamp": "2026-11-27T05:00:00.000Z",
        "message": {
            "id": "msg_1",
            "role": "assistant",
            "model": "claude-haiku-4-5-20251001",
            "content": [],
            "usage": {"input_tokens": 1000, "output_tokens": 100},
        },
    }
    collector.request(
        *("otlp_http", "POST", "/v1/claude-code/transcripts"),
        json.dumps(line).encode(),
        content_type="application/x-ndjson",
        x_fleetspan_transcript_path="/x/tested.jsonl",
        x_fleetspan_transcript_offset="0",
    )
    client.call("Bash", {"stdout": "1 passed"}, command="cd x && pytest -q")
    given = {"tool_name": "Bash", "tool_input": {"command": "npm test"}}
    client.ask("PreToolUse", **given, tool_use_id="t9")
    client.ask("PostToolUseFailure", **given, tool_use_id="t9", error="Exit code 1")
    client.call("Bash", {"stdout": ""}, command="echo pytest")
    client.ask("SessionEnd", reason="other")
    question = "SELECT * FROM otel.outcomes WHERE SessionId = 'tested'"
    poll(lambda: bool(collector.sql(question)), "the outcome")
    (row,) = collector.sql(question)
    assert (row["Quality"], row["Verifier"]) == (0.0, "tests")


@pytest.mark.usefixtures("program")
def test_route_goes_by_outcomes(collector: Collector, tmp_path: Path) -> None:
    """The strongest model, until enough is known of a cheaper one that is as good."""
    tiers = tmp_path / "tiers.yaml"
    tiers.write_text(TIERS)
    ask = ("--data", str(collector.data), "route")
    options = ("--tiers", str(tiers), "--role", "sorter", "--workload", "nightly")
    before = command(*ask, "pick", *options)
    assert before.stdout.strip() == "claude-opus-4-7", before.stderr
    # Enough, whatever other tests have left at the wider places.
    for number in range(240):
        model = "claude-opus-4-7" if number % 2 else "claude-haiku-4-5-20251001"
        with fleetspan.agent("sorter", type="sorter") as agent:
            with fleetspan.llm(model, provider="anthropic") as call:
                call.usage(input_tokens=1000, output_tokens=100)
            agent.outcome(1.0, verifier="schema")
    fleetspan.flush()
    outcomes(collector, "sorter", 240)
    after = command(*ask, "pick", *options)
    assert after.stdout.strip() == "claude-haiku-4-5", after.stderr
    explained = command(*ask, "explain", *options, "--task", "Sort the mail", "--json")
    document = json.loads(explained.stdout)
    cheap, strong = document["alternatives"]
    assert (cheap["model"], strong["model"]) == ("claude-haiku-4-5", "claude-opus-4-7")
    assert cheap["outcomes"] == pytest.approx(120, rel=0.01)
    assert cheap["cost_usd"] < strong["cost_usd"]
    shown = command(*ask, "explain", *options)
    assert "claude-opus-4-7" in shown.stdout


@pytest.mark.usefixtures("program")
def test_what_another_policy_would_have_got(
    collector: Collector, tmp_path: Path
) -> None:
    """From decisions with their chances: the policy beside what it has to beat."""
    tiers = tmp_path / "tiers.yaml"
    tiers.write_text(TIERS)
    drawn = random.Random(7)
    for number in range(300):
        cheap = drawn.random() < 0.5
        model = "claude-haiku-4-5" if cheap else "claude-opus-4-7"
        place = {"session": f"routed-{number}", "call": f"spawn-{number}"}
        decision = Decision(
            event="PreToolUse",
            session_id=place["session"],
            call_id=place["call"],
            chosen=Chosen(
                asked="",
                model=model,
                reason="drawn",
                propensity=0.5,
                tools="Bash,Read",
                applied=True,
                details={"alternatives": CHANCES},
            ),
            input={"model": model},
        )
        told = submission_of(decision, "", time.time_ns())
        collector.post("logs", told.payload)
        with fleetspan.agent(
            "router-made",
            type="router-made",
            session=place["session"],
            spawn_tool_call_id=place["call"],
        ) as agent:
            with fleetspan.llm(model, provider="anthropic") as call:
                call.usage(input_tokens=1000, output_tokens=100)
            agent.outcome(float(drawn.random() < (0.9 if cheap else 0.92)), "schema")
    fleetspan.flush()
    rows = outcomes(collector, "router-made", 300)
    assert {row["Propensity"] for row in rows} == {0.5}
    assert {row["Tools"] for row in rows} == {"Bash,Read"}
    assert rows[0]["Chances"] == {each["model"]: 0.5 for each in CHANCES}
    ask = ("--data", str(collector.data), "route")
    options = ("--tiers", str(tiers), "--since", "1d", "--json")
    replayed = command(*ask, "replay", *options, "--target", "0.8")
    assert replayed.returncode == 0, replayed.stderr
    document = json.loads(replayed.stdout)
    assert document["decisions"] == 300
    assert document["shares"] == {"claude-haiku-4-5": 1.0}
    assert document["cost_usd"]["value"] == pytest.approx(0.0015, rel=0.01)
    assert document["cost_usd"]["value"] < document["was"]["cost_usd"]
    low, high = (document["quality"][key] for key in ("low", "high"))
    assert low < 0.9 < high
    reported = command(*ask, "report", *options, "--target", "0.8")
    assert reported.returncode == 0, reported.stderr
    lines = json.loads(reported.stdout)
    assert lines["always_strong"]["shares"] == {"claude-opus-4-7": 1.0}
    assert (
        lines["policy"]["cost_usd"]["value"] < lines["random"]["cost_usd"]["value"] + 1
    )
    shown = command(*ask, "report", *options[:-1], "--target", "0.8")
    assert "always the strongest" in shown.stdout
    nothing = command(*ask, "replay", "--tiers", str(tiers), "--since", "0s")
    assert nothing.returncode == 1
    assert "no decision is logged" in nothing.stderr


def test_wrong_ways_to_ask(collector: Collector, tmp_path: Path) -> None:
    """A model that is not there, tiers that cannot be read, and nobody left."""
    tiers = tmp_path / "tiers.yaml"
    tiers.write_text(TIERS)
    ask = ("--data", str(collector.data), "route", "pick", "--tiers")
    unknown = command(*ask, str(tiers), "--failing", "gpt-9")
    assert unknown.returncode == 2
    assert "gpt-9" in unknown.stderr
    nobody = command(
        *(*ask, str(tiers), "--failing", "claude-haiku-4-5"),
        *("--failing", "claude-opus-4-7"),
    )
    assert nobody.returncode == 2
    assert "no model can be chosen" in nobody.stderr
    tiers.write_text("tiers: {weak: {model: [x]}}")
    wrong = command(*ask, str(tiers))
    assert wrong.returncode == 2
    assert "'model' is not known" in wrong.stderr


def test_names_of_models() -> None:
    """With or without a date or a provider; the client's short names, too."""
    full = Names(parse({"tiers": {"a": {"models": ["claude-haiku-4-5"]}}}))
    assert full.of("claude-haiku-4-5-20251001") == "claude-haiku-4-5"
    assert full.of("anthropic/claude-haiku-4-5") == "claude-haiku-4-5"
    assert full.of("claude-haiku-4-6") == "claude-haiku-4-6"
    short = Names(parse({"tiers": {"a": {"models": ["haiku", "opus"]}}}))
    assert short.of("claude-haiku-4-5-20251001") == "haiku"
    assert short.of("claude-opus-5-5") == "opus"
    assert short.of("gpt-5") == "gpt-5"
