"""The checks of ``doctor`` that need no collector."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from fleetspan_collector._errors import CollectorError, UnreachableError
from fleetspan_collector.cli._source import find_owner
from fleetspan_collector.cli.version_command import versions
from fleetspan_collector.config import (
    Endpoint,
    Endpoints,
    Settings,
    check_free,
    show_size,
)
from fleetspan_collector.journal.lock import DataLock

_PRICES_OLD_DAYS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found about one thing.

    Attributes:
        name: What was looked at.
        status: ``ok``, ``warn`` (works, but see) or ``fail``.
        detail: What was found.
        fix: What to do; empty when all is well.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    fix: str = ""


def failed(name: str, error: CollectorError) -> Check:
    """Make a failed check of an error."""
    detail = f"{error.error}: {error.because}"
    return Check(name=name, status="fail", detail=detail, fix=error.suggestion)


def check_versions() -> Check:
    """Look at Python and the engine."""
    found = versions()
    detail = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    if found["chdb-core"] is None:
        fix = f"{sys.executable} -m pip install 'fleetspan[server]'"
        return Check(name="versions", status="fail", detail="no engine", fix=fix)
    return Check(name="versions", status="ok", detail=detail)


def check_data(settings: Settings) -> Check:
    """See whether the data directory can be written, or made."""
    data = settings.data
    place = data
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check(
            name="data directory",
            status="fail",
            detail=f"{place} cannot be written: {error.strerror}",
            fix=f"chmod u+rwx {place}, or choose another with --data",
        )
    detail = str(data) if place == data else f"{data} (will be made)"
    return Check(name="data directory", status="ok", detail=detail)


def check_disk(settings: Settings) -> Check:
    """Compare the free space with the floor below which requests are refused."""
    place = settings.data
    while not place.exists() and place != place.parent:
        place = place.parent
    free, floor = shutil.disk_usage(place).free, settings.free_disk_floor_bytes
    detail = f"{free / 2**30:.1f} GiB free, the floor is {show_size(floor)}"
    fix = "free some space, move the data with --data, or lower free_disk_floor_bytes"
    if free < floor:
        return Check(name="disk", status="fail", detail=detail, fix=fix)
    if free < 2 * floor:
        return Check(name="disk", status="warn", detail=detail, fix=fix)
    return Check(name="disk", status="ok", detail=detail)


def check_owner(settings: Settings) -> tuple[Check, Endpoints | None]:
    """See who owns the data directory, and what a running collector listens on."""
    owner = find_owner(settings)
    if owner is not None:
        detail = (
            f"process {owner[1]} runs a collector, web port {owner[0].web or 'off'}"
        )
        return Check(name="owner", status="ok", detail=detail), owner[0]
    if not settings.data.is_dir():
        return Check(name="owner", status="ok", detail="nobody"), None
    try:
        DataLock(settings.data).close()
    except UnreachableError as error:
        return failed("owner", error), None
    except OSError as error:
        detail = f"the lock cannot be opened: {error}"
        fix = f"chmod u+rw {settings.data / 'lock'}"
        return Check(name="owner", status="fail", detail=detail, fix=fix), None
    return Check(name="owner", status="ok", detail="nobody, the lock is free"), None


def check_ports(settings: Settings, owned: Endpoints | None) -> Iterator[Check]:
    """See whether each port is free, or taken by our own collector."""
    ours = set(vars_of(owned).values()) if owned else set()
    for name, endpoint in settings.endpoints.items():
        label = f"port {name}"
        if endpoint is None:
            continue
        if str(endpoint) in ours:
            yield Check(name=label, status="ok", detail=f"{endpoint}, our collector")
            continue
        try:
            check_free(name, endpoint)
        except UnreachableError as error:
            # With a collector running elsewhere, this port is not needed now.
            status: Literal["warn", "fail"] = "warn" if owned else "fail"
            detail = f"{error.error}: {error.because}"
            yield Check(name=label, status=status, detail=detail, fix=error.suggestion)
        else:
            yield Check(name=label, status="ok", detail=f"{endpoint}, free")


def vars_of(endpoints: Endpoints) -> dict[str, str | None]:
    """Return the addresses by name."""
    return {name: getattr(endpoints, name) for name in endpoints.__slots__}


def check_otel(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """Look for ``OTEL_*`` variables that send spans elsewhere, or nowhere."""
    name = "OTEL_* variables"
    problems = list(_otel_problems(settings, environ))
    for detail, fix in problems:
        yield Check(name=name, status="warn", detail=detail, fix=fix)
    if not problems:
        yield Check(name=name, status="ok", detail="none in the way")


def _otel_problems(
    settings: Settings, environ: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    ports = {str(each.port) for each in (settings.grpc, settings.http) if each}
    for suffix in ("ENDPOINT", "TRACES_ENDPOINT"):
        variable = f"OTEL_EXPORTER_OTLP_{suffix}"
        endpoint = environ.get(variable, "")
        if endpoint and not any(f":{port}" in endpoint for port in ports):
            yield f"{variable}={endpoint} sends spans elsewhere", f"unset {variable}"
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    endpoint = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    both = settings.grpc is not None and settings.http is not None
    if both and protocol.startswith("http") and f":{_port(settings.grpc)}" in endpoint:
        yield (
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} with the gRPC port",
            f"export OTEL_EXPORTER_OTLP_ENDPOINT=http://{settings.http}",
        )
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        yield "OTEL_SDK_DISABLED=true switches telemetry off", "unset OTEL_SDK_DISABLED"
    exporter = environ.get("OTEL_TRACES_EXPORTER", "otlp")
    if exporter and "otlp" not in exporter:
        fix = "unset OTEL_TRACES_EXPORTER"
        yield f"OTEL_TRACES_EXPORTER={exporter} does not send OTLP", fix
    sampler = environ.get("OTEL_TRACES_SAMPLER", "")
    if sampler and not sampler.endswith("always_on"):
        fix = "unset OTEL_TRACES_SAMPLER"
        yield f"OTEL_TRACES_SAMPLER={sampler} leaves spans out", fix


def _port(endpoint: Endpoint | None) -> int:
    return endpoint.port if endpoint is not None else 0


def check_prices(settings: Settings) -> Check:
    """See how old the price table is, and whether the user's own can be read."""
    name = "prices"
    override = settings.price_override_file
    if override is not None and not os.access(override, os.R_OK):
        fix = "correct or unset price_override_file"
        detail = f"{override} cannot be read"
        return Check(name=name, status="fail", detail=detail, fix=fix)
    # The package carries no date of its own; it cannot be younger than its installation.
    installed = importlib.metadata.distribution("genai-prices").locate_file(
        "genai_prices"
    )
    age_days = int((time.time() - os.stat(str(installed)).st_mtime) / 86400)
    detail = f"genai-prices {_version()}, installed {age_days} days ago"
    if age_days > _PRICES_OLD_DAYS:
        fix = f"{sys.executable} -m pip install --upgrade genai-prices"
        return Check(name=name, status="warn", detail=detail, fix=fix)
    return Check(name=name, status="ok", detail=detail)


def _version() -> str:
    return versions()["genai-prices"] or "of unknown version"


def check_quarantine(settings: Settings) -> Check:
    """Count the records that could not be used."""
    directory = settings.data / "journal" / "quarantine"
    reasons = Counter(_reasons(directory))
    if not reasons:
        return Check(name="quarantine", status="ok", detail="empty")
    detail = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
    fix = f"look at the .json files in {directory}"
    return Check(name="quarantine", status="warn", detail=detail, fix=fix)


def _reasons(directory: Path) -> Iterator[str]:
    """Yield the reason of each record; read only, the owner may be at work there."""
    for path in directory.glob("*.json"):
        try:
            reason = json.loads(path.read_bytes())["reason"]
        except (OSError, ValueError, KeyError, TypeError):
            reason = "unreadable"
        yield str(reason)
