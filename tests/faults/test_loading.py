from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.captured import load
from tests.faults.layout import run_of, usd
from tests.faults.loading import OWN, mini_swe, plan_of

_USAGE = {"prompt": 100, "completion": 50, "cached": 40, "reasoning": 20, "cost": 0.1}


def _message(created: int, command: str, **usage: int) -> dict[str, object]:
    return {
        "role": "assistant",
        "content": f"THOUGHT: why\n\n```bash\n{command}\n```",
        "created": created,
        "usage": _USAGE | usage,
        "provider": "Google",
    }


def _said(text: str) -> dict[str, object]:
    return {"role": "user", "content": text}


_RUN = {
    "instance_id": "one",
    "model": "google/gemini-3-pro-preview",
    "messages": [
        {"role": "system", "content": "You are"},
        _said("Fix it"),
        _message(1_000, "ls"),
        _said("<returncode>0</returncode>\n<output>\na\n</output>"),
        _message(1_010, "make", completion=300),
        _said("<returncode>2</returncode>\n<output>\n</output>"),
        _message(1_012, "ls", completion=500),
        _said("Please always provide EXACTLY ONE action in triple backticks"),
        _message(1_020, "ls"),
        _said("<returncode>0</returncode>\n<output>\na\n</output>"),
    ],
}


def test_time_is_split_between_model_and_command() -> None:
    """2 s and 10 ms a token are the model's; the rest, 0.05 s at least, the command's."""
    run = run_of(plan_of(_RUN))
    calls = run.llm_calls.floats("DurationMs").round(3).tolist()
    assert calls == [2500.0, 1950.0, 7000.0, 2500.0]
    assert run.tool_calls.floats("DurationMs").round(3).tolist() == [7500.0, 50.0, 50.0]


def test_tokens_commands_and_results() -> None:
    """Input is without cache; equal commands and results have equal hashes; codes tell."""
    run = run_of(plan_of(_RUN))
    assert run.llm_calls.integers("InputTokens").tolist() == [60, 60, 60, 60]
    assert run.llm_calls.integers("CacheReadTokens").tolist() == [40, 40, 40, 40]
    assert run.llm_calls.integers("OutputTokens").tolist() == [50, 300, 500, 50]
    first, second, third = run.tool_calls.strings("ArgumentsHash").tolist()
    assert (first == third, first == second) == (True, False)
    results = run.tool_calls.strings("ResultHash").tolist()
    assert results[0] == results[2] != results[1]
    assert run.tool_calls.table["Success"].to_pylist() == [1, 0, 1]
    assert run.tool_calls.strings("Error").tolist() == ["", "exit code 2", ""]
    assert run.agents.strings("Task").tolist() == ["Fix it"]


def test_the_runs_in_the_repository() -> None:
    """A dozen, with the costs that their provider billed, and nothing before its time."""
    runs = {plan.run_id: run_of(plan) for plan in mini_swe(OWN)}
    assert len(runs) == 12
    run = runs["django__django-15731"]
    assert run.llm_calls.count == 29
    assert run.tool_calls.count == 29
    assert usd(run) == pytest.approx(0.156516, abs=1e-6)
    assert run.facts.end_ns is not None
    wall_s = (run.facts.end_ns - run.facts.start_ns) / 1e9
    assert wall_s == pytest.approx(98.47)
    assert (OWN / "LICENSE.md").read_text("utf-8").startswith("MIT License")


@pytest.mark.integration
def test_captures_are_what_the_store_says(tmp_path: Path) -> None:
    """Each capture is one run, as long, as dear and as large as its canonical rows."""
    runs = {plan.name: run_of(plan) for plan in load(tmp_path)}
    assert {
        name: (run.agents.count, run.llm_calls.count, run.tool_calls.count)
        for name, run in runs.items()
    } == {
        "claude-code tree": (5, 17, 14),
        "claude-code default": (5, 17, 14),
        "claude-code sdk": (2, 5, 3),
        "claude-code five": (6, 12, 15),
        "claude-code background": (4, 11, 5),
        "claude-code message": (2, 8, 4),
    }
    tree = runs["claude-code tree"]
    assert usd(tree) == pytest.approx(0.2134252)
    assert tree.facts.end_ns is not None
    assert (tree.facts.end_ns - tree.facts.start_ns) / 1e9 == pytest.approx(
        16.822, abs=1e-3
    )
