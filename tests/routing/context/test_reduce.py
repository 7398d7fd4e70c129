"""Reduction on arrival: never longer, once only, recallable, and of each shape as it should."""

from __future__ import annotations

import json
import random
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleetspan_routing.context import MemoryStore, Settings, reduce, wanted_in
from fleetspan_routing.context.pointers import refs

SMALL: Final = Settings(
    cap_characters=400, code_characters=600, least_cut_characters=50
)

PYTEST: Final = (
    """\
============================= test session starts ==============================
platform linux -- Python 3.9.19, pytest-7.4.0, pluggy-1.3.0
rootdir: /testbed
configfile: setup.cfg
collected 260 items

"""
    + "".join(
        f"astropy/io/tests/test_qdp.py::test_case_{n} PASSED                      [{n:3}%]\n"
        for n in range(100)
    )
    + """\
=================================== FAILURES ===================================
_______________________________ test_roundtrip _________________________________
    def test_roundtrip(tmp_path):
>       assert read(tmp_path / "x.qdp")["a"][0] == 1
E       ValueError: Unrecognized QDP line: read serr 1 2
astropy/io/ascii/qdp.py:78: ValueError
=========================== short test summary info ============================
FAILED astropy/io/tests/test_qdp.py::test_roundtrip - ValueError: Unrecognized
======================== 1 failed, 259 passed in 4.02s =========================
"""
)

GREP: Final = "".join(
    f"django/db/models/{name}.py:{line}:    value = self.get_prep_value({line})\n"
    for name in ("fields", "query", "lookups", "sql", "expressions")
    for line in range(100, 130)
)

TRACE: Final = (
    "starting up the worker, this takes a while\n" * 30
    + "Traceback (most recent call last):\n"
    + '  File "/testbed/app/main.py", line 12, in <module>\n    run()\n'
    + '  File "/testbed/app/run.py", line 7, in run\n    raise KeyError("shard")\n'
    + "KeyError: 'shard'\n"
    + "".join(
        f"shutting down part {n} of the worker, please wait\n" for n in "abcdefgh"
    )
)

ROWS: Final = [
    {"id": n, "name": f"user-{n}", "status": "error" if n == 50 else "ok", "ms": 1.50}
    for n in range(100)
]

LINES = st.lists(
    st.one_of(
        st.text(max_size=90),
        st.sampled_from(
            ["```", "Traceback (most recent call last):", "", "INFO tick 7"]
        ),
        st.sampled_from(
            ["a/b.py:12: x", "error: no such file", "def f(a):", "    return {"]
        ),
    ),
    max_size=60,
).map("\n".join)


def json_values() -> st.SearchStrategy[Any]:
    """Anything that JSON can have, long texts and many items among it."""
    leaves: st.SearchStrategy[Any] = st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.text(max_size=200)),
        st.floats(allow_nan=False, allow_infinity=False),
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=30)
            | st.dictionaries(st.text(max_size=8), inner, max_size=6)
        ),
        max_leaves=60,
    )


@settings(deadline=None, max_examples=40)
@given(text=LINES | json_values().map(json.dumps))
@example(text=PYTEST)
@example(text=GREP)
@example(text=TRACE)
def test_never_longer_once_only_and_recallable(text: str) -> None:
    """Whatever a text is: it shrinks or stays, reducing again changes nothing."""
    store = MemoryStore()
    made = reduce(text, SMALL, store)
    assert len(made.text) <= len(text)
    assert reduce(made.text, SMALL, store).text == made.text
    if made.ref:
        assert store.get(made.ref) == text
        assert made.ref in refs(made.text, store)
        assert len(made.text) <= len(text) - SMALL.least_cut_characters
    elif made.text != text:
        assert json.loads(made.text) == json.loads(text)


@settings(deadline=None, max_examples=40)
@given(value=json_values().filter(lambda value: isinstance(value, list | dict)))
@example(value=ROWS)
@example(value={"rows": ROWS, "next": None})
def test_json_stays_json(value: Any) -> None:
    """Also when it is cut; and what is left of an array is of its own items."""
    made = reduce(json.dumps(value), SMALL, MemoryStore())
    again = json.loads(made.text)
    assert type(again) is type(value)
    if isinstance(value, list):
        marks = [item for item in again if item not in value]
        assert made.ref or not marks


def test_an_array_keeps_both_ends_its_error_and_its_numbers() -> None:
    """Items are cut as a whole; objects stay among objects; 1.50 stays 1.50."""
    text = json.dumps(ROWS).replace("1.5", "1.50")
    made = reduce(text, SMALL, MemoryStore())
    kept = json.loads(made.text)
    assert kept[0] == ROWS[0]
    assert kept[-1] == ROWS[-1]
    assert ROWS[50] in kept
    assert all(isinstance(item, dict) for item in kept)
    assert "items: [... " in str(kept)
    assert '"ms": 1.50}' in made.text
    assert made.shape == "json"


def test_keys_that_are_there_twice_stay_twice() -> None:
    """What is not cut is as it was written."""
    text = '{"a": 1e400, "a": "' + "x" * 3_000 + '"}'
    made = reduce(text, SMALL, MemoryStore())
    assert made.text.startswith('{"a": 1e400, "a": "xxx')
    json.loads(made.text)


def test_a_log_is_folded_and_its_failure_stays() -> None:
    """Lines that repeat, numbers aside, go; the error, the place and the summary do not."""
    made = reduce(PYTEST, Settings(cap_characters=1_500, least_cut_characters=50))
    assert "test_case_0 PASSED" in made.text
    assert "test_case_50" not in made.text
    assert "test_case_99 PASSED" in made.text
    assert "E       ValueError: Unrecognized QDP line: read serr 1 2" in made.text
    assert "1 failed, 259 passed in 4.02s" in made.text
    assert made.shape == "lines"


def test_a_traceback_stays_whole() -> None:
    """All of it, wherever it is."""
    made = reduce(TRACE, SMALL)
    whole = TRACE[TRACE.index("Traceback") : TRACE.index("shutting")]
    assert whole in made.text
    assert len(made.text) < len(TRACE) / 2


def test_a_listing_keeps_a_hit_of_every_file() -> None:
    """The first hit of each file comes before the second of any."""
    made = reduce(GREP, Settings(cap_characters=900, least_cut_characters=50))
    for name in ("fields", "query", "lookups", "sql", "expressions"):
        assert f"django/db/models/{name}.py:" in made.text


def test_a_fence_is_kept_or_goes_as_a_whole() -> None:
    """No mark comes between its two ends."""
    fence = "```js\n" + "let value = compute(value);\n" * 12 + "```\n"
    words = "".join(
        f"Some words about step {n}, as people write.\n" for n in "abcdefghij"
    )
    made = reduce(f"{words}{fence}{words}", SMALL, MemoryStore())
    assert made.ref
    assert made.text.count("```") % 2 == 0
    assert fence in made.text or "```" not in made.text


def test_the_mark_says_how_much_and_how_to_get_it() -> None:
    """Characters, lines of the whole text, reference, the way, and names of what went."""
    lines = [f"value {word} is fine and well\n" for word in _words(80)]
    lines[40] = "the value is in src/deep/place_of_it.py\n"
    text = "<output>\n" + "".join(lines) + "</output>\n"
    store = MemoryStore()
    made = reduce(text, SMALL, store)
    mark = next(line for line in made.text.splitlines() if line.startswith("[... "))
    first, last = mark.split("(lines ")[1].split(")")[0].split("-")
    whole = text.splitlines(keepends=True)
    removed = "".join(whole[int(first) - 1 : int(last)])
    assert mark == (
        f"[... {len(removed):,} characters (lines {first}-{last}) kept as ref:{made.ref};"
        f' recall with recall("{made.ref}"); names: src/deep/place_of_it.py]'
    )
    assert made.text.startswith("<output>\n")
    assert made.text.endswith("</output>\n")
    assert made.text == text.replace(removed, mark + "\n")


def test_lines_about_the_task_stay() -> None:
    """By the pieces of the names that it has."""
    lines = [f"{word}/module_{word}.txt\n" for word in _words(200)]
    lines[100] = "deep/separability_matrix.txt\n"
    text = "".join(lines)
    wanted = wanted_in("please fix `separability_matrix` here")
    assert wanted == {"separability", "matrix"}
    small = Settings(cap_characters=400, names_characters=0, code_characters=600)
    assert lines[100] not in reduce(text, small).text
    assert lines[100] in reduce(text, small, wanted=wanted).text


def test_a_long_line_is_cut_inside() -> None:
    """As a minified file's."""
    text = "a" * 50_000 + "\n"
    made = reduce(text, SMALL)
    assert made.text.startswith("aaaa")
    assert made.text.endswith("aaaa\n")
    assert len(made.text) < 1_000


@pytest.mark.parametrize("length", [0, 1, 400])
def test_short_texts_are_not_looked_at(length: int) -> None:
    """Up to the cap."""
    made = reduce("x" * length, SMALL)
    assert (made.text, made.ref, made.shape) == ("x" * length, "", "short")


def test_a_reference_of_another_store_is_no_excuse() -> None:
    """A text that only looks reduced is reduced."""
    text = f"ref:0123abcd\n{PYTEST}"
    assert reduce(text, SMALL, MemoryStore()).ref


def _words(number: int) -> list[str]:
    chance = random.Random(7)
    return ["".join(chance.choices("bcdfghklmnprst", k=9)) for _ in range(number)]


def test_a_hint_may_have_braces() -> None:
    """As a tool call in JSON has; only the reference is filled in."""
    hint = 'recall {"ref": "{ref}"}'
    made = reduce(
        TRACE, Settings(cap_characters=400, code_characters=600, recall_hint=hint)
    )
    assert f'recall with recall {{"ref": "{made.ref}"}}' in made.text


def test_numbers_that_are_counted_through_are_no_names() -> None:
    """Ids that stand alone are; room is not spent on numbers of lines."""
    log = "\n".join(
        f"{n:05} worker-{n * 7919 % 97} did part {n * 104729 % 1009}"
        + " of 4711984" * (n == 300)
        for n in range(400)
    )
    made = reduce(log).text
    assert "of 4711984" in made
    assert "names: " not in made
