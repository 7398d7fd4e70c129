"""ClickHouse's own Go client, with its basic cases and what Grafana's plugin asks by it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.collector_processor.clickhouse_http.endpoint import Endpoint
from tests.collector_processor.running import environment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.go,
    pytest.mark.skipif(shutil.which("go") is None, reason="needs Go"),
]

FOLDER = Path(__file__).parent / "go"


def test_cases_of_the_go_client(endpoint: Endpoint) -> None:
    """Every one passes."""
    fetched = subprocess.run(
        ["go", "mod", "download"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode:
        pytest.skip(f"Go cannot fetch the client: {fetched.stderr[-300:]}")
    done = subprocess.run(
        ["go", "test", "-count=1", "./..."],
        cwd=FOLDER,
        env=environment(GOFLAGS="-mod=readonly")
        | {
            "FLEETSPAN_ADDRESS": f"{endpoint.host}:{endpoint.port}",
            "FLEETSPAN_PASSWORD": endpoint.keys["all"],
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
