"""Models and what they cost."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Board, Kind, Panel, stat
from fleetspan_dashboards.queries import (
    CALLS,
    INPUT,
    MODEL,
    NARROWED,
    OF_MODEL,
    UNPRICED,
)

_CALLS: Final = f"{CALLS} AND {OF_MODEL}"

MODEL_COST: Final = Board(
    name="model-cost",
    title="Fleetspan / Model and cost",
    description="What models are asked, how fast they answer, and what that costs.",
    choices=(*NARROWED, MODEL),
    panels=(
        stat(
            title="Spend",
            description="Cost of all model calls that have a price.",
            sql=f"SELECT sum(CostUsd) AS spend {_CALLS}",
            unit="currencyUSD",
        ),
        stat(
            title="Model calls",
            description="Calls that began in this time.",
            sql=f"SELECT count() AS calls {_CALLS}",
        ),
        stat(
            title="Read from the cache",
            description="Cache efficiency: the share of input tokens that the provider had in its "
            "prompt cache. Low where prompts change early, or pauses outlast the cache.",
            sql=f"SELECT sum(CacheReadTokens) / greatest(sum({INPUT}), 1) AS cached {_CALLS}",
            unit="percentunit",
        ),
        stat(
            title="Cost of a call",
            description="Mean cost of the calls that have a price.",
            sql=f"SELECT avg(CostUsd) AS cost {_CALLS}",
            unit="currencyUSD",
        ),
        stat(
            title="Unpriced share",
            description="Calls whose price is not known; the spend is higher than shown.",
            sql=f"SELECT {UNPRICED} / greatest(count(), 1) AS unpriced {_CALLS}",
            unit="percentunit",
        ),
        stat(
            title="Prices",
            description="The version of the price list that the newest call was priced by.",
            sql=f"SELECT argMax(toString(PriceVersion), StartTime) AS prices {_CALLS}",
            unit="string",
        ),
        Panel(
            title="Cost by model",
            description="Dollars in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Model) AS model,"
            f" sum(CostUsd) AS cost {_CALLS} GROUP BY time, model ORDER BY time",
            unit="currencyUSD",
            stacked=True,
        ),
        Panel(
            title="Tokens by kind",
            description="Tokens in each interval, by what they are charged as.",
            kind=Kind.TIME_SERIES,
            # Summed first and told apart afterwards: a quarter of the rows, half the time.
            sql="SELECT time, pair.1 AS kind, pair.2 AS tokens FROM (SELECT time,"
            " arrayJoin([('input', i), ('cache read', r), ('cache write', w), ('output', o)])"
            " AS pair FROM (SELECT $__timeInterval(StartTime) AS time, sum(InputTokens) AS i,"
            " sum(CacheReadTokens) AS r, sum(CacheWriteTokens) AS w, sum(OutputTokens) AS o"
            f" {_CALLS} GROUP BY time)) ORDER BY time",
            stacked=True,
        ),
        Panel(
            title="Answer time by model, p95",
            description="Seconds of a call, from its start to its end.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Model) AS model,"
            f" quantile(0.95)(DurationMs) / 1000 AS p95 {_CALLS} AND DurationMs IS NOT NULL"
            " GROUP BY time, model ORDER BY time",
            unit="s",
        ),
        Panel(
            title="Failed calls by model",
            description="Share of calls that failed, in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Model) AS model,"
            f" countIf(Error != '') / count() AS failed {_CALLS} GROUP BY time, model ORDER BY time",
            unit="percentunit",
        ),
        Panel(
            title="Models",
            description="All models of this time, the dearest first.",
            kind=Kind.TABLE,
            sql="SELECT toString(Model) AS model, toString(Provider) AS provider, count() AS calls,"
            " sum(CostUsd) AS cost, avg(CostUsd) AS each, sum(OutputTokens) AS output,"
            f" sum(CacheReadTokens) / greatest(sum({INPUT}), 1) AS cached,"
            " (quantiles(0.5, 0.95)(DurationMs) AS took)[1] / 1000 AS p50, took[2] / 1000 AS p95,"
            " countIf(Error != '') / count() AS failed"
            f" {_CALLS} GROUP BY model, provider ORDER BY cost DESC NULLS LAST, calls DESC",
            units={
                "cost": "currencyUSD",
                "each": "currencyUSD",
                "cached": "percentunit",
                "failed": "percentunit",
                "p50": "s",
                "p95": "s",
            },
            width=24,
            height=9,
        ),
        Panel(
            title="Models without a price",
            description="Give them one in the price file, then `fleetspan reprice`.",
            kind=Kind.TABLE,
            sql="SELECT toString(Model) AS model, count() AS calls, sum(OutputTokens) AS output"
            f" {_CALLS} AND CostUsd IS NULL AND InputTokens IS NOT NULL"
            " GROUP BY model ORDER BY calls DESC",
            may_be_empty="every model has a price",
        ),
        Panel(
            title="Cost by user",
            description="Whose runs the calls were made for, the fifteen dearest; by agent: see "
            "the Agent dashboard.",
            kind=Kind.BAR_GAUGE,
            sql="SELECT if(User = '', '(no user)', User) AS user, sum(CostUsd) AS cost"
            f" {_CALLS} GROUP BY user ORDER BY cost DESC NULLS LAST LIMIT 15",
            unit="currencyUSD",
        ),
    ),
)
