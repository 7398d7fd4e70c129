"""Settings from flags, then the environment, then a TOML file, then defaults."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import platformdirs

from fleetspan_collector._errors import UsageError
from fleetspan_collector.config._sdk_variables import sdk_variables
from fleetspan_collector.config._setting import ENV_PREFIX, Setting
from fleetspan_collector.config._settings import SETTINGS, Settings

CONFIG_VARIABLE: Final = "FLEETSPAN_CONFIG"
# Test suites and their fault injection name their switches so.
_TEST_PREFIX: Final = "FLEETSPAN_TEST_"
# Read by the hook that runs beside Claude Code, which has no settings file.
_HOOK_VARIABLES: Final = frozenset(
    {
        "FLEETSPAN_GRAFANA_TOKEN",
        "FLEETSPAN_HOOK_ENDPOINT",
        "FLEETSPAN_KEY",
        "FLEETSPAN_SPOOL",
    }
)
# What a command that is told of a finding has in its environment; it may call us.
_FINDING_PREFIX: Final = "FLEETSPAN_FINDING_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The settings and where each came from.

    Attributes:
        settings: The settings.
        origins: By name of the setting: ``flag --grpc``, ``environment FLEETSPAN_GRPC``,
            ``file /path/config.toml`` or ``default``.
        file: The TOML file that was read; ``None`` when there is none.
    """

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as the user wrote it, and how to name the place where he did."""

    value: object
    origin: str
    label: str


def load(
    flags: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
    listening: bool = True,
) -> Loaded:
    """Read the settings from everywhere.

    Args:
        flags: Values by name of the setting; ``None`` values are flags not given.
        environ: The environment, that of the process unless given.
        file: The TOML file of ``--config``; it must exist.
        listening: Whether ports that reach too far are refused; not for the command
            that makes the key which closes them.

    Raises:
        UsageError: When a name is not known or a value cannot be used.
    """
    environ = os.environ if environ is None else environ
    given: dict[str, _Given] = {}
    for name, value in (flags or {}).items():
        if value is not None:
            flag = SETTINGS[name].flag or f"--set {name}"
            given[name] = _Given(value, f"flag {flag}", flag)
    for name, value in _from_environment(environ).items():
        variable = SETTINGS[name].variable
        given.setdefault(name, _Given(value, f"environment {variable}", variable))
    path, table = _read_file(file, environ, given)
    for name, value in table.items():
        given.setdefault(name, _Given(value, f"file {path}", f"{name} in {path}"))
    settings = Settings(
        **{name: _parse(SETTINGS[name], g) for name, g in given.items()}
    )
    _check(settings)
    if listening:
        _check_ports(settings, given)
    origins = {
        name: given[name].origin if name in given else "default" for name in SETTINGS
    }
    return Loaded(settings=settings, origins=origins, file=path)


def parse_assignments(assignments: Iterable[str]) -> dict[str, object]:
    """Read ``NAME=VALUE`` flags.

    Raises:
        UsageError: When one is not of that form or its name is not known.
    """
    values: dict[str, object] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(
                "--set cannot be used",
                because=f"expected NAME=VALUE, got {assignment!r}",
                suggestion="fleetspan up --set idle_timeout_s=600",
            )
        if name not in SETTINGS:
            raise _unknown(name, "a --set flag", SETTINGS)
        values[name] = value
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    by_variable = {setting.variable: name for name, setting in SETTINGS.items()}
    values: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith(ENV_PREFIX):
            continue
        if variable in by_variable:
            # As in OpenTelemetry, an empty variable is as good as none.
            if value.strip():
                values[by_variable[variable]] = value
        elif not _is_known(variable):
            known = [*by_variable, CONFIG_VARIABLE, *sdk_variables()]
            raise _unknown(variable, "the environment", known)
    return values


def _is_known(variable: str) -> bool:
    return (
        variable == CONFIG_VARIABLE
        or variable in _HOOK_VARIABLES
        or variable.startswith((_TEST_PREFIX, _FINDING_PREFIX))
        or variable in sdk_variables()
    )


def _read_file(
    file: Path | None, environ: Mapping[str, str], given: Mapping[str, _Given]
) -> tuple[Path | None, dict[str, object]]:
    """Find and read the TOML file; without one, ``(None, {})``."""
    named = file
    if named is None and environ.get(CONFIG_VARIABLE, "").strip():
        named = Path(environ[CONFIG_VARIABLE])
    if named is not None:
        path = named.expanduser().absolute()
        return path, _parse_file(path)
    data = (
        _parse(SETTINGS["data"], given["data"]) if "data" in given else Settings().data
    )
    inside = data / "config.toml"
    if inside.is_file():
        table = _parse_file(inside)
        if "data" in table:
            raise UsageError(
                f"{inside} cannot be used",
                because="it sets 'data', but it was found through the data directory",
                suggestion=f"remove 'data' from it, or set FLEETSPAN_DATA={data}",
            )
        return inside, table
    user = Path(platformdirs.user_config_dir("fleetspan", appauthor=False))
    user /= "config.toml"
    return (user, _parse_file(user)) if user.is_file() else (None, {})


def _parse_file(path: Path) -> dict[str, object]:
    try:
        table: dict[str, object] = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"the settings file {path} cannot be read",
            because=error.strerror or str(error),
            suggestion=f"name another with --config or {CONFIG_VARIABLE}",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the settings file {path} is not TOML",
            because=str(error),
            suggestion='write it as lines such as: grpc = "127.0.0.1:4317"',
        ) from error
    for name in table:
        if name not in SETTINGS:
            raise _unknown(name, str(path), SETTINGS)
    return table


def _parse(setting: Setting, given: _Given) -> Any:
    try:
        return setting.parse(given.value)
    except (ValueError, TypeError) as problem:
        got = "" if setting.secret else f", got {given.value!r}"
        raise UsageError(
            f"the setting '{setting.name}' cannot be used",
            because=f"{given.label}: {problem}{got}",
            suggestion=f"{setting.variable}={setting.example!r}",
        ) from None


def _check_ports(settings: Settings, given: Mapping[str, _Given]) -> None:
    """Refuse ports beyond loopback that ask for nothing."""
    # A file that is there has held a key: who revoked the last one let nobody in.
    closed = settings.tls_client_ca_file is not None or settings.keys_path.exists()
    for name, endpoint in settings.endpoints.items():
        if endpoint is None:
            continue
        if not endpoint.is_loopback and not (settings.insecure or closed):
            raise UsageError(
                f"refusing to listen on {endpoint}",
                because=f"{given[name].label} reaches beyond this machine, and neither "
                "a key nor a certificate of clients is asked for",
                suggestion=f"fleetspan keys add, which has every port ask for one; or "
                f"--{name} 127.0.0.1:{endpoint.port}; or --insecure on a network where "
                "everybody may read and write",
            )


def _check(settings: Settings) -> None:
    """Refuse what each value alone allows and the whole does not."""
    _check_tls(settings)
    if settings.journal_cap_bytes < 2 * settings.journal_segment_bytes:
        raise UsageError(
            "the setting 'journal_cap_bytes' cannot be used",
            because="it must hold at least two segments: "
            f"{settings.journal_cap_bytes} is less than twice journal_segment_bytes, "
            f"{settings.journal_segment_bytes}",
            suggestion=f"--set journal_cap_bytes={2 * settings.journal_segment_bytes}",
        )


def _check_tls(settings: Settings) -> None:
    files = {
        name: getattr(settings, name)
        for name in ("tls_cert_file", "tls_key_file", "tls_client_ca_file")
    }
    given = [name for name, path in files.items() if path is not None]
    missing = [name for name in ("tls_cert_file", "tls_key_file") if not files[name]]
    if given and missing:
        raise UsageError(
            f"the setting '{given[0]}' cannot be used alone",
            because=f"TLS needs {missing[0]}, too",
            suggestion=f"--set {missing[0]}=/etc/fleetspan/tls"
            + (".key" if missing[0] == "tls_key_file" else ".crt"),
        )


def _unknown(name: str, where: str, known: Iterable[str]) -> UsageError:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return UsageError(
        f"unknown setting {name!r}",
        because=f"{where} sets it, and there is no such setting",
        suggestion=f"did you mean {close[0]!r}?" if close else "fleetspan config show",
    )
