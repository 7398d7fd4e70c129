"""``findings``, ``explain`` and ``review`` over an embedded store."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.cli import _run
from fleetspan_collector.cli._phases import earlier_span
from fleetspan_collector.insights.findings import FindingRow
from fleetspan_collector.insights.phase import Span
from tests.collector_processor.embedded import Embedded
from tests.collector_processor.insights.planted_fleet import planted_fleet
from tests.collector_processor.insights.provider import openai_answer
from tests.collector_processor.insights.stored import Stored, empty

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("over_store", "rows")]

PHASE = ("--since", "2026-09-22T02:13:20Z", "--until", "2026-09-22T14:13:20Z")


class Command:
    """The command in this process, for a terminal of some width."""

    def __init__(
        self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._capfd = capfd
        self._monkeypatch = monkeypatch
        self.err = ""

    def __call__(self, *arguments: str, width: int = 120, code: int = 0) -> str:
        """Run it; return what it wrote to standard output."""
        self._monkeypatch.setenv("COLUMNS", str(width))
        assert _run.run(arguments) == code
        out, self.err = self._capfd.readouterr()
        return out

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run it with ``--json``; return its document."""
        document: dict[str, Any] = json.loads(self(*arguments, "--json"))
        return document


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Command:
    """The command, with no setting of the user."""
    for name in list(os.environ):
        if name.startswith(("FLEETSPAN_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLEETSPAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TZ", "UTC")
    return Command(capfd, monkeypatch)


@pytest.fixture(scope="module")
def rows(store: Embedded) -> Iterator[None]:
    """Two phases of runs, and six findings of them."""
    fleet: Stored = planted_fleet(1)
    more = {"AgentName": "searcher-40", "TraceId": "a" * 32, "SessionId": "session-1"}
    fleet.finding(
        "run-040",
        "f-high",
        at=43200.0,
        Severity="high",
        Seconds=12.5,
        Usd=0.02,
        SpanIds=["s1", "s2"],
        AgentIds=["run-040-a"],
        CallIds=["c1"],
        ToolCallIds=["t1"],
        details={"tool": "web_search", "times": 3},
        **more,
    )
    for number in range(4):
        fleet.finding(
            f"run-04{number}",
            f"f-{number}",
            at=43300.0 + number,
            Detector="broken_cache",
            Seconds=0.0,
            Usd=number / 100,
        )
    fleet.finding(
        "run-002", "f-old", at=1800.0, Severity="info", Seconds=None, Usd=None
    )
    fleet.write(store)
    yield
    empty(store)


class TestFindings:
    """``findings``."""

    def test_document(self, command):
        """Every finding, the gravest and dearest first, with every documented field."""
        document = command.json("findings")
        assert document["schema_version"] == 1
        found = document["findings"]
        assert [each["finding_id"] for each in found] == [
            *("f-high", "f-3", "f-2", "f-1", "f-0", "f-old"),
        ]
        assert found[0] == {
            "finding_id": "f-high",
            "detector": "straggler",
            "severity": "high",
            "run_id": "run-040",
            "run_name": "review",
            "trace_id": "a" * 32,
            "session_id": "session-1",
            "agent_id": None,
            "agent_name": "searcher-40",
            "span_ids": ["s1", "s2"],
            "agent_ids": ["run-040-a"],
            "call_ids": ["c1"],
            "tool_call_ids": ["t1"],
            "at": "2026-09-22T02:13:20.000000Z",
            "seconds": 12.5,
            "usd": 0.02,
            "what": "One of 4 took 30 s, the others 10 s.",
            "advice": "Split its task.",
            "details": {"tool": "web_search", "times": 3},
            "run_open": False,
        }
        assert list(found[0]) == list(FindingRow.__annotations__)
        assert (found[-1]["seconds"], found[-1]["usd"]) == (None, None)

    @pytest.mark.parametrize(
        ("options", "wanted"),
        [
            (("--severity", "HIGH"), ["f-high"]),
            (("--severity", "low"), ["f-high", "f-3", "f-2", "f-1", "f-0"]),
            (("--detector", "broken_cache", "--limit", "2"), ["f-3", "f-2"]),
            (
                ("--detector", "straggler", "--detector", "broken_cache"),
                ["f-high", "f-3", "f-2", "f-1", "f-0", "f-old"],
            ),
            (("--detector", "none'"), []),
            (("--run", "run-040"), ["f-high", "f-0"]),
            (("--since", "2026-09-22T02:15:02Z"), ["f-3", "f-2"]),
        ],
    )
    def test_chosen(self, command, options, wanted):
        """Options choose some, and the order stays."""
        found = command.json("findings", *options)["findings"]
        assert [each["finding_id"] for each in found] == wanted

    @pytest.mark.parametrize("width", [80, 120])
    def test_table(self, command, width):
        """People see what is the case and what to do, in lines no longer than theirs."""
        out = command("findings", width=width)
        assert max(map(len, out.splitlines())) <= width
        words = " ".join(out.split())
        assert "high" in words
        assert "straggler: One of 4 took 30 s" in words
        assert "→ Split its task." in words
        assert "12.5s" in words
        assert "$0.0200" in words

    def test_none(self, command):
        """Nothing found is said on standard error, and is no failure."""
        assert command("findings", "--severity", "critical") == ""
        assert command.err == "no findings\n"

    def test_wrong_severity(self, command):
        """A severity that is none is a mistake in the command line."""
        command("findings", "--severity", "bad", code=2)
        assert "expected one of info, low, medium, high, critical" in command.err

    def test_wrong_run(self, command):
        """So is a run that is not there."""
        command("findings", "--run", "nothing", code=2)
        assert command.err.startswith("error: there is no run 'nothing'")


class TestExplain:
    """``explain``."""

    def test_document(self, command):
        """Five lines, each with its topic, text and evidence."""
        document = command.json("explain", "run-040")
        assert document["schema_version"] == 1
        assert document["run_id"] == "run-040"
        assert document["analysed"] is True
        lines = document["lines"]
        assert [line["topic"] for line in lines] == [
            *("time", "cost", "failures", "saving", "next"),
        ]
        assert lines[3]["evidence"]["finding_ids"] == ["f-high"]
        assert lines[3]["evidence"]["span_ids"] == ["s1", "s2"]
        assert lines[4]["text"] == "Split its task."

    @pytest.mark.parametrize("width", [80, 120])
    def test_lines(self, command, width):
        """People see five topics, with ids below them."""
        out = command("explain", "run-040", width=width)
        assert max(map(len, out.splitlines())) <= width
        for topic in ("time", "cost", "went wrong", "best saving", "do next"):
            assert re.search(rf"^{topic} ", out, re.MULTILINE)
        assert "finding f-high" in out

    def test_no_such_run(self, command):
        """A run that is not there is a mistake in the command line."""
        command("explain", "nothing", code=2)


class TestShow:
    """``show``."""

    def test_findings(self, command):
        """The findings of a run are counted below it, with where to read on."""
        last = command("show", "run-040").splitlines()[-1]
        assert last == (
            "2 findings, the gravest high: straggler, broken_cache; "
            "fleetspan explain run-040"
        )

    def test_none(self, command):
        """A run without findings has no such line."""
        assert "finding" not in command("show", "run-050")


class TestReview:
    """``review``."""

    def test_document(self, command):
        """The phase, the one before it, savings, changes, and what to do."""
        document = command.json("review", *PHASE)
        assert document["schema_version"] == 1
        assert document["phase"]["figures"]["runs"] == 40
        # As long as the phase, right before it, unless said otherwise.
        assert document["against"]["since"] == "2026-09-21T14:13:20.000000Z"
        assert document["against"]["until"] == "2026-09-22T02:13:20.000000Z"
        own = [each for each in document["changes"] if each["because_of"] is None]
        assert {f"{each['dimension']} {each['subject']}" for each in own} == {
            *("tool web_search", "run ticket", "tool find_customer"),
        }
        assert document["narrative"] is None
        assert document["insights"][0]["priority"] == 1
        assert document["comparison"]["level"] == 0.05

    def test_against_none(self, command):
        """Without an earlier phase nothing is compared."""
        document = command.json("review", *PHASE, "--against", "none")
        assert (document["against"], document["changes"]) == (None, [])

    def test_sessions(self, command):
        """Sessions limit the phase, not what it is held against."""
        document = command.json("review", *PHASE, "--session", "session-run-041")
        assert document["phase"]["figures"]["runs"] == 1
        assert document["against"]["figures"]["runs"] == 40

    @pytest.mark.parametrize("width", [80, 120])
    def test_page(self, command, width):
        """People see the page in lines no longer than theirs."""
        out = command("review", *PHASE, width=width)
        assert max(map(len, out.splitlines())) <= width
        for heading in ("Where the time went", "What to do", "What has changed since"):
            assert heading in out

    @pytest.mark.parametrize(
        ("name", "begins"),
        [
            ("review.html", "<!doctype html>"),
            ("review.md", "# Review, 2026-09-22 02:13"),
            ("review.json", '{\n  "schema_version": 1'),
            ("review.txt", "# Review"),
        ],
    )
    def test_file(self, command, tmp_path, name, begins):
        """The name of a file says which form it has."""
        path = tmp_path / name
        assert command("review", *PHASE, "--to", str(path)) == ""
        assert path.read_text().startswith(begins)
        assert command.err == f"written to {path}\n"

    def test_paragraph(self, command, provider, monkeypatch, tmp_path, caplog):
        """A model's paragraph is in every form, escaped, and marked as not ours."""
        provider.body = openai_answer("Searches are <b>slower</b>.")
        monkeypatch.setenv("MY_KEY", "sk-1")
        caplog.set_level("DEBUG")
        url = provider.url("/v1/chat/completions")
        asked = ("--narrate", url, "--model", "m-1", "--key-from", "MY_KEY")
        page = tmp_path / "review.html"
        command("review", *PHASE, *asked, "--to", str(page))
        html = page.read_text()
        assert "<p>Searches are &lt;b&gt;slower&lt;/b&gt;.</p>" in html
        assert "This paragraph was written by m-1" in html
        document = command.json("review", *PHASE, *asked)
        assert document["narrative"] == {
            "model": "m-1",
            "text": "Searches are <b>slower</b>.",
        }
        assert [headers["authorization"] for _, headers, _ in provider.asked] == [
            *("Bearer sk-1", "Bearer sk-1"),
        ]
        assert "sk-1" not in html + json.dumps(document) + caplog.text + command.err

    def test_model_that_is_not_there(self, command, caplog):
        """A model that does not answer is a warning, and the review is whole."""
        asked = ("--narrate", "http://127.0.0.1:9/v1/messages", "--model", "m")
        out = command("review", *PHASE, *asked, "--format", "markdown")
        assert "the model m wrote nothing" in caplog.text
        assert "## What to do" in out

    @pytest.mark.parametrize(
        ("options", "because"),
        [
            (("--since", "2026-09-22", "--until", "2026-09-20"), "is not before"),
            ((*PHASE, "--against", "2026-09-20..2026-09-01"), "not before its end"),
            ((*PHASE, "--against", "soon"), "expected an age"),
            ((*PHASE, "--format", "pdf"), "expected one of"),
            ((*PHASE, "--format", "html", "--json"), "--json is a format"),
            ((*PHASE, "--narrate", "http://127.0.0.1:9/v1/messages"), "needs --model"),
            ((*PHASE, "--narrate", "nowhere", "--model", "m"), "no http"),
        ],
    )
    def test_mistakes(self, command, options, because):
        """What cannot be meant is refused before anything is read."""
        command("review", *options, code=2)
        assert because in command.err


class TestAgainst:
    """``--against``, in Unix seconds."""

    SPAN = Span(since_ns=1_000_000 * 10**9, until_ns=1_003_600 * 10**9, sessions=("s",))

    @pytest.mark.parametrize(
        ("text", "since_s", "until_s"),
        [
            (None, 996_400, 1_000_000),
            ("2h", 992_800, 1_000_000),
            ("1970-01-02T00:00:00Z..1970-01-03T00:00:00Z", 86_400, 172_800),
            ("1970-01-02T00:00:00Z..", 86_400, 1_000_000),
        ],
    )
    def test_bounds(self, text, since_s, until_s):
        """As long before the phase, an age before it, or from A until B."""
        span = earlier_span(text, self.SPAN)
        assert span == Span(since_ns=since_s * 10**9, until_ns=until_s * 10**9)

    def test_none(self):
        """``none`` is no comparison."""
        assert earlier_span("none", self.SPAN) is None
