"""What every command shares: its settings, its two streams and its common options."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, ParamSpec

import typer
from rich.console import Console

from fleetspan_collector.cli._text import plain_json
from fleetspan_collector.config import Loaded, load, parse_assignments

SCHEMA_VERSION: Final = 1
"""Version of every JSON document of the command and of the web port."""

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Data directory.", metavar="DIR", show_default=False),
]
Store = Annotated[
    str | None,
    typer.Option("--store", help="chdb:///PATH or clickhouse://USER@HOST:PORT/DB."),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file of settings.", metavar="FILE"),
]
Assign = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any setting; may be repeated.", metavar="NAME=VALUE"),
]
Json = Annotated[
    bool | None, typer.Option("--json", help="One JSON document on standard output.")
]
Quiet = Annotated[
    bool | None, typer.Option("--quiet", "-q", help="No progress, only results.")
]
Verbose = Annotated[
    int,
    typer.Option("--verbose", "-v", count=True, help="Say more; twice: everything."),
]
Debug = Annotated[
    bool | None, typer.Option("--debug", help="Show the traceback of an error.")
]


@dataclass(slots=True)
class Invocation:
    """One run of the command.

    Attributes:
        data: ``--data``, if given.
        store: ``--store``, if given.
        config: ``--config``, if given.
        assignments: Every ``--set NAME=VALUE``.
        json: Whether the answer is one JSON document.
        quiet: Whether progress is left out.
        verbose: How often ``-v`` was given.
        context: typer's own context of the command that runs.
    """

    context: typer.Context
    data: Path | None = None
    store: str | None = None
    config: Path | None = None
    assignments: list[str] = field(default_factory=list)
    json: bool = False
    quiet: bool = False
    verbose: int = 0

    def load(
        self, flags: Mapping[str, object] | None = None, *, listening: bool = True
    ) -> Loaded:
        """Read the settings; ``flags`` are the command's own, by setting.

        Args:
            flags: Values by setting.
            listening: Whether ports that reach too far are refused.
        """
        common: dict[str, object] = parse_assignments(self.assignments)
        if self.data is not None:
            common["data"] = str(self.data)
        if self.store is not None:
            common["store"] = self.store
        own = {
            name: value for name, value in (flags or {}).items() if value is not None
        }
        return load({**common, **own}, file=self.config, listening=listening)

    @property
    def out(self) -> Console:
        """The console of results: standard output."""
        return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)

    @property
    def err(self) -> Console:
        """The console of progress: standard error, silent under ``--quiet``."""
        return Console(
            stderr=True, highlight=False, markup=False, emoji=False, quiet=self.quiet
        )

    def write_json(self, document: Mapping[str, object]) -> None:
        """Write one document with its ``schema_version``."""
        text = json.dumps(
            {"schema_version": SCHEMA_VERSION, **document},
            ensure_ascii=False,
            indent=2,
            default=str,
        )
        sys.stdout.write(plain_json(text) + "\n")

    def take(self, given: Mapping[str, Any]) -> None:
        """Take what was given before or after the command's name."""
        self.data = given["data"] or self.data
        self.store = given["store"] or self.store
        self.config = given["config"] or self.config
        self.assignments += given["assign"] or []
        self.json = bool(given["json_"]) or self.json
        self.quiet = bool(given["quiet"]) or self.quiet
        self.verbose = max(given["verbose"], self.verbose)
        _set_up_logging(self.verbose, quiet=self.quiet)


def common_options(
    data: Data = None,
    store: Store = None,
    config: Config = None,
    assign: Assign = None,
    json_: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    debug: Debug = None,
) -> None:
    """Only its signature is used: the options that every command has."""


_COMMON: Final = inspect.signature(common_options, eval_str=True).parameters


P = ParamSpec("P")


def with_common_options(
    function: Callable[Concatenate[Invocation, P], int | None],
) -> Callable[..., int | None]:
    """Give a command the common options and its `Invocation`.

    A parameter that is a dataclass stands for options, one for each of its fields. The
    command returns its exit code; ``None`` is 0.
    """
    own = inspect.signature(function, eval_str=True).parameters
    mine = list(own.values())[1:]
    groups: dict[str, type[Any]] = {
        each.name: each.annotation
        for each in mine
        if isinstance(each.annotation, type) and is_dataclass(each.annotation)
    }
    mine = [
        option
        for each in mine
        for option in (_options(groups[each.name]) if each.name in groups else [each])
    ]
    context = inspect.Parameter(
        "context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
    )
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        context,
        *(each.replace(kind=keyword) for each in mine),
        *(each.replace(kind=keyword) for each in _COMMON.values()),
    ]

    @functools.wraps(function)
    def command(*, context: typer.Context, **given: Any) -> int | None:
        invocation: Invocation = context.obj or Invocation(context=context)
        invocation.context = context
        # Commands below this one find it here.
        context.obj = invocation
        invocation.take({name: given.pop(name) for name in _COMMON})
        for name, made_of in groups.items():
            fields = [each.name for each in dataclasses.fields(made_of)]
            given[name] = made_of(**{each: given.pop(each) for each in fields})
        call: Any = function
        result: int | None = call(invocation, **given)
        return result

    # typer reads both, and follows no __wrapped__ of its own accord.
    del command.__wrapped__
    signature = inspect.Signature(parameters)
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _options(group: type[Any]) -> list[inspect.Parameter]:
    """The fields of a dataclass, as parameters."""
    return list(inspect.signature(group, eval_str=True).parameters.values())


def _set_up_logging(verbose: int, *, quiet: bool) -> None:
    """Send our log to standard error."""
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO)[min(verbose, 1)]
    logging.basicConfig(
        stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("fleetspan").setLevel(logging.DEBUG if verbose > 1 else level)


__all__ = ["SCHEMA_VERSION", "Invocation", "with_common_options"]
