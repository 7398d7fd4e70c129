"""``fleetspan alerts``: rules for Grafana and Prometheus, and what they say now."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from fleetspan_dashboards.alerts import DAILY_BUDGET_USD, Rule, rules
from fleetspan_dashboards.alerts import grafana as grafana_rules
from fleetspan_dashboards.alerts import prometheus as prometheus_rules
from fleetspan_dashboards.alerts.trial import Alert, Verdict, judge
from rich.table import Table
from rich.text import Text

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._invocation import Invocation, with_common_options
from fleetspan_collector.cli._source import Source, open_source
from fleetspan_collector.cli._text import duration, plain, usd

alerts: Final = typer.Typer(help="Alert rules: write them, and try them on the store.")

_SHOWN: Final = 5


class Target(StrEnum):
    """Who reads the rules."""

    GRAFANA = "grafana"
    PROMETHEUS = "prometheus"


Budget = Annotated[
    float,
    typer.Option(
        "--daily-budget", help="What a project may spend a day.", metavar="USD"
    ),
]
DataSource = Annotated[
    str,
    typer.Option(
        "--datasource", help="Uid of the ClickHouse data source.", metavar="UID"
    ),
]
Runbooks = Annotated[
    str,
    typer.Option("--runbooks", help="Page that says what each means.", metavar="URL"),
]
For = Annotated[Target, typer.Option("--for", help="Who reads them.")]
Output = Annotated[
    Path | None,
    typer.Argument(help="File to write; standard output without.", metavar="FILE"),
]
Names = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Only this one; may be repeated.", metavar="NAME"),
]


def chosen_rules(daily_budget_usd: float, names: list[str] | None = None) -> list[Rule]:
    """Return rules, all of them or some.

    Raises:
        UsageError: When a name is none of theirs, or the budget cannot be one.
    """
    try:
        every = rules(daily_budget_usd)
    except ValueError as error:
        raise UsageError(
            f"--daily-budget {daily_budget_usd:g} cannot be used",
            because=str(error),
            suggestion="--daily-budget 100",
        ) from None
    known = {rule.name: rule for rule in every}
    for name in names or ():
        if name not in known:
            raise UsageError(
                f"there is no rule {name!r}",
                because=f"there are {', '.join(known)}",
                suggestion=f"fleetspan alerts test --rule {every[0].name}",
            )
    return [known[name] for name in names] if names else list(every)


def export(
    invocation: Invocation,
    output: Output = None,
    target: For = Target.GRAFANA,
    daily_budget: Budget = DAILY_BUDGET_USD,
    data_source: DataSource = grafana_rules.DATA_SOURCE_UID,
    runbooks: Runbooks = grafana_rules.RUNBOOKS,
) -> None:
    """Write the rules as a file of Grafana's provisioning, or of Prometheus.

    Rules that Grafana reads from a file cannot be changed in Grafana: copy one there and
    change the copy, or bring them in with `fleetspan dashboards install --alerts`.
    """
    # Here, because no other command needs YAML.
    from fleetspan_dashboards import yaml_text

    some = chosen_rules(daily_budget)
    if target is Target.PROMETHEUS:
        document = prometheus_rules.document(some, runbooks=runbooks)
    else:
        groups = grafana_rules.groups(some, data_source=data_source, runbooks=runbooks)
        document = grafana_rules.provisioning(groups)
    if invocation.json:
        invocation.write_json({"document": document})
        return
    text = yaml_text.dump(document)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(
            f"{output} cannot be written",
            because=error.strerror or str(error),
            suggestion="fleetspan alerts export > FILE",
        ) from error
    invocation.err.print(Text(f"wrote {output}"))


def try_rules(
    invocation: Invocation,
    names: Names = None,
    daily_budget: Budget = DAILY_BUDGET_USD,
) -> int:
    """Run each rule's query on the store and say which would fire now, and why.

    Exits with 1 when one would. What has to hold for a while fires only after that.
    """
    some = chosen_rules(daily_budget, names)
    with open_source(invocation.load().settings, analysed=True) as source:
        verdicts = list(judge(some, lambda sql: _rows(source, sql), int(time.time())))
    if invocation.json:
        invocation.write_json({"rules": [_document(each) for each in verdicts]})
    else:
        invocation.out.print(_table(verdicts))
    return int(any(verdict.firing for verdict in verdicts))


def _rows(source: Source, sql: str) -> list[dict[str, Any]]:
    text = b"".join(source.sql(sql, "JSONEachRow"))
    return [json.loads(line) for line in text.splitlines()]


def _document(verdict: Verdict) -> dict[str, Any]:
    rule = verdict.rule
    return {
        "rule": rule.name,
        "title": rule.title,
        "severity": rule.severity.value,
        "above": rule.above,
        "unit": rule.unit,
        "window_s": rule.window_s,
        "for_s": rule.for_s,
        "fires": verdict.firing > 0,
        "alerts": [
            {"labels": dict(each.labels), "value": each.value, "fires": each.fires}
            for each in verdict.alerts
        ],
    }


def _table(verdicts: list[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("rule", no_wrap=True)
    table.add_column("why", overflow="fold", ratio=1)
    for verdict in sorted(verdicts, key=lambda each: -each.firing):
        fires = verdict.firing > 0
        table.add_row(
            Text("fires", style="bold red") if fires else Text("ok", style="green"),
            Text(verdict.rule.name),
            _why(verdict),
        )
    return table


def _why(verdict: Verdict) -> Text:
    rule, why = verdict.rule, Text()
    shown = [each for each in verdict.alerts if each.fires] or verdict.alerts[:1]
    for alert in shown[:_SHOWN]:
        whose = f"{_labels(alert)}: " if alert.labels else ""
        why.append(f"{whose}{_measured(alert, rule.unit)} ({_limit(rule)})\n")
    if len(shown) > _SHOWN:
        why.append(f"and {len(shown) - _SHOWN} more\n")
    if not shown:
        why.append("nothing of the kind\n")
    if verdict.firing:
        held = f", if it holds for {duration(rule.for_s)}" if rule.for_s else ""
        why.append(f"{rule.title}{held}: {rule.todo[0]}\n", style="dim")
    why.rstrip()
    return why


def _labels(alert: Alert) -> str:
    return ", ".join(f"{name} {plain(text)}" for name, text in alert.labels.items())


def _measured(alert: Alert, unit: str) -> str:
    return "no rows" if alert.value is None else _amount(alert.value, unit)


def _limit(rule: Rule) -> str:
    return f"fires above {_amount(rule.above, rule.unit)}"


def _amount(value: float, unit: str) -> str:
    match unit:
        case "share":
            return f"{value:.1%}"
        case "s":
            return duration(value) if value else "0 s"
        case "USD":
            return usd(value)
        case "times":
            return f"{value:.2f} times"
        case _:
            return f"{value:g}"


alerts.command("export")(with_common_options(export))
alerts.command("test")(with_common_options(try_rules))
