"""``fleetspan keys``: make, list, replace and end API keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access.identity import Scope
from fleetspan_collector.access.keys import Key, KeyFile, find
from fleetspan_collector.cli._invocation import Invocation, with_common_options
from fleetspan_collector.cli._text import plain

keys: Final = typer.Typer(help="API keys: who may send, read, write.")

_SPAN: Final = re.compile(r"(\d{1,6})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_TENANT: Final = 200
_DEFAULT: Final = [Scope.INGEST, Scope.READ]

TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", help="Whose rows; by default the collector's own tenant."),
]
AllTenants = Annotated[
    bool, typer.Option("--all-tenants", help="A key that reads everybody's rows.")
]
Scopes = Annotated[
    list[Scope] | None,
    typer.Option("--scope", help="What it allows; may be repeated [ingest, read]."),
]
Expires = Annotated[
    str | None, typer.Option("--expires", help="After how long it ends, such as 90d.")
]
Note = Annotated[str, typer.Option("--note", help="What it is for.")]
Grace = Annotated[
    str, typer.Option("--grace", help="For how long the old one stays in force.")
]
OneKey = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a key, or its beginning.")
]


def add(
    invocation: Invocation,
    tenant: TenantOption = None,
    all_tenants: AllTenants = False,
    scope: Scopes = None,
    expires: Expires = None,
    note: Note = "",
) -> None:
    """Make a key. It is shown once; from the first one on every port asks for a key."""
    _check_tenant(tenant, all_tenants)
    settings = invocation.load(listening=False).settings
    file = KeyFile(settings.keys_path)
    first = not file.read()
    whose = None if all_tenants else settings.tenant if tenant is None else tenant
    ends = None if expires is None else datetime.now(UTC) + _span(expires, "--expires")
    made, secret = file.add(
        tenant=whose,
        scopes=scope or _DEFAULT,
        note=note,
        expires=ends,
    )
    _show_new(invocation, made, secret)
    if first and not invocation.json:
        invocation.err.print(
            "from now on every port of this collector asks for a key; commands of this "
            "user need none"
        )


def ls(invocation: Invocation) -> None:
    """List the keys, without their secrets."""
    settings = invocation.load(listening=False).settings
    now = datetime.now(UTC)
    rows = [_row(key, now) for key in KeyFile(settings.keys_path).read()]
    if invocation.json:
        invocation.write_json({"keys": rows})
        return
    if not rows:
        invocation.err.print("there are no keys: nobody is asked for one")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("KEY", "STATUS", "TENANT", "SCOPES", "CREATED", "ENDS", "NOTE"):
        table.add_column(heading)
    for row in rows:
        ends = row["revoked_at"] or row["expires_at"] or "–"
        table.add_row(
            row["key_id"],
            row["status"],
            Text(plain(_shown_tenant(row["tenant"]))),
            ",".join(row["scopes"]),
            row["created_at"][:19],
            ends[:19],
            Text(plain(row["note"])),
        )
    invocation.out.print(table)


def revoke(invocation: Invocation, key_id: OneKey) -> None:
    """End a key now; a running collector turns it away within a second."""
    settings = invocation.load(listening=False).settings
    ended = KeyFile(settings.keys_path).revoke(key_id)
    if invocation.json:
        invocation.write_json({"key": _row(ended, datetime.now(UTC))})
    else:
        invocation.out.print(f"{ended.key_id} is revoked")


def rotate(invocation: Invocation, key_id: OneKey, grace: Grace = "24h") -> None:
    """Make a new key like another one, which ends after a while."""
    settings = invocation.load(listening=False).settings
    ends = datetime.now(UTC) + _span(grace, "--grace")
    file = KeyFile(settings.keys_path)
    old = find(file.read(), key_id)
    made, secret = file.rotate(old.key_id, old_ends=ends)
    _show_new(invocation, made, secret)
    if not invocation.json:
        invocation.err.print(
            f"{old.key_id} stays in force until {ends:%Y-%m-%d %H:%M} UTC"
        )


def _check_tenant(tenant: str | None, all_tenants: bool) -> None:
    if all_tenants and tenant is not None:
        raise UsageError(
            "the key cannot be made",
            because="--tenant and --all-tenants exclude each other",
            suggestion="fleetspan keys add --all-tenants",
        )
    if tenant is not None and not (
        tenant.isprintable() and len(tenant) <= _MOST_TENANT
    ):
        raise UsageError(
            "the key cannot be made",
            because=f"the tenant {tenant[:40]!r} is longer than {_MOST_TENANT} characters, "
            "or has some that cannot be printed",
            suggestion="fleetspan keys add --tenant blue",
        )


def _show_new(invocation: Invocation, made: Key, secret: str) -> None:
    if invocation.json:
        row = _row(made, datetime.now(UTC))
        invocation.write_json({"key": {**row, "secret": secret}})
        return
    invocation.out.print(Text(secret), soft_wrap=True)
    whose = _shown_tenant(made.tenant)
    invocation.err.print(
        f"key {made.key_id} of {plain(whose)}, for {', '.join(made.scopes)}; it is not "
        "shown again"
    )


def _shown_tenant(tenant: str | None) -> str:
    if tenant is None:
        return "all tenants"
    return tenant or "(the only tenant)"


def _row(key: Key, now: datetime) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "status": key.status(now),
        "tenant": key.tenant,
        "scopes": [str(scope) for scope in key.scopes],
        "note": key.note,
        "created_at": _time(key.created),
        "expires_at": _time(key.expires),
        "revoked_at": _time(key.revoked),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _span(text: str, flag: str) -> timedelta:
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"{flag} {text[:40]!r} cannot be used",
            because="it is not a time such as 90d, 24h, 30m or 10s",
            suggestion=f"{flag} 90d",
        )
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


_COMMANDS: Final[dict[str, Callable[..., int | None]]] = {
    "add": with_common_options(add),
    "ls": with_common_options(ls),
    "revoke": with_common_options(revoke),
    "rotate": with_common_options(rotate),
}
for _name, _command in _COMMANDS.items():
    keys.command(_name)(_command)
