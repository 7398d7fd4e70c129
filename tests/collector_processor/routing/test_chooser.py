"""Which model a sub-agent gets, from what the store knows."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from fleetspan_collector.routing.chooser import Chooser
from fleetspan_routing.control.decision import Chosen
from fleetspan_routing.control.meter import Session
from fleetspan_routing.control.rules import Answer, Mode, ModelRule, Rules
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.fleet import agent, call, traces
from tests.collector_processor.running import poll

pytestmark = pytest.mark.integration

TIERS: Final = "tiers: {weak: {models: [haiku], up_to: 5}, strong: {models: [opus]}}"
EASY: Final = "fix the typo in the docs"
HARD: Final = "prove the deadlock cannot happen"


@pytest.fixture
def store(tmp_path: Path) -> Generator[Embedded]:
    """A store of its own."""
    with embedded(tmp_path / "store") as opened:
        yield opened


@contextlib.contextmanager
def choosing(store: Embedded, folder: Path, **given: Any) -> Iterator[Chooser]:
    """A chooser that has begun."""
    tiers = folder / "tiers.yaml"
    tiers.write_text(TIERS)
    rule = ModelRule(mode=Mode.ON, tiers=tiers, **given)
    chooser = Chooser(store.engine, rule, home=folder / "nobody")
    chooser.start()
    try:
        yield chooser
    finally:
        chooser.stop()


def choose(chooser: Chooser, description: str = "", cwd: str = "/repo") -> Chosen:
    """Choose for a sub-agent."""
    session = Session("s", time.time_ns())
    asked = {"subagent_type": "worker", "prompt": "do it", "description": description}
    chosen = chooser.choose(session, session.main, asked, cwd)
    assert chosen is not None
    return chosen


def write_outcomes(store: Embedded, rows: list[dict[str, Any]]) -> None:
    """Write agents with what they were asked, and outcomes of them."""
    started_ns = time.time_ns() - 3600 * 10**9
    spans = [
        agent(number, number, start_ns=started_ns, fleetspan__agent__task=row["Task"])
        for number, row in enumerate(rows, 1)
    ]
    store.take(traces(spans))
    known = {
        int(each["TraceId"], 16): each
        for each in store.rows("agents", columns="TraceId, RunId, AgentId, Bucket")
    }
    kept = [
        {
            **{name: known[number][name] for name in ("RunId", "AgentId", "Bucket")},
            "At": started_ns // 10**6 + number,
            "Workload": "claude-code",
            "Role": "worker",
            "Repository": "repo",
            "Verifier": "tests",
            "Applied": 1,
            "Version": 1,
            **{name: value for name, value in row.items() if name != "Task"},
        }
        for number, row in enumerate(rows, 1)
    ]
    lines = "\n".join(map(json.dumps, kept))
    store.engine.command(
        f"INSERT INTO otel.stored_outcomes ({', '.join(kept[0])}) FORMAT JSONEachRow\n{lines}"
    )


def by_chance(number: int) -> list[dict[str, Any]]:
    """Outcomes of which a coin chose the model: the weak one fails what is hard."""
    draw = random.Random(3)
    made = []
    for _ in range(number):
        weak, hard = draw.random() < 0.5, draw.random() < 0.5
        quality = 0.1 if weak and hard else 0.95
        made.append(
            {
                "Model": "claude-haiku-4-5" if weak else "claude-opus-4-7",
                "Chosen": "haiku" if weak else "opus",
                "Quality": float(draw.random() < quality),
                "CostUsd": 0.01 if weak else 0.1,
                "Propensity": 0.5,
                "Chances": {"haiku": 0.5, "opus": 0.5},
                "Task": f"{HARD if hard else EASY} {draw.randrange(1000)}",
            }
        )
    return made


def test_tiers_that_change_are_taken_over(
    store: Embedded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong ones leave those that were; where there were none, there may be later."""
    with choosing(store, tmp_path) as chooser:
        assert choose(chooser).model == "opus"
        tiers = tmp_path / "tiers.yaml"
        tiers.write_text("tiers: {strong: {models: [gpt-9]}}")
        poll(lambda: "'gpt-9'" in caplog.text, "that they cannot be used")
        assert choose(chooser).model == "opus"
        tiers.write_text("tiers: {strong: {models: [sonnet]}}")
        poll(lambda: choose(chooser).model == "sonnet", "the other tiers")
        other = tmp_path / "other.yaml"
        other.write_text("tiers: {strong: {models: [fable]}}")
        rule = ModelRule(mode=Mode.ON, tiers=other)
        chooser.take_rules(Rules(if_unreachable=Answer.ALLOW, models=rule))
        poll(lambda: choose(chooser).model == "fable", "the other file")
    assert caplog.text.count("tiers stay as they were") == 1


def test_without_tiers_nothing_is_chosen_until_there_are(
    store: Embedded, tmp_path: Path
) -> None:
    """Rules may come to have some while the collector runs."""
    chooser = Chooser(store.engine, ModelRule(), home=tmp_path / "nobody")
    chooser.start()
    try:
        session = Session("s", time.time_ns())
        assert chooser.choose(session, session.main, {"prompt": "x"}, "/") is None
        tiers = tmp_path / "tiers.yaml"
        tiers.write_text(TIERS)
        rule = ModelRule(mode=Mode.ON, tiers=tiers)
        chooser.take_rules(Rules(if_unreachable=Answer.ALLOW, models=rule))
        poll(lambda: chooser.choose(session, session.main, {}, "/") is not None, "one")
        assert choose(chooser).model == "opus"
    finally:
        chooser.stop()


@pytest.mark.slow
def test_texts_decide_once_that_was_seen_to_hold(
    store: Embedded, tmp_path: Path
) -> None:
    """The weak model has what is easy; a rule can keep texts out of it."""
    write_outcomes(store, by_chance(600))
    with choosing(store, tmp_path) as chooser:
        easy = [f"{EASY} {number}" for number in range(500, 550)]
        assert choose(chooser, easy[0]).model == "opus"
        poll(
            lambda: any(choose(chooser, text).model == "haiku" for text in easy),
            "texts to be judged",
        )
        (spared,) = {
            choose(chooser, text).reason
            for text in easy
            if choose(chooser, text).model == "haiku"
        }
        assert "held out" in spared
        hard = [choose(chooser, f"{HARD} {n}").model for n in range(500, 550)]
        assert hard.count("haiku") <= 5
        rule = ModelRule(
            mode=Mode.ON, tiers=tmp_path / "tiers.yaml", by_text=False, explore=0.5
        )
        chooser.take_rules(Rules(if_unreachable=Answer.ALLOW, models=rule))
        assert {choose(chooser, text).propensity for text in easy} == {0.5}


def test_a_provider_that_fails(store: Embedded, tmp_path: Path) -> None:
    """Its models are passed over while every call of the last minutes has failed."""
    recently = {"start_ns": time.time_ns() - 20 * 10**9, "failed": True}
    spans = [
        call(
            7,
            number,
            gen_ai__request__model="claude-opus-4-7",
            error__type="529",
            **recently,
        )
        for number in range(1, 5)
    ]
    store.take(traces(spans))
    with choosing(store, tmp_path) as chooser:
        poll(lambda: choose(chooser).model == "haiku", "the provider to be passed over")


def test_tools_of_the_agents_definition(store: Embedded, tmp_path: Path) -> None:
    """They are a part of what a task is, and kept with the choice."""
    agents = tmp_path / "project" / ".claude" / "agents"
    agents.mkdir(parents=True)
    (agents / "worker.md").write_text("---\nname: worker\ntools: Read, Bash\n---\n")
    with choosing(store, tmp_path) as chooser:
        assert choose(chooser, cwd=str(agents.parent.parent)).tools == "Bash,Read"
