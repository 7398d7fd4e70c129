"""The benchmark of contexts: its counting, by hand, and that it goes on without data."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import pytest

from fleetspan_routing.context import Message, Settings
from tests.benchmarks import _public_tasks as public
from tests.benchmarks._context_policies import cap, clear, drop_identical, mask, session
from tests.benchmarks._context_replay import (
    Conversation,
    conversation,
    conversations,
    recalling,
    replay,
)
from tests.benchmarks.context import main, taken_by
from tests.faults import loading


def run_of(outputs: list[str], commands: list[str]) -> Conversation:
    """A run whose messages have a token for each character."""
    texts = [("system", "s" * 10), ("user", "t" * 10)]
    for number, command in enumerate(commands):
        texts.append(("assistant", command))
        texts += [("tool", output) for output in outputs[number : number + 1]]
    messages = [
        Message(role=role, content=text, tokens=float(len(text)))
        for role, text in texts
    ]
    calls = [at for at, (role, _) in enumerate(texts) if role == "assistant"]
    return Conversation(
        name="by-hand",
        messages=messages,
        calls=calls,
        commands=commands,
        output_tokens=7.0,
    )


def test_tokens_and_cost_by_hand() -> None:
    """What two prompts have in common is cached, the rest is not."""
    taken = replay(run_of(["x" * 100], ["look", "done"]), list)
    assert (taken.calls, taken.tokens, taken.fresh) == (2, 20 + 124, 20 + 104)
    assert taken.cost(0.1) == 124 + 0.1 * 20 + 6 * 7


def test_a_prompt_that_changes_is_cached_up_to_there() -> None:
    """To the character."""
    run = run_of(["x" * 100, "y" * 100], ["look", "more", "done"])
    kept = 10

    def policy(given: Any) -> Any:
        old = given[:3] + [Message(role="tool", content="x" * kept, tokens=100.0)] * (
            len(given) > 3
        )
        return old + given[4:] if len(given) > 5 else given

    taken = replay(run, policy)
    assert taken.tokens == 20 + 124 + (20 + 4 + kept + 4 + 100)
    assert taken.fresh == 20 + 104 + (4 + 100)


@pytest.mark.parametrize(
    ("command", "lost", "words", "lines"),
    [
        ("cat some_name.py", 1, 1, 0),
        ("the middle of it", 0, 1, 0),
        ("sed 's/so = 'a b c' * 4/'", 0, 0, 0),
        ("    so = 'a b c' * 4", 0, 0, 1),
        ("known_name", 0, 0, 0),
        ("ls never_read", 0, 0, 0),
    ],
)
def test_a_step_is_lost_by_what_it_uses(
    command: str, lost: int, words: int, lines: int
) -> None:
    """Only what was read, and is in no message that is still sent."""
    output = (
        "known_name "
        + "a" * 30
        + "\nsome_name.py\n    so = 'a b c' * 4\nmiddle\n"
        + "b" * 40
    )
    run = run_of([output], ["known_name", command])
    taken = replay(run, cap(70))
    assert (taken.lost, taken.words, taken.lines) == (lost, words, lines)
    assert replay(run, list).lost == 0


def test_the_other_policies() -> None:
    """Each removes what its name says."""
    run = run_of([c * 100 for c in "aabcdef"], ["x"] * 8)
    given = run.messages[:-1]

    def left(policy: Any) -> str:
        policy(given[:4])
        texts = [m.content for m in policy(given) if m.role == "tool"]
        return "".join(text[0] if len(text) > 50 else "." for text in texts)

    assert left(drop_identical()) == "a.bcdef"
    assert left(mask(3)) == "....def"
    assert left(mask(2, 3)) == "...cdef"
    assert left(clear(4, 300)) == "...cdef"
    assert left(clear(4, 3_000)) == "aabcdef"
    assert left(cap(10)) == "......."


def test_what_is_lost_is_recalled_and_paid_for() -> None:
    """In a call more, that reads the whole context."""
    lines = "".join(f"plain words {chr(97 + n % 26) * 9}\n" for n in range(300))
    output = f"{lines}some_name.py\n{lines}"
    run = run_of([output], ["look", "cat some_name.py"])
    shy = Settings(names_characters=0)
    without = replay(run, session(shy, 0.1).prompt)
    taken = recalling(run, session(shy, 0.1))
    assert (without.lost, taken.lost) == (1, 0)
    assert (without.calls, taken.calls) == (2, 3)
    assert taken.written == 7 + shy.recall_tokens
    assert taken.tokens > without.tokens + len(output)


def test_real_runs_are_never_dearer() -> None:
    """Those in the repository, at all three prices; and the two countings agree."""
    for run in list(conversations(loading.OWN))[:4]:
        taken = taken_by(run)
        raw = taken["raw", None]
        assert raw.lost == raw.words == raw.lines == 0
        for price in (0.1, 0.25, 0.5):
            assert taken["ours", price].cost(price) <= raw.cost(price)
            ours = session(Settings(), price)
            counted = replay(run, ours.prompt)
            report = ours.report()
            assert report.raw_input_tokens == pytest.approx(raw.tokens)
            assert report.input_tokens == pytest.approx(counted.tokens, rel=1e-6)
            # A message that changes in its middle is cached up to there.
            usd = 2e-6 * (counted.fresh + price * (counted.tokens - counted.fresh))
            assert report.usd == pytest.approx(usd, rel=0.02)


def test_tokens_come_from_the_counts_of_calls() -> None:
    """A prompt's own, shared out by characters; a count that cannot be is passed over."""
    run = {
        "instance_id": "x",
        "messages": [
            {"role": "system", "content": "s" * 20},
            {"role": "user", "content": "u" * 20},
            _said("a" * 30, prompt=10),
            {"role": "user", "content": "o" * 10},
            _said("b" * 10, prompt=30),
            {"role": "user", "content": "p" * 10},
            _said("c", prompt=31),
        ],
    }
    made = conversation(run)
    assert [each.role for each in made.messages][3] == "tool"
    tokens = [each.tokens for each in made.messages]
    assert tokens[:4] == [5, 5, 15, 5]
    assert tokens[4:6] == pytest.approx([3.1, 3.1])
    assert made.output_tokens == 3


def test_it_goes_on_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the runs in the repository, and says so; a folder that is given is used."""
    monkeypatch.delenv(public.VARIABLE, raising=False)
    with lzma.open(loading.OWN / "runs.jsonl.xz", "rt", encoding="utf-8") as lines:
        shortest = min(lines, key=len)
    (tmp_path / "own").mkdir()
    with lzma.open(tmp_path / "own" / "runs.jsonl.xz", "wt", encoding="utf-8") as file:
        file.write(shortest)
    monkeypatch.setenv(loading.VARIABLE, str(tmp_path / "own"))
    assert main([]) == 0
    assert "Passed over, not there: mini_swe_agent_runs." in capsys.readouterr().out
    (tmp_path / "own").rename(tmp_path / "mini_swe_agent_runs")
    assert main(["--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "1 runs, " in said
    assert "ours, told 10%" in said
    assert "Passed over" not in said


def _said(text: str, *, prompt: int) -> dict[str, Any]:
    used = {"prompt": prompt, "completion": 1}
    return {"role": "assistant", "content": text, "usage": used}
