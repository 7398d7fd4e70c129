"""``fleetspan config show``."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.table import Table

from fleetspan_collector.cli._invocation import Invocation, with_common_options
from fleetspan_collector.cli._text import plain
from fleetspan_collector.config import SETTINGS, Loaded, show, show_size

Origin = Annotated[bool, typer.Option("--origin", help="Say where each value is from.")]


def show_settings(invocation: Invocation, origin: Origin = False) -> None:
    """Show every setting, and with --origin where it comes from; passwords are masked."""
    loaded = invocation.load()
    if invocation.json:
        invocation.write_json(_document(loaded))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    if origin:
        table.add_column("from", overflow="fold")
    for name in SETTINGS:
        value = plain(_for_people(loaded, name)) or "(empty)"
        cells = [name, value, plain(loaded.origins[name])]
        table.add_row(*cells[: 3 if origin else 2])
    invocation.out.print(table)


def _for_people(loaded: Loaded, name: str) -> str:
    value = getattr(loaded.settings, name)
    if name.endswith("_bytes"):
        return show_size(value)
    if value is None and name not in loaded.settings.endpoints:
        return "none"
    return show(value)


def _document(loaded: Loaded) -> dict[str, object]:
    return {
        "file": str(loaded.file) if loaded.file else None,
        "settings": {
            name: {"value": _json_value(loaded, name), "origin": loaded.origins[name]}
            for name in SETTINGS
        },
    }


def _json_value(loaded: Loaded, name: str) -> object:
    value = getattr(loaded.settings, name)
    return (
        value if value is None or isinstance(value, bool | int | float) else show(value)
    )


config: Final = typer.Typer(help="Settings.")
config.command("show")(with_common_options(show_settings))
