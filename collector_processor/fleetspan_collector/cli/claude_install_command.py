"""``fleetspan claude install`` and ``fleetspan claude uninstall``."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.text import Text

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access.keys import masked
from fleetspan_collector.claude_settings.files import (
    is_project_file,
    read_record,
    user_settings,
)
from fleetspan_collector.claude_settings.install import (
    Plan,
    plan_install,
    plan_uninstall,
    remaining,
)
from fleetspan_collector.claude_settings.wanted import LEFT_OUT, wanted
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._text import plain, plain_lines
from fleetspan_collector.config import Settings
from fleetspan_collector.control.rules_file import read_rules


class _Content(StrEnum):
    NONE = "none"
    FULL = "full"


class _Form(StrEnum):
    COMMAND = "command"
    HTTP = "http"


SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings", help="Settings file; by default the user's.", metavar="FILE"
    ),
]
Url = Annotated[
    str | None,
    typer.Option("--endpoint", help="The collector's OTLP/HTTP port.", metavar="URL"),
]
Project = Annotated[
    str | None, typer.Option("--project", help="What the sessions belong to.")
]
Content = Annotated[
    _Content,
    typer.Option(
        "--content",
        help="full: the client's spans and events carry prompts and tool content.",
    ),
]
Form = Annotated[
    _Form,
    typer.Option(
        "--hooks",
        help="command: silent, kept while no collector runs. http: sent by the client "
        "itself, which shows an error for each while no collector runs.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        help="What the collector wants to be shown, written into the settings; "
        "-: a line of standard input.",
        metavar="KEY",
    ),
]


class _Unreachable(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


Controlled = Annotated[
    bool,
    typer.Option(
        "--control",
        help="Have the collector answer what agents may do, by the rules of its "
        "control_file.",
    ),
]
Unreachable = Annotated[
    _Unreachable | None,
    typer.Option(
        "--if-unreachable",
        help="With --control, what holds when no collector answers; by default what the "
        "control_file of this machine says.",
    ),
]
StatusLine = Annotated[
    bool, typer.Option("--statusline", help="A status line too, if there is none.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace what is set to something else.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")]


_OTHERS_READ: Final = 0o044


def install(
    invocation: Invocation,
    settings_file: SettingsFile = None,
    endpoint: Url = None,
    project: Project = None,
    content: Content = _Content.NONE,
    form: Form = _Form.COMMAND,
    status_line: StatusLine = False,
    key: Key = None,
    control: Controlled = False,
    if_unreachable: Unreachable = None,
    force: Force = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    """Have Claude Code report to Fleetspan: telemetry variables and hooks.

    Shows the difference and asks first; what is there stays. Run it again with other
    options to change them.
    """
    path = _path(settings_file, force=force)
    settings = invocation.load().settings
    moved = settings.data if settings.data != Settings().data else None
    plan = plan_install(
        path,
        wanted(
            _checked(endpoint) if endpoint else _default_endpoint(settings),
            project=project,
            content=content.value,
            form=form.value,
            status_line=status_line,
            data=moved,
            key=_shown_key(key),
            unreachable=_unreachable(settings, if_unreachable) if control else None,
        ),
        force=force,
    )
    if not invocation.json:
        for warning in plan.hindrances():
            invocation.err.print(Text(plain(f"note: {warning}")), soft_wrap=True)
    done = _do(invocation, plan, "install", yes=yes, dry_run=dry_run)
    if done and not invocation.json:
        _explain(invocation)
        if key is not None and path.stat().st_mode & _OTHERS_READ:
            invocation.err.print(
                Text(plain(f"note: others can read the key: chmod 600 {path}")),
                soft_wrap=True,
            )
    return 1 if plan.conflicts else 0


def uninstall(
    invocation: Invocation,
    settings_file: SettingsFile = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    """Take Fleetspan out of Claude Code's settings; the file becomes what it was."""
    path = _path(settings_file, force=True)
    had_record = read_record(path) is not None
    plan = plan_uninstall(path)
    _do(invocation, plan, "uninstall", yes=yes, dry_run=dry_run)
    if not had_record and plan.changes:
        left = remaining(plan, list(wanted("http://127.0.0.1").env))
        if left:
            invocation.err.print(
                "without the record of the installation variables are left alone: "
                + ", ".join(left)
            )
    return 0


def _path(given: Path | None, *, force: bool) -> Path:
    path = user_settings(os.environ)
    if given is None:
        return path
    given = given.expanduser().absolute()
    if given.is_dir():
        given /= "settings.json"
    if not force and is_project_file(given, os.environ):
        raise UsageError(
            f"{given} is the settings file of a project",
            because="Claude Code ignores telemetry variables there; only the user's "
            "settings, managed settings and the shell can switch telemetry on",
            suggestion=f"--settings {path}, or --force for the hooks alone",
        )
    return given


def _default_endpoint(settings: Settings) -> str:
    where = settings.http
    scheme = "http" if settings.tls_cert_file is None else "https"
    if where is None or where.port == 0:
        return f"{scheme}://127.0.0.1:4318"
    return f"{scheme}://{where}"


def _unreachable(settings: Settings, said: _Unreachable | None) -> str:
    """Return what holds without a collector: nobody but the user can say it."""
    if said is not None:
        return said.value
    if settings.control_file is None:
        raise UsageError(
            "--control cannot be used",
            because="nothing says what agents do when no collector answers",
            suggestion="--if-unreachable allow, ask or deny; or name the rules: "
            "--set control_file=FILE",
        )
    return str(read_rules(settings.control_file).if_unreachable)


def _checked(endpoint: str) -> str:
    address = endpoint if "://" in endpoint else f"http://{endpoint}"
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not parts.hostname or any(c.isspace() for c in address):
        raise UsageError(
            f"the endpoint {endpoint!r} cannot be used",
            because="it is not an address such as http://127.0.0.1:4318",
            suggestion="--endpoint http://127.0.0.1:4318",
        )
    return address.rstrip("/")


def _do(
    invocation: Invocation, plan: Plan, what: str, *, yes: bool, dry_run: bool
) -> bool:
    """Show, ask and carry out; say whether the settings are as wanted now."""
    diff = masked(plan.diff()) if plan.changes else ""
    if not invocation.json:
        for conflict in plan.conflicts:
            invocation.err.print(
                Text(
                    plain(
                        masked(
                            f"kept: {conflict.name} is {conflict.found!r}, not "
                            f"{conflict.wanted!r}; --force replaces it"
                        )
                    )
                )
            )
        if diff:
            invocation.out.print(
                Text(plain_lines(diff.replace("\r", "")).rstrip("\n")), soft_wrap=True
            )
    carried_out = False
    if not dry_run:
        if plan.changes and not yes:
            _ask(plan, what)
        plan.carry_out()
        carried_out = plan.changes
    if invocation.json:
        invocation.write_json(
            {
                "settings": str(plan.path),
                "changed": carried_out,
                "diff": diff,
                "conflicts": [
                    {
                        "name": each.name,
                        "found": _masked(each.found),
                        "wanted": _masked(each.wanted),
                    }
                    for each in plan.conflicts
                ],
                "warnings": plan.hindrances(),
                "left_out": dict(LEFT_OUT),
            }
        )
    elif not plan.changes:
        invocation.err.print("nothing to do")
    elif dry_run:
        invocation.err.print("nothing was written")
    else:
        invocation.err.print(Text(f"{what}ed in {plan.path}"))
    return carried_out


def _masked(value: object) -> object:
    return masked(value) if isinstance(value, str) else value


def _shown_key(key: str | None) -> str | None:
    """Return the key of ``--key``; ``-`` is the first line of standard input."""
    if key == "-":
        key = sys.stdin.readline().strip()
    if key is not None and not (key and key.isascii() and key.isprintable()):
        raise UsageError(
            "the key of --key cannot be used",
            because="it is empty, or has characters that no header can carry",
            suggestion="fleetspan keys add --scope ingest | fleetspan claude install "
            "--key - --yes",
        )
    return key


def _ask(plan: Plan, what: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"nothing was written to {plan.path}",
            because="there is nobody to ask: standard input is not a terminal",
            suggestion=f"fleetspan claude {what} --yes, or --dry-run",
        )
    if not typer.confirm("write this?", err=True):
        raise UsageError(
            f"nothing was written to {plan.path}",
            because="the answer was no",
            suggestion=f"fleetspan claude {what} --dry-run, to look again",
        )


def _explain(invocation: Invocation) -> None:
    invocation.err.print(
        "sessions that start from now on report to Fleetspan; "
        "hooks carry prompts and tool inputs whatever --content says\n"
        "next: fleetspan up, then a new session, then fleetspan ls",
        soft_wrap=True,
    )
