"""Models and what they cost."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import SCOPE, Board, Kind, Panel, stat, within

_CALLS: Final = f"FROM llm_calls WHERE {within('StartTime')} AND {SCOPE}"
_INPUT: Final = "InputTokens + CacheReadTokens + CacheWriteTokens"

MODEL_COST: Final = Board(
    name="model-cost",
    title="Fleetspan / Model and cost",
    description="What models are asked, how fast they answer, and what that costs.",
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
            sql=f"SELECT sum(CacheReadTokens) / greatest(sum({_INPUT}), 1) AS cached {_CALLS}",
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
            sql="SELECT countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL))"
            f" / greatest(count(), 1) AS unpriced {_CALLS}",
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
            sql="SELECT $__timeInterval(StartTime) AS time, kind, sum(tokens) AS tokens"
            " FROM (SELECT StartTime, arrayJoin([('input', InputTokens), ('cache read',"
            " CacheReadTokens), ('cache write', CacheWriteTokens), ('output', OutputTokens)])"
            f" AS pair, pair.1 AS kind, pair.2 AS tokens {_CALLS})"
            " GROUP BY time, kind ORDER BY time",
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
            f" sum(CacheReadTokens) / greatest(sum({_INPUT}), 1) AS cached,"
            " quantile(0.5)(DurationMs) / 1000 AS p50, quantile(0.95)(DurationMs) / 1000 AS p95,"
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
            title="Cost by agent",
            description="What agents' own calls cost, by name, the dearest first.",
            kind=Kind.BAR_GAUGE,
            sql="SELECT if(named.AgentName = '', '(no name)', named.AgentName) AS agent,"
            " sum(calls.CostUsd) AS cost FROM llm_calls AS calls LEFT ANY JOIN"
            " (SELECT sipHash64(RunId, AgentId) AS Agent, Name AS AgentName FROM canonical_agents"
            " WHERE Name != '' AND Bucket BETWEEN toStartOfHour($__fromTime) - INTERVAL 3 DAY"
            " AND $__toTime) AS named ON named.Agent = sipHash64(calls.RunId, calls.AgentId)"
            f" WHERE {within('StartTime')} AND {SCOPE}"
            " GROUP BY agent ORDER BY cost DESC NULLS LAST LIMIT 15",
            unit="currencyUSD",
        ),
    ),
)
