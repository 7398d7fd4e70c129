"""Source code that comes out: it parses, whatever was cut."""

from __future__ import annotations

import ast
import json
import re
import sysconfig
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleetspan_routing.context import MemoryStore, Settings, reduce

STDLIB: Final = Path(sysconfig.get_path("stdlib"))
FILES: Final = sorted(
    path for path in STDLIB.glob("*.py") if path.stat().st_size > 3_000
)
DEFINES: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def code_room(characters: int) -> Settings:
    """Settings that cut code to so many characters."""
    return Settings(cap_characters=200, code_characters=characters)


@settings(deadline=None, max_examples=30)
@given(path=st.sampled_from(FILES), room=st.integers(200, 30_000))
@example(path=STDLIB / "_compat_pickle.py", room=200)
def test_python_of_the_standard_library_still_parses(path: Path, room: int) -> None:
    """Bodies become ``...``: the same definitions are there, and the store has the file."""
    text = path.read_text("utf-8")
    store = MemoryStore()
    made = reduce(text, code_room(room), store)
    if made.shape != "code":
        return
    was, now = ast.parse(text), ast.parse(made.text)
    if not any(isinstance(node, DEFINES) for node in ast.walk(was)):
        # It has no bodies: whole statements are gone.
        left = [ast.dump(node) for node in was.body]
        assert all(ast.dump(node) in left for node in now.body)
        return
    assert [type(node) for node in now.body] == [type(node) for node in was.body]
    assert _top_names(now) == _top_names(was)
    assert len(made.text) <= len(text)
    assert reduce(made.text, code_room(room), store).text == made.text
    if made.ref:
        assert store.get(made.ref) == text


def test_most_of_the_standard_library_is_taken_for_code() -> None:
    """So that the property above says something."""
    shapes = [reduce(path.read_text("utf-8"), code_room(1_000)).shape for path in FILES]
    assert shapes.count("code") > 0.9 * len(shapes)


@settings(deadline=None, max_examples=30)
@given(path=st.sampled_from(FILES), room=st.integers(200, 8_000))
def test_python_with_line_numbers_parses_without_them(path: Path, room: int) -> None:
    """Numbers of lines that stay are those of the file."""
    lines = path.read_text("utf-8").split("\n")
    text = "".join(f"{n:6}\t{line}\n" for n, line in enumerate(lines, 1))
    made = reduce(text, code_room(room), MemoryStore())
    if made.shape != "code":
        return
    bare = []
    for line in made.text.splitlines():
        number = re.match(r" *(\d+)\t(.*)", line)
        if number:
            assert lines[int(number.group(1)) - 1].rstrip("\f") == number.group(
                2
            ).rstrip("\f")
        bare.append(number.group(2) if number else line)
    ast.parse("\n".join(bare))


def test_a_part_of_a_file_is_cut_between_its_functions() -> None:
    """What ``sed -n`` shows: the torn function at either end stays as it is."""
    lines = Path(json.__file__).with_name("encoder.py").read_text("utf-8").split("\n")
    part = "\n".join(lines[190:300])
    with pytest.raises(SyntaxError):
        ast.parse(part)
    made = reduce(part, code_room(1_000), MemoryStore())
    assert made.shape == "code"
    assert made.text.startswith("\n".join(lines[190:198]))
    for line in made.text.split("\n"):
        assert line in lines or line.lstrip().startswith("...  # [... ")


def test_a_body_goes_and_its_signature_stays() -> None:
    """With a mark that is a comment; what matters to the task goes last."""
    functions = "".join(
        f"def {name}(one: int,\n        two: int = 2) -> int:\n"
        + f'    """Say what {name} is."""\n'
        + "".join(f"    {name}_{n} = one + {n} * two\n" for n in range(20))
        + f"    return {name}_3\n\n\n"
        for name in ("first", "separable", "third")
    )
    made = reduce(functions, code_room(1_300), MemoryStore(), frozenset({"separable"}))
    assert "separable_19 = one + 19 * two" in made.text
    assert "first_19" not in made.text
    assert re.search(
        r"two: int = 2\) -> int:\n    \.\.\.  # \[\.\.\. [\d,]+ characters kept as ref:",
        made.text,
    )
    ast.parse(made.text)


GO: Final = 'package main\n\nimport "fmt"\n\n' + "".join(
    f"func part{n}(a int) int {{\n"
    + f"\tfmt.Println(a + {n})\n" * 12
    + "\treturn a\n}\n\n"
    for n in range(12)
)


def test_other_languages_lose_whole_blocks_only() -> None:
    """Brackets stay balanced, and each function is there whole or not at all."""
    made = reduce(GO, code_room(1_500), MemoryStore())
    assert made.ref
    assert made.text.count("{") == made.text.count("}") > 0
    for block in made.text.strip().split("\n\n"):
        code = [line for line in block.split("\n") if not line.startswith("// [... ")]
        assert not code or "\n".join(code) in GO


def test_code_that_cannot_be_cut_stays_whole() -> None:
    """One block, however long."""
    text = "int main(void) {\n" + "    call(value, 7);\n" * 500 + "}\n"
    made = reduce(text, code_room(1_000), MemoryStore())
    assert (made.text, made.shape) == (text, "code")


def test_a_diff_is_cut_between_hunks() -> None:
    """Each hunk is there whole or not at all."""
    hunks = [
        f"@@ -{n},6 +{n},7 @@\n context\n" + f"-old line {n}\n+new line {n}\n" * 10
        for n in range(1, 30)
    ]
    text = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n" + "".join(hunks)
    made = reduce(text, code_room(1_500), MemoryStore())
    assert made.ref
    rest = made.text
    for hunk in hunks:
        rest = rest.replace(hunk, "")
    assert "old line" not in rest


def _top_names(tree: ast.Module) -> list[str]:
    return [getattr(node, "name", "") for node in tree.body]
