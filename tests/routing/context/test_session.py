"""A conversation that is kept short: never dearer, nothing lost for good."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_routing.context import (
    ContextError,
    Message,
    Prices,
    Session,
    Settings,
    as_long_again,
    from_past_runs,
)
from fleetspan_routing.context.pointers import refs

PRICES: Final = Prices(input_usd=2.0, output_usd=12.0)
KEEN: Final = Settings(
    cap_characters=1_500,
    least_evicted_tokens=0,
    margin=0,
    in_use_names=0,
    keep_last=1,
)


def conversation(outputs: Sequence[str]) -> list[Message]:
    """A task, and for each output a message of the assistant's before it."""
    made = [Message(role="user", content="please fix `separability_matrix` here")]
    for number, output in enumerate(outputs):
        made.append(Message(role="assistant", content=f"I look at part {number}."))
        made.append(Message(role="tool", content=output, name="bash"))
    return made


def prose(lines: int, seed: int) -> str:
    """Lines of letters, none like another."""
    chance = random.Random(seed)
    letters = "abcdefghiklmnoprstu"
    rows = ("".join(chance.choices(letters, k=40)) for _ in range(lines))
    return "".join(f"{row} {row[::-1]}\n" for row in rows)


def replayed(session: Session, messages: Sequence[Message]) -> list[list[Message]]:
    """The prompt of each call, one before each message of the assistant's."""
    calls = [at for at, each in enumerate(messages) if each.role == "assistant"]
    return [session.prompt(messages[:at]) for at in calls]


OUTPUT = st.builds(prose, st.integers(0, 120), st.integers(0, 3)) | st.text(max_size=90)


@settings(deadline=None, max_examples=60)
@given(
    outputs=st.lists(OUTPUT, max_size=14),
    read=st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]),
    write=st.sampled_from([1.0, 1.25, 2.0]),
    stake=st.sampled_from([0.0, 0.5, 1.0]),
    foreseen=st.floats(0, 200),
    idle=st.integers(0, 3),
)
def test_never_dearer_whenever_it_ends(
    outputs: list[str],
    read: float,
    write: float,
    stake: float,
    foreseen: float,
    idle: int,
) -> None:
    """After every call: fewer tokens and less money than without, by the cost model."""
    session = Session(
        prices=replace(PRICES, cached_read=read, cached_write=write),
        settings=replace(KEEN, stake=stake),
        forecast=lambda done: foreseen,
    )
    messages = conversation(outputs)
    for number in range(1, len(messages), 2):
        idle_s = 1_000.0 if number % 4 < idle else 1.0
        sent = session.prompt(messages[:number], idle_s=idle_s)
        report = session.report()
        assert report.usd <= report.raw_usd * (1 + 1e-9)
        assert report.input_tokens <= report.raw_input_tokens * (1 + 1e-9)
        for was, now in zip(messages[:number], sent, strict=True):
            assert len(now.content) <= len(was.content)
            if now.content != was.content:
                assert was.role == "tool"
                found = refs(now.content, session.store)
                assert session.store.get(found[0]) == was.content


def test_the_ledger_counts_what_is_sent() -> None:
    """Tokens and cost are those of the prompts themselves, cache and all."""
    session = Session(prices=PRICES, settings=KEEN)
    prompts = replayed(session, conversation([prose(60, n) for n in range(30)]))
    tokens = usd = 0.0
    before: list[Message] = []
    for sent in prompts:
        same = 0
        while same < len(before) and before[same] == sent[same]:
            same += 1
        sizes = [len(each.content) / 4 for each in sent]
        tokens += sum(sizes)
        usd += (sum(sizes[same:]) + 0.1 * sum(sizes[:same])) * 2e-6
        before = sent
    report = session.report()
    assert report.evictions > 1
    assert report.input_tokens == pytest.approx(tokens)
    assert report.usd == pytest.approx(usd)
    assert report.usd < 0.9 * report.raw_usd


def test_what_was_sent_stays_between_evictions() -> None:
    """Each prompt begins as the one before, so that the cache goes on matching."""
    session = Session(prices=PRICES, settings=replace(KEEN, least_evicted_tokens=1_000))
    messages = conversation([prose(60, n) for n in range(30)])
    broken = 0
    before: list[Message] = []
    for sent in replayed(session, messages):
        broken += sent[: len(before)] != before
        before = sent
    assert broken == session.report().evictions
    assert 0 < broken < 10


def test_an_output_that_is_there_is_pointed_to() -> None:
    """While it is there; once it is evicted, the same output is sent again."""
    text = prose(15, 1)
    session = Session(prices=PRICES, settings=replace(KEEN, evict=False))
    sent = session.prompt(conversation([text, "short", text]))
    assert sent[2].content == text
    assert sent[6].content.startswith("[... the same 1,230 characters as 4 messages")
    assert session.report().repeats == 1


def test_an_output_that_is_gone_is_sent_again() -> None:
    """As it was run again for a reason."""
    text = prose(15, 1)
    eager = Session(prices=PRICES, settings=KEEN)
    messages = conversation([text, *(prose(60, n) for n in range(2, 12))])
    prompts = replayed(eager, messages)
    assert prompts[-1][2].content.startswith("[... bash: 1,230 characters kept as ref:")
    again = conversation([text, *(prose(60, n) for n in range(2, 12)), text])
    assert eager.prompt(again)[-1].content == text


def test_a_recall_is_exact_counted_and_not_cut_again() -> None:
    """Its call is one that raw would not have had, so that it is charged to us alone."""
    session = Session(prices=PRICES)
    text = prose(200, 1)
    messages = conversation([text])
    cut = session.prompt(messages)[-1].content
    before = session.report()
    assert len(cut) < len(text) / 5
    (ref,) = refs(cut, session.store)
    assert session.recall(f"ref:{ref}") == text
    assert session.recall(ref, 2, 3) == "".join(text.splitlines(keepends=True)[1:3])
    messages.append(Message(role="assistant", content=f'recall("{ref}")'))
    messages.append(Message(role="tool", content=session.recall(ref)))
    sent = session.prompt(messages)
    after = session.report()
    assert sent[-1].content == text
    assert after.recalls == 3
    assert after.raw_usd == before.raw_usd
    assert after.usd > before.usd
    assert after.calls == before.calls + 1


def test_nothing_is_at_stake_before_anything_is_saved() -> None:
    """Outputs that are too short to be cut save nothing: what loses is not evicted."""
    messages = conversation([prose(15, n) for n in range(12)])
    shy = Session(prices=PRICES, settings=KEEN)
    replayed(shy, messages)
    assert shy.report().evictions == 0
    # Without a cache it costs nothing.
    free = Session(prices=replace(PRICES, cached_read=1.0), settings=KEEN)
    replayed(free, messages)
    assert free.report().evictions > 0


def test_a_cold_cache_is_a_chance() -> None:
    """After a pause everything is written anew anyway."""
    messages = conversation([prose(15, n) for n in range(12)])
    session = Session(prices=PRICES, settings=KEEN)
    session.prompt(messages[:-2], idle_s=0.0)
    assert session.report().evictions == 1
    warm, cold = (Session(prices=PRICES, settings=KEEN) for _ in range(2))
    for each, idle_s in ((warm, 10.0), (cold, 400.0)):
        replayed(each, messages)
        each.prompt(messages, idle_s=idle_s)
    assert warm.report().evictions == 0
    assert cold.report().evictions == 1


def test_the_window_forces_evictions() -> None:
    """Also those that do not pay."""
    messages = conversation([f"some_name\n{prose(15, n)}" for n in range(12)])
    messages = [
        replace(each, content="some_name") if each.role == "assistant" else each
        for each in messages
    ]
    session = Session(
        prices=PRICES,
        # What is in use goes, too: everything is, by its names.
        settings=replace(KEEN, window_tokens=2_000, window_share=0.5, in_use_names=1),
    )
    prompts = replayed(session, messages)
    assert session.report().forced > 0
    assert max(sum(len(m.content) for m in sent) / 4 for sent in prompts) < 1_500


def test_outputs_in_use_stay() -> None:
    """Those that share names with what was said last."""
    text = prose(12, 1) + "see first_name, second_name and third_name\n"
    outputs = [text, *(prose(60, n) for n in range(2, 20))]
    messages = conversation(outputs)
    spare = replace(KEEN, in_use_names=3, in_use_steps=1)
    for said, stays in (
        ("nothing", False),
        ("first_name second_name third_name", True),
    ):
        given = [
            replace(each, content=said) if each.role == "assistant" else each
            for each in messages
        ]
        sent = replayed(Session(prices=PRICES, settings=spare), given)[-1]
        assert (sent[2].content == text) is stays


def test_names_of_what_is_evicted_stay() -> None:
    """Those that are nowhere else."""
    text = prose(12, 1) + "see src/only_here.py and separability_matrix\n"
    messages = conversation([text, *(prose(60, n) for n in range(2, 20))])
    sent = replayed(Session(prices=PRICES, settings=KEEN), messages)[-1]
    assert sent[2].content.endswith("; names: src/only_here.py]")


def test_a_rewritten_conversation_starts_over_from_there() -> None:
    """What is the same before it stays as it was sent."""
    session = Session(prices=PRICES)
    messages = conversation([prose(200, 1), prose(200, 2), "end"])
    first = session.prompt(messages)
    changed = [*messages[:4], replace(messages[4], content="other"), messages[5]]
    again = session.prompt(changed)
    assert again[:4] == first[:4]
    assert again[4].content == "other"
    assert session.report().usd < session.report().raw_usd


def test_tokens_that_are_known_are_scaled() -> None:
    """By characters; others are counted by them."""
    text = prose(100, 1)
    for tokens, characters in ((None, 4.0), (len(text) / 2, 2.0)):
        session = Session(prices=PRICES)
        sent = session.prompt([Message(role="tool", content=text, tokens=tokens)])
        expected = len(sent[0].content) / characters
        assert session.report().input_tokens == pytest.approx(expected)
        assert session.report().raw_input_tokens == len(text) / characters


def test_a_report_says_tokens_and_cost() -> None:
    """In one line, always both."""
    session = Session(prices=PRICES)
    assert str(session.report()).startswith(
        "0 calls: 0 input tokens (all of 0), $0.0000"
    )
    session.prompt(conversation([prose(200, 1)]))
    line = str(session.report())
    assert "input tokens (" in line
    assert "cache counted); 1 outputs cut" in line


def test_a_cut_has_to_be_worth_its_recall() -> None:
    """What is sure to be wanted back is not cut."""
    messages = conversation([prose(200, 1)])
    sure = Session(prices=PRICES, settings=Settings(recall_rate=1.0))
    assert sure.prompt(messages) == messages


class TestForecasts:
    """How many calls are still to come."""

    def test_without_past_runs(self) -> None:
        """As many as there were, five at least."""
        assert [as_long_again(done) for done in (0, 3, 40)] == [5, 5, 40]

    def test_from_past_runs(self) -> None:
        """The mean of what was left to those that got as far."""
        forecast = from_past_runs([10, 20, 30])
        assert [forecast(done) for done in (0, 10, 25, 30)] == [20, 15, 5, 1]

    @pytest.mark.parametrize("lengths", [[], [3, 0]])
    def test_no_past_runs(self, lengths: list[int]) -> None:
        """Are refused."""
        with pytest.raises(ContextError, match="cannot foretell anything"):
            from_past_runs(lengths)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cap_characters": 10},
        {"code_characters": 0},
        {"least_cut_characters": -1},
        {"names_characters": -1},
        {"names_share": 1.5},
        {"keep_last": -1},
        {"in_use_names": -1},
        {"in_use_steps": 0},
        {"least_evicted_tokens": -1},
        {"margin": -1},
        {"stake": 1.1},
        {"recall_rate": 2},
        {"recall_tokens": -1},
        {"recall_hint": "recall it"},
        {"characters_per_token": 0},
        {"window_tokens": 0},
        {"window_share": 0},
        {"cache_ttl_s": float("nan")},
        {"evict": "yes"},
    ],
)
def test_wrong_settings_are_said(wrong: dict[str, Any]) -> None:
    """With the name, the value, and what is expected."""
    (name,) = wrong
    with pytest.raises(ContextError, match=name) as caught:
        Settings(**wrong)
    assert repr(wrong[name]) in str(caught.value)
    assert "\n  because: " in str(caught.value)
    assert "\n  try: " in str(caught.value)


def test_every_setting_has_a_wrong_value_above() -> None:
    """So that none is forgotten."""
    mark = test_wrong_settings_are_said.pytestmark[0]
    assert {name for wrong in mark.args[1] for name in wrong} == {
        each.name for each in fields(Settings)
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_usd": 0},
        {"output_usd": -1},
        {"cached_read": 1.2},
        {"cached_write": 0.5},
        {"input_usd": "3"},
    ],
)
def test_wrong_prices_are_said(wrong: dict[str, Any]) -> None:
    """The same for prices."""
    (name,) = wrong
    with pytest.raises(ContextError, match=name):
        Prices(**{"input_usd": 1.0, "output_usd": 1.0, **wrong})


def test_a_margin_makes_evictions_rarer() -> None:
    """They have to save that many times what they cost at once."""
    messages = conversation([prose(60, n) for n in range(30)])
    counts = []
    for margin in (0.0, 3.0, 1_000.0):
        session = Session(prices=PRICES, settings=replace(KEEN, margin=margin))
        replayed(session, messages)
        counts.append(session.report().evictions)
    assert counts[0] > counts[1] > counts[2] == 0
