"""Where settings come from, and what is refused."""

from pathlib import Path

import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access.keys import KeyFile
from fleetspan_collector.config import Endpoint, Settings, load, show


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment whose data and configuration directories are empty."""
    return {"FLEETSPAN_DATA": str(tmp_path / "data")}


def test_flag_before_environment_before_file_before_default(tmp_path: Path) -> None:
    """The first place that has a setting wins, and its origin says which it was."""
    data = tmp_path / "data"
    data.mkdir()
    file = data / "config.toml"
    file.write_text('grpc = "127.0.0.1:1"\nhttp = "127.0.0.1:2"\nweb = "127.0.0.1:3"\n')
    loaded = load(
        {"grpc": "127.0.0.1:11", "http": None},
        environ={
            "FLEETSPAN_DATA": str(data),
            "FLEETSPAN_GRPC": "127.0.0.1:21",
            "FLEETSPAN_HTTP": "127.0.0.1:22",
        },
    )
    assert loaded.settings.grpc == Endpoint("127.0.0.1", 11)
    assert loaded.settings.http == Endpoint("127.0.0.1", 22)
    assert loaded.settings.web == Endpoint("127.0.0.1", 3)
    assert loaded.settings.jaeger == Endpoint("127.0.0.1", 17271)
    assert loaded.origins["grpc"] == "flag --grpc"
    assert loaded.origins["http"] == "environment FLEETSPAN_HTTP"
    assert loaded.origins["web"] == f"file {file}"
    assert loaded.origins["jaeger"] == "default"
    assert loaded.file == file


def test_defaults(nowhere: dict[str, str], tmp_path: Path) -> None:
    """Without anything set, everything listens on loopback and the store is embedded."""
    settings = load(environ=nowhere).settings
    assert {name: show(each) for name, each in settings.endpoints.items()} == {
        "grpc": "127.0.0.1:4317",
        "http": "127.0.0.1:4318",
        "web": "127.0.0.1:4319",
        "clickhouse": "127.0.0.1:8123",
        "jaeger": "127.0.0.1:17271",
    }
    assert show(settings.store) == f"chdb://{tmp_path}/data/store"
    assert settings.journal_segment_bytes == 16_777_216
    assert settings.journal_cap_bytes == 2_147_483_648
    assert settings.free_disk_floor_bytes == 536_870_912
    assert settings.request_limit_bytes == 67_108_864
    assert settings.idle_timeout_s == 900.0
    assert settings.cpu_budget_busy_cores == 0.5
    assert settings.cpu_budget_idle_cores == 0.05


def test_store_lies_under_the_data_directory(tmp_path: Path) -> None:
    """Settings made in code put the embedded store under their data directory."""
    assert Settings(data=tmp_path).store.path == tmp_path / "store"


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("FLEETSPAN_GRPC", "off", "grpc", None),
        ("FLEETSPAN_GRPC", "[::1]:0", "grpc", Endpoint("::1", 0)),
        ("FLEETSPAN_GRPC", "5000", "grpc", Endpoint("127.0.0.1", 5000)),
        ("FLEETSPAN_JOURNAL_CAP_BYTES", "3 GiB", "journal_cap_bytes", 3_221_225_472),
        ("FLEETSPAN_JOURNAL_CAP_BYTES", "100MB", "journal_cap_bytes", 100_000_000),
        ("FLEETSPAN_FREE_DISK_FLOOR_BYTES", "0", "free_disk_floor_bytes", 0),
        ("FLEETSPAN_RETENTION_LOGS_DAYS", "0", "retention_logs_days", 0),
        ("FLEETSPAN_INSECURE", "yes", "insecure", True),
        ("FLEETSPAN_TENANT", "a", "tenant", "a"),
        # As in OpenTelemetry, an empty variable is as good as none.
        ("FLEETSPAN_IDLE_TIMEOUT_S", "", "idle_timeout_s", 900.0),
    ],
)
def test_values_are_read(
    nowhere: dict[str, str], variable: str, value: str, field: str, expected: object
) -> None:
    """Endpoints, sizes with units, zeros and switches are read as documented."""
    settings = load(environ={**nowhere, variable: value}).settings
    assert getattr(settings, field) == expected


@pytest.mark.parametrize(
    ("variable", "value", "because"),
    [
        ("FLEETSPAN_GRPC", "here", "expected HOST:PORT"),
        ("FLEETSPAN_GRPC", "127.0.0.1:65536", "from 0 to 65535"),
        ("FLEETSPAN_GRPC", "::1:4317", "in brackets"),
        ("FLEETSPAN_IDLE_TIMEOUT_S", "0", "more than 0"),
        ("FLEETSPAN_IDLE_TIMEOUT_S", "nan", "expected a number"),
        ("FLEETSPAN_ENGINE_THREADS", "-1", "from 0 to 1024"),
        ("FLEETSPAN_JOURNAL_SEGMENT_BYTES", "1 KiB", "at least 64 KiB"),
        ("FLEETSPAN_JOURNAL_CAP_BYTES", "20 MiB", "at least two segments"),
        ("FLEETSPAN_ENGINE_MEMORY_BYTES", "1", "0 or at least 256 MiB"),
        ("FLEETSPAN_INSECURE", "maybe", "true or false"),
        ("FLEETSPAN_STORE", "sqlite:///x", "expected chdb:///"),
        ("FLEETSPAN_CLICKHOUSE", "0.0.0.0:8123", "reaches beyond this machine"),
        ("FLEETSPAN_WEB", "0.0.0.0:4319", "reaches beyond this machine"),
        ("FLEETSPAN_WEB", "example.com:1", "reaches beyond this machine"),
    ],
)
def test_unusable_values_are_refused(
    nowhere: dict[str, str], variable: str, value: str, because: str
) -> None:
    """A value that cannot be used is an answer that names the variable."""
    with pytest.raises(UsageError) as caught:
        load(environ={**nowhere, variable: value})
    assert because in caught.value.because
    assert caught.value.exit_code == 2


def test_insecure_allows_a_wider_bind(nowhere: dict[str, str]) -> None:
    """Listening beyond loopback takes an explicit --insecure."""
    environ = {**nowhere, "FLEETSPAN_WEB": "0.0.0.0:4319"}
    assert load({"insecure": True}, environ=environ).settings.web == Endpoint(
        "0.0.0.0",  # noqa: S104 - the very thing under test
        4319,
    )


def test_keys_allow_a_wider_bind(nowhere: dict[str, str]) -> None:
    """Once keys are asked for, ports may be reached from elsewhere; else it is said how."""
    environ = {**nowhere, "FLEETSPAN_WEB": "0.0.0.0:4319"}
    with pytest.raises(UsageError) as caught:
        load(environ=environ)
    assert "fleetspan keys add" in caught.value.suggestion
    KeyFile(Path(nowhere["FLEETSPAN_DATA"]) / "keys.json").add(tenant="a", scopes=[])
    found = load(environ=environ).settings
    assert found.web == Endpoint("0.0.0.0", 4319)  # noqa: S104


def test_certificates_of_clients_allow_a_wider_bind(
    nowhere: dict[str, str], tmp_path: Path
) -> None:
    """Who must show a certificate need not show a key."""
    environ = {**nowhere, "FLEETSPAN_WEB": "0.0.0.0:4319"}
    for name in ("TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"):
        path = tmp_path / name
        path.touch()
        environ[f"FLEETSPAN_{name}"] = str(path)
    assert load(environ=environ).settings.web == Endpoint("0.0.0.0", 4319)  # noqa: S104


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("TLS_CERT_FILE", "tls_key_file"),
        ("TLS_KEY_FILE", "tls_cert_file"),
        ("TLS_CLIENT_CA_FILE", "tls_cert_file"),
    ],
)
def test_half_of_tls_is_refused(
    nowhere: dict[str, str], tmp_path: Path, name: str, missing: str
) -> None:
    """A certificate without its key, or the reverse, is an answer that names the other."""
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match="cannot be used alone") as caught:
        load(environ={**nowhere, f"FLEETSPAN_{name}": str(tmp_path / name)})
    assert caught.value.because == f"TLS needs {missing}, too"


def test_unknown_variable_is_refused_with_a_guess(nowhere: dict[str, str]) -> None:
    """A misspelt variable is not silently without effect."""
    with pytest.raises(UsageError) as caught:
        load(environ={**nowhere, "FLEETSPAN_GRCP": "off"})
    assert caught.value.error == "unknown setting 'FLEETSPAN_GRCP'"
    assert caught.value.suggestion == "did you mean 'FLEETSPAN_GRPC'?"


def test_unknown_key_of_the_file_is_refused_with_a_guess(tmp_path: Path) -> None:
    """A misspelt key of the file is not silently without effect."""
    (tmp_path / "config.toml").write_text("idle_timeout = 5\n")
    with pytest.raises(UsageError) as caught:
        load(environ={"FLEETSPAN_DATA": str(tmp_path)})
    assert caught.value.suggestion == "did you mean 'idle_timeout_s'?"


def test_the_sdks_own_variables_are_ignored(nowhere: dict[str, str]) -> None:
    """A shell may set the SDK's variables and use the command."""
    environ = {**nowhere, "FLEETSPAN_CAPTURE_CONTENT": "true"}
    assert load(environ=environ).settings.tenant == ""


def test_named_file_must_exist(tmp_path: Path) -> None:
    """FLEETSPAN_CONFIG names a file that is there."""
    missing = tmp_path / "missing.toml"
    with pytest.raises(UsageError, match="cannot be read"):
        load(environ={"FLEETSPAN_CONFIG": str(missing)})


def test_named_file_goes_before_the_one_in_the_data_directory(tmp_path: Path) -> None:
    """Only one file is read."""
    named = tmp_path / "named.toml"
    named.write_text(f'data = "{tmp_path}"\ntenant = "named"\n')
    (tmp_path / "config.toml").write_text('tenant = "inside"\nidle_timeout_s = 1\n')
    settings = load(environ={"FLEETSPAN_CONFIG": str(named)}).settings
    assert (settings.tenant, settings.idle_timeout_s) == ("named", 900.0)


def test_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    """The error names the file and the place in it."""
    (tmp_path / "config.toml").write_text("grpc = off\n")
    with pytest.raises(UsageError, match="is not TOML") as caught:
        load(environ={"FLEETSPAN_DATA": str(tmp_path)})
    assert "line 1" in caught.value.because


def test_file_cannot_move_the_directory_it_was_found_in(tmp_path: Path) -> None:
    """A config.toml inside the data directory does not name another one."""
    (tmp_path / "config.toml").write_text('data = "/elsewhere"\n')
    with pytest.raises(UsageError, match="cannot be used"):
        load(environ={"FLEETSPAN_DATA": str(tmp_path)})


@pytest.mark.parametrize(
    "value",
    [
        "clickhouse://me:s3cret@db:99999999/otel",
        "clickhouse://me:x/s3cret@db:8123/otel",
        "clickhouse://me:s3cret@db/not an identifier",
        "postgres://me:s3cret@db/otel",
    ],
)
def test_password_is_in_no_error(nowhere: dict[str, str], value: str) -> None:
    """What is wrong with a store's address is said without its password."""
    with pytest.raises(UsageError) as caught:
        load(environ={**nowhere, "FLEETSPAN_STORE": value})
    error = caught.value
    assert "s3cret" not in f"{error} {error.because} {error.suggestion}"


def test_password_is_masked(nowhere: dict[str, str]) -> None:
    """A shown store has *** for its password, and keeps the rest."""
    store = "clickhouse://me:s3cret@db:9000/traces?cluster=main"
    settings = load(environ={**nowhere, "FLEETSPAN_STORE": store}).settings
    assert show(settings.store) == "clickhouse://me:***@db:9000/traces?cluster=main"
    assert settings.store.password == "s3cret"  # noqa: S105 - the test's own
    assert "s3cret" not in repr(settings)
