"""Two phases of stored runs with planted changes, and a few findings."""

from __future__ import annotations

import random
from typing import Final

from tests.collector_processor.insights.stored import START_NS, Stored

HOUR_S: Final = 3600.0
BEFORE_NS: Final = START_NS
AFTER_NS: Final = START_NS + int(12 * HOUR_S * 1e9)
END_NS: Final = START_NS + int(24 * HOUR_S * 1e9)
RUNS: Final = 40
"""Runs of each phase: half research, half tickets."""


def planted_fleet(seed: int, *, planted: bool = True) -> Stored:
    """Make two phases; the later one's searches take 40 % longer, its tickets cost 30 % more.

    And a tool of the tickets fails in one of four calls, with an error that is new.
    """
    rng = random.Random(seed)
    rows = Stored()
    for number in range(2 * RUNS):
        later = number >= RUNS
        at = (12 * HOUR_S if later else 0.0) + number % RUNS * 900
        research = number % 2 == 0
        changed = planted and later
        search_s = [rng.gauss(2, 0.2) for _ in range(4)]
        usd = rng.gauss(0.1, 0.005)
        if changed and research:
            search_s = [each * 1.4 for each in search_s]
        if changed and not research:
            usd *= 1.3
        fails = changed and not research and number % 4 == 1
        _add_run(
            rows, f"run-{number:03}", at, search_s, usd, research=research, fails=fails
        )
    return rows


def _add_run(
    rows: Stored,
    run_id: str,
    at: float,
    tool_s: list[float],
    usd: float,
    *,
    research: bool,
    fails: bool,
) -> None:
    name, agent = ("research", "searcher") if research else ("ticket", "clerk")
    tool = "web_search" if research else "find_customer"
    wall = sum(tool_s) + 20
    rows.run(
        run_id,
        at=at,
        seconds=wall,
        Name=name,
        Project="shop" if research else "help",
        LlmCalls=4,
        ToolCalls=4,
        Errors=int(fails),
        CostUsd=usd,
        InputTokens=round(usd * 50_000),
        CacheReadTokens=5_000,
        CacheWriteTokens=0,
        OutputTokens=400,
    )
    rows.agent(
        run_id, f"{run_id}-a", at=at, seconds=wall, Name=f"{agent}-{run_id[-2:]}"
    )
    moment = at
    for place, seconds in enumerate(tool_s):
        failed = {"Success": 0, "Error": "SchemaError"} if fails and place == 0 else {}
        rows.tool(run_id, f"{run_id}-a", tool, at=moment, seconds=seconds, **failed)
        moment += seconds
        rows.call(
            run_id,
            f"{run_id}-a",
            at=moment,
            seconds=5.0,
            CostUsd=usd / 4,
            InputTokens=round(usd * 50_000 / 4),
            CacheReadTokens=1_250,
        )
        moment += 5
    rows.analysis(
        run_id,
        at=at,
        WallSeconds=wall,
        ModelSeconds=20.0,
        ToolSeconds=wall - 20,
        PermissionSeconds=0.0,
        QueueSeconds=0.0,
        BackoffSeconds=0.0,
        SubagentSeconds=0.0,
        GapSeconds=0.0,
        BusySeconds=wall,
        SavedSeconds=0.0,
        SavedUsd=0.0,
    )
