"""The file of rules: YAML, every key checked; one that is not known is an error.

::

    if_unreachable: allow           # allow, ask or deny: what holds without a collector
    mode: on                        # or dry_run: decided and recorded, not enforced
    budgets:
      one session:
        of: session                 # session, sub_tree, agent_type, user or day
        usd: 5
        tokens: 2000000
        then: deny                  # or ask
    guards:
      loop: {repeats: 3}
      fan_out: {at_once: 10, in_total: 100}
    rules:
      - name: secrets stay
        tools: [Read, Edit, Write, Bash]
        paths: ["**/.env*", "~/.ssh/**"]
        then: deny
        because: secrets are not for agents
    risk: {threshold: 0.7, then: approve}
    models: {mode: dry_run, tiers: tiers.yaml, target: 0.9, explore: 0.05, by_text: false}
    outputs: {mode: dry_run, tools: [Bash, "mcp__*"], over: 3000, code_over: 12000}
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fleetspan_routing.control.rules import (
    Answer,
    Budget,
    FanOutGuard,
    LoopGuard,
    Measure,
    Mode,
    ModelRule,
    OutputRule,
    Pattern,
    RiskRule,
    Rules,
    Scope,
    ToolRule,
)
from fleetspan_routing.document import (
    DocumentError,
    mapping,
    number,
    one_of,
    only,
    read_yaml,
    text,
    texts,
    yes_or_no,
)

_RE2: Final = importlib.util.find_spec("re2") is not None
_TOP: Final = frozenset(
    {
        "if_unreachable",
        "mode",
        "budgets",
        "guards",
        "rules",
        "risk",
        "models",
        "outputs",
    }
)
_BUDGET: Final = frozenset({"of", "only", "warn_at", "then", *Measure})
_RULE_LISTS: Final = (
    *("tools", "agents", "paths", "paths_outside"),
    *("hosts", "hosts_outside", "commands"),
)
_RULE: Final = frozenset({"name", "then", "because", *_RULE_LISTS})
_MODELS: Final = frozenset({"mode", "tiers", "target", "explore", "by_text"})
_OUTPUTS: Final = frozenset({"mode", "tools", "over", "code_over"})
_LEAST_OUTPUT: Final = 200
"""Characters; a mark of what was cut takes as much."""
_CONSENT: Final = frozenset({Answer.ASK, Answer.APPROVE, Answer.DENY})
_STOP: Final = frozenset({Answer.ASK, Answer.DENY})
_ONLY_FOR: Final = (Scope.AGENT_TYPE, Scope.SUB_TREE, Scope.USER)


def load_rules(path: Path) -> Rules:
    """Read rules from a YAML file; paths in it are relative to its folder.

    Raises:
        DocumentError: When it is not one.
        OSError: When it cannot be read.
    """
    return parse_rules(read_yaml(path), path.parent)


def parse_rules(document: object, folder: Path = Path()) -> Rules:
    """Make rules of a document.

    Args:
        document: What was read.
        folder: Where it lies.

    Raises:
        DocumentError: When a key is not known, missing, or has a value that cannot be used.
    """
    top = mapping("the file", document)
    only("the file", top, _TOP)
    if "if_unreachable" not in top:
        raise DocumentError(
            "if_unreachable",
            "is missing: say whether agents go on (allow), ask their user (ask) or stop "
            "(deny) when no collector answers",
        )
    guards = mapping("guards", top.get("guards", {}))
    only("guards", guards, frozenset({"loop", "fan_out"}))
    budgets = mapping("budgets", top.get("budgets", {}))
    return Rules(
        if_unreachable=_answer(
            "if_unreachable", top["if_unreachable"], _STOP | {Answer.ALLOW}
        ),
        mode=_mode("mode", top.get("mode", "on"), frozenset({Mode.ON, Mode.DRY_RUN})),
        budgets=tuple(_budget(name, each) for name, each in budgets.items()),
        loop=_loop(guards["loop"]) if "loop" in guards else None,
        fan_out=_fan_out(guards["fan_out"]) if "fan_out" in guards else None,
        tools=_tool_rules(top.get("rules", [])),
        risk=_risk(top["risk"]) if "risk" in top else None,
        models=_models(top.get("models", {}), folder),
        outputs=_outputs(top.get("outputs", {})),
    )


def _budget(name: str, document: object) -> Budget:
    where = f"budgets.{name}"
    given = mapping(where, document)
    only(where, given, _BUDGET)
    of = Scope(one_of(f"{where}.of", given.get("of"), frozenset(Scope)))
    limits = {
        measure: number(f"{where}.{measure}", given[measure])
        for measure in Measure
        if measure in given
    }
    if not limits:
        raise DocumentError(where, f"limits nothing; {', '.join(Measure)} can be")
    if "only" in given and of not in _ONLY_FOR:
        raise DocumentError(
            f"{where}.only", f"is for budgets of {', '.join(_ONLY_FOR)}"
        )
    return Budget(
        name=name,
        of=of,
        limits=limits,
        only=frozenset(texts(f"{where}.only", given["only"]))
        if "only" in given
        else frozenset(),
        warn_at=number(f"{where}.warn_at", given.get("warn_at", 0.8), 1.0),
        then=_answer(f"{where}.then", given.get("then", "deny"), _STOP),
    )


def _loop(document: object) -> LoopGuard:
    given = mapping("guards.loop", document)
    only("guards.loop", given, frozenset({"repeats", "longest", "then"}))
    repeats = _count("guards.loop.repeats", given.get("repeats", 3))
    if repeats < 2:
        raise DocumentError("guards.loop.repeats", "has to be 2 or more")
    return LoopGuard(
        repeats=repeats,
        longest=_count("guards.loop.longest", given.get("longest", 4)),
        then=_answer("guards.loop.then", given.get("then", "deny"), _STOP),
    )


def _fan_out(document: object) -> FanOutGuard:
    where = "guards.fan_out"
    given = mapping(where, document)
    only(where, given, frozenset({"at_once", "in_total", "then"}))
    total = given.get("in_total")
    return FanOutGuard(
        at_once=_count(f"{where}.at_once", given.get("at_once", 20)),
        in_total=None if total is None else _count(f"{where}.in_total", total),
        then=_answer(f"{where}.then", given.get("then", "deny"), _STOP),
    )


def _tool_rules(document: object) -> tuple[ToolRule, ...]:
    if not isinstance(document, list):
        raise DocumentError("rules", "expected a list")
    made = tuple(_tool_rule(f"rules[{n}]", each) for n, each in enumerate(document))
    names = [rule.name for rule in made]
    for name in names:
        if names.count(name) > 1:
            raise DocumentError("rules", f"two are called {name!r}")
    return made


def _tool_rule(where: str, document: object) -> ToolRule:
    given = mapping(where, document)
    only(where, given, _RULE)
    lists: dict[str, Any] = {
        key: texts(f"{where}.{key}", given[key]) for key in _RULE_LISTS if key in given
    }
    if not lists:
        raise DocumentError(where, f"says of what it is: {', '.join(_RULE_LISTS)}")
    if "agents" in lists:
        lists["agents"] = frozenset(lists["agents"])
    if "commands" in lists:
        lists["commands"] = tuple(
            _pattern(f"{where}.commands", each) for each in lists["commands"]
        )
    return ToolRule(
        name=text(f"{where}.name", given.get("name")),
        then=_answer(
            f"{where}.then", given.get("then", "deny"), _CONSENT | {Answer.ALLOW}
        ),
        because=text(f"{where}.because", given["because"])
        if "because" in given
        else "",
        **lists,
    )


def _pattern(where: str, written: str) -> Pattern:
    try:
        return compile_pattern(written)
    except ValueError as error:
        raise DocumentError(
            where, f"{written!r} is not a regular expression: {error}"
        ) from None


def compile_pattern(written: str) -> Pattern:
    """Make a pattern of a regular expression.

    With RE2, which comes with the collector, no text takes it long.

    Raises:
        ValueError: When it is not one.
    """
    if _RE2:
        import re2

        options = re2.Options()
        options.log_errors = False
        try:
            compiled: Pattern = re2.compile(written, options=options)
        except re2.error as error:
            raise ValueError(str(error)) from None
        return compiled
    try:
        return re.compile(written)
    except re.error as error:
        raise ValueError(str(error)) from None


def _risk(document: object) -> RiskRule:
    given = mapping("risk", document)
    only("risk", given, frozenset({"threshold", "then"}))
    return RiskRule(
        threshold=number("risk.threshold", given.get("threshold", 0.7), 1.0),
        then=_answer("risk.then", given.get("then", "ask"), _CONSENT),
    )


def _models(document: object, folder: Path) -> ModelRule:
    given: Mapping[str, Any] = mapping("models", document)
    only("models", given, _MODELS)
    mode = _mode("models.mode", given.get("mode", "off"), frozenset(Mode))
    if mode is Mode.OFF and "tiers" not in given:
        return ModelRule()
    return ModelRule(
        mode=mode,
        tiers=folder / text("models.tiers", given.get("tiers")),
        target=number("models.target", given.get("target", 0.95), 1.0),
        explore=_share("models.explore", given.get("explore", 0.0)),
        by_text=yes_or_no("models.by_text", given.get("by_text", True)),
    )


def _outputs(document: object) -> OutputRule:
    given = mapping("outputs", document)
    only("outputs", given, _OUTPUTS)
    usual = OutputRule()
    return OutputRule(
        mode=_mode("outputs.mode", given.get("mode", "off"), frozenset(Mode)),
        tools=texts("outputs.tools", given["tools"])
        if "tools" in given
        else usual.tools,
        over=_characters("outputs.over", given.get("over", usual.over)),
        code_over=_characters(
            "outputs.code_over", given.get("code_over", usual.code_over)
        ),
    )


def _characters(where: str, value: object) -> int:
    found = _count(where, value)
    if found < _LEAST_OUTPUT:
        raise DocumentError(where, f"is below {_LEAST_OUTPUT} characters")
    return found


def _share(where: str, value: object) -> float:
    """A number from 0 on, and below 1."""
    found = 0.0 if value == 0 and not isinstance(value, bool) else number(where, value)
    if found >= 1:
        raise DocumentError(where, f"{value!r} is not below 1")
    return found


def _mode(where: str, value: object, known: frozenset[Mode]) -> Mode:
    # YAML 1.1 takes a bare on and off for yes and no.
    if isinstance(value, bool):
        value = "on" if value else "off"
    return Mode(one_of(where, value, known))


def _answer(where: str, value: object, known: frozenset[Answer]) -> Answer:
    return Answer(one_of(where, value, known))


def _count(where: str, value: object) -> int:
    found = number(where, value)
    if found != int(found):
        raise DocumentError(where, f"{value!r} is not a whole number")
    return int(found)
