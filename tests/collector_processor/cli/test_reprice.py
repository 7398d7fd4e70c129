"""``reprice`` and ``cost`` against a collector that runs, and against its store alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.collector_processor.fleet import agent, call, traces
from tests.collector_processor.running import Collector, command
from tests.collector_processor.server_store import embedded_only

PRICES = '[models."claude-sonnet-4-5"]\ninput = {}\n'


def answer(data: Path, *arguments: str, **variables: str) -> dict[str, Any]:
    """Return the document that a command wrote."""
    done = command("--data", str(data), *arguments, "--json", **variables)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.integration
def test_reprice_while_a_collector_runs_and_when_none_does(tmp_path: Path) -> None:
    """The collector reads the price file again; later calls get the new prices too."""
    data, prices = tmp_path / "data", tmp_path / "prices.toml"
    own = {"FLEETSPAN_PRICE_OVERRIDE_FILE": str(prices)}
    prices.write_text(PRICES.format(1000))
    spans = [agent(1, 1), call(1, 2, 1), call(1, 3, 1, fleetspan__cost__usd=0.1)]
    with Collector(data, variables=own) as collector:
        collector.post("traces", traces(spans).SerializeToString())
        collector.settle()
        cost = answer(data, "cost", "--by", "agent")
        assert cost["source"]["kind"] == "collector"
        assert cost["rows"][0]["agent_name"] == "agent-1"
        assert cost["totals"]["cost_usd"] == pytest.approx(0.205)
        assert cost["totals"]["reported_cost_usd"] == pytest.approx(0.1)
        assert cost["totals"]["difference_usd"] == pytest.approx(0.003)

        prices.write_text(PRICES.format(2000))
        dry = answer(data, "reprice", "--dry-run")
        assert (dry["dry_run"], dry["changed_calls"]) == (True, 2)
        assert collector.count("llm_calls", "CostUsd > 0.11") == 0
        done = answer(data, "reprice")
        assert (done["calls"], done["changed_calls"], done["changed_runs"]) == (2, 2, 1)
        assert done["before"]["cost_usd"] == pytest.approx(0.205)
        assert done["after"]["cost_usd"] == pytest.approx(0.41)
        run = answer(data, "show", "0000")
        assert run["cost_usd"] == pytest.approx(0.41)
        assert run["reported_cost_usd"] == pytest.approx(0.1)
        assert run["cost_difference_usd"] == pytest.approx(0.106)

        late = traces([call(1, 4, 1)]).SerializeToString()
        collector.post("traces", late)
        collector.settle()
        assert collector.count("llm_calls", "round(CostUsd, 6) = 0.208") == 1

        prices.write_text("nonsense")
        refused = command("--data", str(data), "reprice")
        assert refused.returncode == 2
        assert str(prices) in refused.stderr

    prices.write_text(PRICES.format(1000))
    alone = answer(data, "reprice", **own)
    assert (alone["changed_calls"], alone["changed_runs"]) == (3, 1)
    assert alone["after"]["cost_usd"] == pytest.approx(0.309)
    cost = answer(data, "cost", "--by", "block")
    assert cost["source"]["kind"] == "store"
    assert cost["rows"][0]["cost_usd"] == pytest.approx(0.309)


@embedded_only
def test_reprice_without_a_store(tmp_path: Path) -> None:
    """Nothing is made where nothing has been recorded."""
    done = command("--data", str(tmp_path / "data"), "reprice")
    assert done.returncode == 3
    assert not (tmp_path / "data").exists()
