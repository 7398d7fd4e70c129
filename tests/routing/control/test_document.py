"""The file of rules: every key is checked, and wrong ones say where and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetspan_routing.control.document import load_rules, parse_rules
from fleetspan_routing.control.rules import (
    Answer,
    Measure,
    Mode,
    ModelRule,
    OutputRule,
    Scope,
)
from fleetspan_routing.document import DocumentError


def test_all_of_it(tmp_path: Path) -> None:
    """What the module's own description shows can be read, and is all there."""
    from fleetspan_routing.control import document

    text = (document.__doc__ or "").partition("::\n")[2]
    path = tmp_path / "control.yaml"
    path.write_text("\n".join(line[4:] for line in text.splitlines()))
    rules = load_rules(path)
    (budget,) = rules.budgets
    assert (budget.name, budget.of) == ("one session", Scope.SESSION)
    assert budget.limits == {Measure.USD: 5, Measure.TOKENS: 2_000_000}
    assert rules.if_unreachable is Answer.ALLOW
    assert rules.mode is Mode.ON
    assert rules.loop is not None
    assert rules.loop.repeats == 3
    assert rules.fan_out is not None
    assert (rules.fan_out.at_once, rules.fan_out.in_total) == (10, 100)
    (rule,) = rules.tools
    assert rule.because == "secrets are not for agents"
    assert rules.risk is not None
    assert rules.risk.then is Answer.APPROVE
    assert rules.models == ModelRule(
        mode=Mode.DRY_RUN,
        tiers=tmp_path / "tiers.yaml",
        target=0.9,
        explore=0.05,
        by_text=False,
    )
    assert rules.outputs == OutputRule(
        mode=Mode.DRY_RUN, tools=("Bash", "mcp__*"), over=3_000, code_over=12_000
    )


def test_outputs_are_left_alone_unless_it_is_said() -> None:
    """And then those of tools that answer texts, up to lengths that were measured."""
    assert parse_rules({"if_unreachable": "allow"}).outputs.mode is Mode.OFF
    rules = parse_rules({"if_unreachable": "allow", "outputs": {"mode": True}})
    assert rules.outputs == OutputRule(mode=Mode.ON)
    assert "Read" not in rules.outputs.tools


@pytest.mark.parametrize(
    ("document", "where", "because"),
    [
        ([], "the file", "names with values"),
        ({}, "if_unreachable", "is missing"),
        ({"if_unreachable": "maybe"}, "if_unreachable", "'maybe' is not one of"),
        ({"budget": {}}, "the file", "'budget' is not known"),
        ({"mode": "dry-run"}, "mode", "'dry-run'"),
        ({"budgets": {"x": {"of": "session"}}}, "budgets.x", "limits nothing"),
        ({"budgets": {"x": {"of": "week", "usd": 1}}}, "budgets.x.of", "'week'"),
        ({"budgets": {"x": {"of": "day", "usd": 0}}}, "budgets.x.usd", "above 0"),
        ({"budgets": {"x": {"of": "day", "usd": "5"}}}, "budgets.x.usd", "'5'"),
        ({"budgets": {"x": {"of": "day", "usd": True}}}, "budgets.x.usd", "True"),
        ({"budgets": {"x": {"of": "day", "eur": 1}}}, "budgets.x", "'eur'"),
        (
            {"budgets": {"x": {"of": "day", "usd": 1, "only": ["a"]}}},
            "budgets.x.only",
            "is for budgets of",
        ),
        ({"guards": {"loop": {"repeats": 1}}}, "guards.loop.repeats", "2 or more"),
        ({"guards": {"loop": {"repeats": 2.5}}}, "guards.loop.repeats", "whole"),
        ({"guards": {"loops": {}}}, "guards", "'loops'"),
        ({"rules": {}}, "rules", "a list"),
        ({"rules": [{"name": "a"}]}, "rules[0]", "says of what"),
        ({"rules": [{"tools": ["Bash"]}]}, "rules[0].name", "None"),
        (
            {"rules": [{"name": "a", "commands": ["("]}]},
            "rules[0].commands",
            "not a regular expression",
        ),
        ({"rules": [{"name": "a", "tools": ["x"]}] * 2}, "rules", "two are called"),
        ({"risk": {"threshold": 2}}, "risk.threshold", "at most 1"),
        ({"risk": {"then": "allow"}}, "risk.then", "'allow'"),
        ({"models": {"mode": "on"}}, "models.tiers", "None"),
        ({"outputs": {"mode": "auto"}}, "outputs.mode", "'auto'"),
        ({"outputs": {"tools": []}}, "outputs.tools", "at least one"),
        ({"outputs": {"over": 20}}, "outputs.over", "below 200"),
        ({"outputs": {"code_over": 1.5}}, "outputs.code_over", "whole number"),
        ({"outputs": {"cap": 4000}}, "outputs", "'cap' is not known"),
        (
            {"models": {"mode": "on", "tiers": "t", "target": 2}},
            "models.target",
            "at most 1",
        ),
        (
            {"models": {"mode": "on", "tiers": "t", "explore": 1}},
            "models.explore",
            "below 1",
        ),
        (
            {"models": {"mode": "on", "tiers": "t", "explore": True}},
            "models.explore",
            "True",
        ),
        (
            {"models": {"mode": "on", "tiers": "t", "by_text": "yes"}},
            "models.by_text",
            "'yes'",
        ),
    ],
)
def test_what_is_wrong_is_named(document: object, where: str, because: str) -> None:
    """The place, the value, and what was expected."""
    if isinstance(document, dict) and document:
        document = {"if_unreachable": "allow"} | document
    with pytest.raises(DocumentError) as caught:
        parse_rules(document)
    assert caught.value.where == where
    assert because in caught.value.because


def test_a_key_that_is_there_twice(tmp_path: Path) -> None:
    """YAML would take the last one without a word."""
    path = tmp_path / "control.yaml"
    path.write_text("if_unreachable: deny\nif_unreachable: allow\n")
    with pytest.raises(DocumentError, match="twice"):
        load_rules(path)


def test_on_and_off_are_words() -> None:
    """Which YAML 1.1 takes for yes and no."""
    assert parse_rules({"if_unreachable": "allow", "mode": True}).mode is Mode.ON
