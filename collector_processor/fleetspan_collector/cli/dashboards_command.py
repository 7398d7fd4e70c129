"""``fleetspan dashboards``: bring dashboards, and alert rules, into a Grafana."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Final

import typer
from fleetspan_dashboards import names, read
from fleetspan_dashboards.alerts import DAILY_BUDGET_USD
from fleetspan_dashboards.alerts import grafana as grafana_rules
from rich.text import Text

from fleetspan_collector._errors import CollectorError, UnreachableError, UsageError
from fleetspan_collector.cli._invocation import Invocation, with_common_options
from fleetspan_collector.cli.alerts_command import Budget, Runbooks, chosen_rules

dashboards: Final = typer.Typer(help="Dashboards and rules for a Grafana.")

_TOKEN: Final = "FLEETSPAN_GRAFANA_TOKEN"  # noqa: S105 - the name of a variable

Url = Annotated[str, typer.Option("--grafana", help="Where Grafana is.", metavar="URL")]
Provisioning = Annotated[
    Path | None,
    typer.Option(
        "--provisioning", help="Write into this folder of Grafana.", metavar="DIR"
    ),
]
SeenAs = Annotated[
    Path | None,
    typer.Option(
        "--seen-as", help="The same folder as Grafana sees it.", metavar="DIR"
    ),
]
Alerts = Annotated[bool, typer.Option("--alerts", help="The alert rules, too.")]
DataSource = Annotated[
    str,
    typer.Option(
        "--datasource", help="Uid of the ClickHouse data source.", metavar="UID"
    ),
]
Folder = Annotated[Path, typer.Argument(help="Folder to write to.", metavar="DIR")]


def export(invocation: Invocation, folder: Folder) -> None:
    """Write the dashboards as JSON files, to be imported by hand or by other means."""
    written = []
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in names():
            path = folder / f"{name}.json"
            path.write_text(read(name), "utf-8")
            written.append(path)
    _tell(invocation, written)


def install(
    invocation: Invocation,
    grafana: Url = "http://localhost:3000",
    provisioning: Provisioning = None,
    seen_as: SeenAs = None,
    alerts: Alerts = False,
    data_source: DataSource = "",
    daily_budget: Budget = DAILY_BUDGET_USD,
    runbooks: Runbooks = grafana_rules.RUNBOOKS,
) -> None:
    """Bring the dashboards into Grafana over its API, or into its provisioning folder.

    The token of a service account with the role Editor comes from
    FLEETSPAN_GRAFANA_TOKEN. Installing again brings in the present version. With
    --alerts the rules come along; who is told by them stays as it is.
    """
    # Here, because it brings an HTTP client that other commands do not need.
    from fleetspan_dashboards import installing

    some = chosen_rules(daily_budget) if alerts else None
    if provisioning is not None:
        with _writing(provisioning):
            written = installing.write_provisioning(
                provisioning,
                rules=some,
                data_source=data_source or grafana_rules.DATA_SOURCE_UID,
                runbooks=runbooks,
                seen_as=seen_as,
            )
        _tell(invocation, written)
        return
    with contextlib.closing(installing.Grafana(grafana, _token())) as api:
        try:
            done = api.install(rules=some, data_source=data_source, runbooks=runbooks)
        except installing.GrafanaError as error:
            raise _GrafanaRefusedError(
                str(error), because=error.because, suggestion=error.suggestion
            ) from error
    if invocation.json:
        document = {
            "grafana": done.version,
            "datasource": done.data_source or None,
            "dashboards": dict(done.dashboards),
            "rule_groups": list(done.groups),
        }
        invocation.write_json(document)
        return
    for url in done.dashboards.values():
        invocation.out.print(Text(url))
    rules = f" and {len(done.groups)} groups of rules" if done.groups else ""
    invocation.err.print(Text(f"{len(done.dashboards)} dashboards{rules} installed"))


class _GrafanaRefusedError(CollectorError):
    """Grafana did not do what it was asked."""


def _token() -> str:
    token = os.environ.get(_TOKEN, "").strip()
    if not token:
        raise UsageError(
            "there is no token for Grafana",
            because=f"{_TOKEN} is not set",
            suggestion=f"{_TOKEN}=glsa_… fleetspan dashboards install; Grafana makes one "
            "under Administration, Service accounts",
        )
    return token


@contextlib.contextmanager
def _writing(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise UnreachableError(
            f"{folder} cannot be written",
            because=f"{error.filename or folder}: {error.strerror}",
            suggestion="name a folder that this user may write to",
        ) from error


def _tell(invocation: Invocation, written: list[Path]) -> None:
    if invocation.json:
        invocation.write_json({"files": [str(path) for path in written]})
        return
    for path in written:
        invocation.out.print(Text(str(path)))


dashboards.command("export")(with_common_options(export))
dashboards.command("install")(with_common_options(install))
