"""Content that the SDK captures is redacted before it is a part of a span."""

from __future__ import annotations

import json

import fleetspan
from fleetspan._content import MAX_CONTENT_CHARS, readable
from fleetspan.testing import capture

TOKEN = "gh" + "p_" + "A1b2C3d4E5f6" * 3


def test_captured_content_is_without_secrets():
    """Arguments, results, messages, tasks and diffs are recorded without them."""
    with (
        capture(capture_content=True) as recorded,
        fleetspan.run("r"),
        fleetspan.agent("a", task=f"use {TOKEN}") as agent,
    ):
        with fleetspan.llm("m") as call:
            call.input([{"role": "user", "content": f"my key is {TOKEN}"}])
            call.output(f"thanks for {TOKEN}")
        with fleetspan.tool("t", arguments={"header": f"Bearer {TOKEN}"}) as tool:
            tool.result(f"password={TOKEN}")
        agent.outcome("done", result=TOKEN)
    written = repr(recorded.spans())
    assert TOKEN not in written
    assert written.count("[redacted:github-token:") == 6


def test_a_secret_at_the_cut_is_gone():
    """What is very long is cut after redaction, so that no half of a secret is left."""
    text = readable("x " * (MAX_CONTENT_CHARS // 2 - 10) + TOKEN + " y" * 50_000)
    assert TOKEN[:12] not in text
    assert "more characters]" in text


def test_json_of_captured_content_stays_json():
    """A marker stands inside of the string that the secret stood in."""
    text = readable({"password": 'a"b' + "c1" * 8, "n": 12})
    assert json.loads(text)["n"] == 12
    assert json.loads(text)["password"].startswith("[redacted:password:")
