"""``cost``: what was spent, by time and by anything else."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._blocks import Block, find_blocks
from fleetspan_collector.cli._cost_table import cost_table
from fleetspan_collector.cli._since import parse_since, parse_until
from fleetspan_collector.cli._spending import SUMS, Line, Spending, activity_of, group

TREE = Path(__file__).parents[1] / "claude_code" / "captures" / "tree" / "transcripts"
BERLIN = ZoneInfo("Europe/Berlin")
HOUR_NS = 3_600_000_000_000


def ns(text: str) -> int:
    """Return a time in UTC as Unix nanoseconds."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000) * 1_000_000


def spent(*calls: dict[str, Any]) -> Spending:
    """Return calls of one US dollar each, at the time ``at``; what is not given is unknown."""
    columns: dict[str, list[Any]] = {name: [] for name in SUMS}
    words = ("session", "run", "agent", "agent-name", "agent-type", "model", "project")
    columns |= {name: [] for name in (*words, "bin", "first", "last")}
    for call in calls:
        start = ns(call["at"])
        row = dict.fromkeys(columns) | dict.fromkeys(words, "")
        row |= {"calls": 1, "unpriced": 0, "cost": 1.0} | call
        row |= {"first": start, "last": start, "bin": start // (HOUR_NS // 4) * 900}
        for name, values in columns.items():
            values.append(row[name])
    whole = (*SUMS, "bin", "first", "last")
    floats = ("cost", "reported", "difference", "theirs")
    types = {name: pa.int64() for name in whole} | dict.fromkeys(floats, pa.float64())
    rows = pa.table(
        {
            name: pa.array(values, types.get(name, pa.string()))
            for name, values in columns.items()
        }
    )
    return Spending(rows=rows, activity=activity_of(rows))


def calls_by(lines: Sequence[Line], *names: str) -> list[tuple[Any, ...]]:
    """Return labels and the number of calls of each line."""
    return [
        (*(line.labels[name] for name in names), line.amounts["calls"])
        for line in lines
    ]


class TestTimes:
    """Days, weeks and months in a time zone."""

    def test_a_day_of_25_hours(self) -> None:
        """Berlin's 25 October 2026 lasts from 22:00 UTC to 23:00 UTC of the next day."""
        hours = ("24T21:45", "24T22:00", "25T00:30", "25T01:30", "25T22:59", "25T23:00")
        calls = spent(*({"at": f"2026-10-{hour}"} for hour in hours))
        lines, _ = group(calls, ["day"], BERLIN)
        assert calls_by(lines, "day") == [
            ("2026-10-24", 1),
            ("2026-10-25", 4),
            ("2026-10-26", 1),
        ]

    def test_a_zone_of_a_quarter_hour(self) -> None:
        """In Kathmandu, 5:45 ahead, the day begins at 18:15 UTC."""
        calls = spent({"at": "2026-10-24T18:14"}, {"at": "2026-10-24T18:15"})
        lines, _ = group(calls, ["day"], ZoneInfo("Asia/Kathmandu"))
        assert calls_by(lines, "day") == [("2026-10-24", 1), ("2026-10-25", 1)]

    def test_the_machines_own_zone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a zone, days are those of the clock on the wall."""
        calls = spent({"at": "2026-10-25T22:30"}, {"at": "2026-10-25T23:30"})
        try:
            with monkeypatch.context() as changed:
                changed.setenv("TZ", "Europe/Berlin")
                time.tzset()
                lines, _ = group(calls, ["day"], None)
        finally:
            time.tzset()
        assert calls_by(lines, "day") == [("2026-10-25", 1), ("2026-10-26", 1)]

    def test_weeks_begin_on_monday(self) -> None:
        """Sunday ends a week; a week has the name of its Monday, in another year too."""
        days = ("2026-11-22", "2026-11-23", "2027-01-03", "2027-01-04")
        lines, _ = group(spent(*({"at": day} for day in days)), ["week"], UTC)
        assert calls_by(lines, "week") == [
            ("2026-11-16", 1),
            ("2026-11-23", 1),
            ("2026-12-28", 1),
            ("2027-01-04", 1),
        ]

    def test_months(self) -> None:
        """A month begins at its first midnight."""
        calls = spent({"at": "2026-10-31T22:59"}, {"at": "2026-10-31T23:00"})
        lines, _ = group(calls, ["month"], BERLIN)
        assert calls_by(lines, "month") == [("2026-10", 1), ("2026-11", 1)]


class TestBlocks:
    """The client's five hours."""

    @pytest.mark.parametrize(
        ("calls", "starts"),
        [
            # The full hour of the first call, and what comes before five hours after it.
            (["10:55", "15:54"][:1], ["10:00"]),
            (["10:55", "14:59"], ["10:00"]),
            (["10:55", "15:00"], ["10:00", "15:00"]),
            # Blocks do not follow each other without a gap.
            (["10:55", "15:30", "20:10"], ["10:00", "15:00", "20:00"]),
            (["10:00", "14:30", "17:30", "19:59"], ["10:00", "17:00"]),
            (["00:10", "23:10"], ["00:00", "23:00"]),
        ],
    )
    def test_starts(self, calls: list[str], starts: list[str]) -> None:
        """A call five hours after its block began, or later, begins another one."""
        times = np.array([ns(f"2026-11-20T{at}") for at in calls])
        blocks = find_blocks(times, times)
        assert [block.start for block in blocks] == [
            ns(f"2026-11-20T{at}") for at in starts
        ]

    def test_blocks_are_those_of_all_activity(self) -> None:
        """A part of the calls is counted in the blocks that all of them make."""
        calls = spent(
            {"at": "2026-11-20T08:10"},
            {"at": "2026-11-20T12:30", "model": "a"},
            {"at": "2026-11-20T13:30", "model": "a"},
        )
        part = Spending(rows=calls.rows.slice(1), activity=calls.activity)
        lines, totals = group(part, ["block", "model"], UTC)
        assert calls_by(lines, "block", "model") == [
            ("2026-11-20T08:00:00.000000Z", "a", 1),
            ("2026-11-20T13:00:00.000000Z", "a", 1),
        ]
        assert totals["calls"] == 2

    def test_rate_and_projection(self) -> None:
        """3 USD in two hours are 1.50 an hour, and 6 by the end of the block at 13:00."""
        first, now = ns("2026-11-20T09:00"), ns("2026-11-20T11:00")
        block = Block(ns("2026-11-20T08:00"), first, ns("2026-11-20T10:00"))
        assert block.is_active(now)
        assert block.rate_and_projection(3.0, now) == (1.5, 6.0)
        assert block.rate_and_projection(None, now) == (None, None)
        assert block.rate_and_projection(3.0, block.end) == (None, None)


class TestSums:
    """What is added up, and what stays unknown."""

    def test_unknown_is_not_zero(self) -> None:
        """A sum over calls that do not know is unknown; else it is of those that do."""
        calls = spent(
            {"at": "2026-11-20", "model": "a", "cost": None, "unpriced": 1},
            {"at": "2026-11-20", "model": "b", "input": 5},
            {"at": "2026-11-20", "model": "b", "cost": None, "unpriced": 1},
        )
        lines, totals = group(calls, ["model"], UTC)
        found = {line.labels["model"]: line.amounts for line in lines}
        assert (found["a"]["cost_usd"], found["a"]["input_tokens"]) == (None, None)
        assert (found["b"]["cost_usd"], found["b"]["unpriced_calls"]) == (1.0, 1)
        assert (found["b"]["input_tokens"], found["b"]["output_tokens"]) == (5, None)
        assert (totals["cost_usd"], totals["unpriced_calls"]) == (1.0, 2)

    def test_difference(self) -> None:
        """Ours less theirs, of the calls that have both; the rest does not blur it."""
        both = {"reported": 0.8, "difference": 0.2, "theirs": 0.8}
        calls = spent(
            {"at": "2026-11-20", **both},
            {"at": "2026-11-20"},
            {"at": "2026-11-20", "cost": None, "reported": 7.0},
        )
        _, totals = group(calls, ["day"], UTC)
        assert totals["reported_cost_usd"] == pytest.approx(7.8)
        assert totals["difference_usd"] == pytest.approx(0.2)
        assert totals["difference_ratio"] == pytest.approx(0.25)

    def test_order(self) -> None:
        """Times ascend; anything else goes by what it cost, whatever the order of calls."""
        calls = spent(
            {"at": "2026-11-21", "model": "cheap", "cost": 1.0},
            {"at": "2026-11-20", "model": "cheap", "cost": 1.0},
            {"at": "2026-11-20", "model": "dear", "cost": 9.0},
        )
        lines, _ = group(calls, ["day", "model"], UTC)
        assert calls_by(lines, "day", "model") == [
            ("2026-11-20", "dear", 1),
            ("2026-11-20", "cheap", 1),
            ("2026-11-21", "cheap", 1),
        ]

    def test_no_calls(self) -> None:
        """Nothing was spent."""
        lines, totals = group(spent(), ["day"], UTC)
        assert (lines, totals["calls"], totals["cost_usd"]) == ([], 0, None)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
@pytest.mark.parametrize("by", [["day"], ["session", "model"], ["block", "agent"]])
def test_the_table_fits(width: int, by: list[str]) -> None:
    """No line is wider than the terminal; the cost is always there, and never cut."""
    from rich.console import Console

    known = {"input": 123_456, "output": 98_765, "cache_read": 12_345_678, "calls": 950}
    writes = {"cache_write": 999, "cache_write_5m": 900, "cache_write_1h": 0}
    theirs = {"reported": 1999.0, "difference": 900.0, "theirs": 1999.0, "unpriced": 3}
    calls = spent(
        {
            "at": "2026-11-20T10:30",
            "session": "0f8fad5b-d9cb-469f-a165-70867728950e",
            "agent": "ac46cd40969fcf2ba",
            "agent-type": "general-purpose",
            "model": "claude-opus-5-5-with-a-long-name",
            "cost": 12_345.67,
            **known,
            **writes,
            **theirs,
        }
    )
    lines, totals = group(calls, by, UTC)
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(cost_table(lines, totals, by, UTC, width))
    shown = captured.get().splitlines()
    assert max(len(line.rstrip()) for line in shown) <= width
    assert all("$12,345.67+?" in line for line in shown[-2:])
    assert shown[-1].startswith("total")
    if by == ["day"] and width >= 80:
        assert "reported" in shown[1]
        assert shown[1].split().count("read") == 1


class TestBounds:
    """``--since`` and ``--until``."""

    def test_dates_are_of_the_zone(self) -> None:
        """A date begins at midnight of the zone, and belongs to --until whole."""
        assert parse_since("2026-10-25", zone=BERLIN) == datetime(
            2026, 10, 24, 22, tzinfo=UTC
        )
        assert parse_until("2026-10-25", zone=BERLIN) == datetime(
            2026, 10, 25, 23, tzinfo=UTC
        )
        assert parse_until("2026-10-25T12:00", zone=BERLIN) == datetime(
            2026, 10, 25, 11, tzinfo=UTC
        )
        assert parse_until(None) is None

    def test_what_cannot_be_used_names_its_option(self) -> None:
        """The error is about what was given."""
        with pytest.raises(UsageError) as caught:
            parse_until("soon")
        assert caught.value.error == "--until cannot be used"


class TestTranscripts:
    """Straight from transcripts, with no collector, no store and no setting."""

    @pytest.mark.integration
    def test_the_captured_tree(self, command: Any, tmp_path: Path) -> None:
        """17 calls of 5 agents cost what the client says: 0.2134252 USD."""
        done = command("cost", "--transcripts", str(TREE), "--by", "agent", "--json")
        document = json.loads(done.out)
        totals = document["totals"]
        assert document["schema_version"] == 1
        assert totals["cost_usd"] == pytest.approx(0.2134252, abs=1e-9)
        assert {name: totals[name] for name in totals if name.endswith("tokens")} == {
            "input_tokens": 336,
            "output_tokens": 1866,
            "cache_read_tokens": 340_166,
            "cache_write_tokens": 17_166,
            "cache_write_5m_tokens": 10_200,
            "cache_write_1h_tokens": 6_966,
        }
        first = document["rows"][0]
        assert (first["agent_type"], first["calls"]) == ("main", 7)
        assert first["input_tokens"] == 147
        assert sorted(row["agent_type"] for row in document["rows"]) == [
            "code-scout",
            "general-purpose",
            "general-purpose",
            "general-purpose",
            "main",
        ]
        assert done.err.startswith("from 5 transcripts in ")
        assert document["source"]["kind"] == "transcripts"
        assert not (tmp_path / "data").exists()

    @pytest.mark.integration
    def test_without_a_store_it_reads_the_clients_folder(
        self, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No option is needed; bounds and several groupings hold for transcripts too."""
        folder = tmp_path / "claude"
        folder.mkdir()
        (folder / "projects").symlink_to(TREE)
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(folder))
        done = command("cost", "--by", "day,model", "--json", "--timezone", "UTC")
        (row,) = json.loads(done.out)["rows"]
        assert (row["day"], row["model"]) == ("2026-11-22", "claude-opus-5-5")
        assert row["cost_usd"] == pytest.approx(0.2134252, abs=1e-9)
        none = command("cost", "--json", "--until", "2026-11-21")
        assert json.loads(none.out)["rows"] == []
        assert not (tmp_path / "data").exists()

    @pytest.mark.integration
    def test_own_prices_hold_for_transcripts(
        self, command: Any, tmp_path: Path
    ) -> None:
        """The same price book as for what is stored: 336 tokens of a dollar each."""
        file = tmp_path / "prices.toml"
        file.write_text(
            '[models."claude-opus-5-5"]\ninput = 1_000_000\ncache_read = 0\n'
            "cache_write_5m = 0\ncache_write_1h = 0\n"
        )
        setting = f"price_override_file={file}"
        done = command("cost", "--transcripts", str(TREE), "--json", "--set", setting)
        document = json.loads(done.out)
        assert document["totals"]["cost_usd"] == pytest.approx(336)
        assert " + own " in document["price_version"]

    def test_nothing_to_read(
        self, command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Without transcripts either, the answer says what to try."""
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "nowhere"))
        done = command("cost")
        assert done.code == 2
        assert "try: fleetspan up" in done.err

    @pytest.mark.parametrize(
        "arguments",
        [("--by", "year"), ("--timezone", "Mars/Olympus"), ("some/path",)],
    )
    def test_what_cannot_be_used(
        self, command: Any, arguments: tuple[str, ...]
    ) -> None:
        """A grouping or a zone that there is not, and a path without --transcripts."""
        done = command("cost", *arguments)
        assert (done.code, done.out) == (2, "")
        assert "try: fleetspan cost" in done.err or "--timezone" in done.err
