"""The checks of ``doctor`` that need no collector."""

import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from fleetspan_collector.cli._checks import (
    Check,
    check_data,
    check_disk,
    check_otel,
    check_owner,
    check_ports,
    check_prices,
    check_quarantine,
    check_versions,
)
from fleetspan_collector.config import Endpoint, Endpoints, Settings
from fleetspan_collector.journal.lock import DataLock


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose data directory is not there yet."""
    return Settings(data=tmp_path / "data")


def test_a_sound_installation_is_ok(settings: Settings) -> None:
    """Nothing is wrong with what the tests run in, and nothing is made."""
    checks = [
        check_versions(),
        check_data(settings),
        check_owner(settings)[0],
        check_prices(settings),
        check_quarantine(settings),
    ]
    assert [check.status for check in checks] == ["ok"] * 5
    assert not settings.data.exists()


def test_held_lock_fails_and_names_the_holder(settings: Settings) -> None:
    """A lock without a collector that answers is a finding."""
    with DataLock(settings.data):
        check, owned = check_owner(settings)
    assert (check.status, owned) == ("fail", None)
    assert f"process {os.getpid()} " in check.detail


def test_data_directory_that_cannot_be_made_fails(tmp_path: Path) -> None:
    """A file where the directory should be is said, with a way out."""
    (tmp_path / "file").write_text("")
    check = check_data(Settings(data=tmp_path / "file" / "data"))
    assert check.status == "fail"
    assert "--data" in check.fix


@pytest.mark.parametrize(
    ("share", "status"), [(0.5, "ok"), (0.75, "warn"), (4.0, "fail")]
)
def test_disk_is_compared_with_the_floor(
    settings: Settings, tmp_path: Path, share: float, status: str
) -> None:
    """Less than the floor fails, less than twice the floor is a warning."""
    floor = int(shutil.disk_usage(tmp_path).free * share / 1.1)
    check = check_disk(replace(settings, free_disk_floor_bytes=floor))
    assert check.status == status


def test_ports_are_free_ours_or_taken(settings: Settings) -> None:
    """A foreign process on our port fails, our own collector does not."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = Endpoint("127.0.0.1", holder.getsockname()[1])
        only_grpc = replace(
            settings, grpc=taken, http=None, web=None, clickhouse=None, jaeger=None
        )
        foreign = list(check_ports(only_grpc, None))
        elsewhere = list(check_ports(only_grpc, Endpoints(otlp_grpc="127.0.0.1:1")))
        ours = list(check_ports(only_grpc, Endpoints(otlp_grpc=str(taken))))
    free = list(check_ports(replace(only_grpc, grpc=Endpoint("127.0.0.1", 0)), None))
    statuses = [[check.status for check in each] for each in (foreign, elsewhere, ours)]
    assert statuses == [["fail"], ["warn"], ["ok"]]
    assert [check.status for check in free] == ["ok"]


@pytest.mark.parametrize(
    ("variable", "value", "fix"),
    [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "https://api.example.com",
            "unset OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://127.0.0.1:9",
            "unset OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        ),
        ("OTEL_SDK_DISABLED", "true", "unset OTEL_SDK_DISABLED"),
        ("OTEL_TRACES_EXPORTER", "console", "unset OTEL_TRACES_EXPORTER"),
        ("OTEL_TRACES_SAMPLER", "traceidratio", "unset OTEL_TRACES_SAMPLER"),
    ],
)
def test_otel_variables_in_the_way_are_warned_of(
    settings: Settings, variable: str, value: str, fix: str
) -> None:
    """A variable that sends spans elsewhere or nowhere is named, with its remedy."""
    checks = list(check_otel(settings, {variable: value}))
    assert [(check.status, check.fix) for check in checks] == [("warn", fix)]


def test_otel_protocol_and_port_must_agree(settings: Settings) -> None:
    """HTTP sent to the gRPC port arrives nowhere."""
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    checks = list(check_otel(settings, environ))
    fix = "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"
    assert [(check.status, check.fix) for check in checks] == [("warn", fix)]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"},
        {
            "OTEL_TRACES_SAMPLER": "parentbased_always_on",
            "OTEL_TRACES_EXPORTER": "otlp",
        },
    ],
)
def test_harmless_otel_variables_are_ok(
    settings: Settings, environ: dict[str, str]
) -> None:
    """What leads to us is no conflict."""
    assert [check.status for check in check_otel(settings, environ)] == ["ok"]


def test_unreadable_price_file_fails(settings: Settings, tmp_path: Path) -> None:
    """A price file that is not there would silently price nothing."""
    missing = replace(settings, price_override_file=tmp_path / "missing.json")
    assert check_prices(missing).status == "fail"


def test_quarantine_is_counted_by_reason(settings: Settings) -> None:
    """Records in quarantine are a warning that says how many and why."""
    directory = settings.data / "journal" / "quarantine"
    directory.mkdir(parents=True)
    for number, reason in enumerate(["corrupt", "refused", "refused"]):
        (directory / f"{number}.json").write_text(json.dumps({"reason": reason}))
    assert check_quarantine(settings) == Check(
        name="quarantine",
        status="warn",
        detail="2 refused, 1 corrupt",
        fix=f"look at the .json files in {directory}",
    )
