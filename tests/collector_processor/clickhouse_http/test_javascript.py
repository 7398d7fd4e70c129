"""ClickHouse's own JavaScript client, with its basic cases."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.collector_processor.clickhouse_http.endpoint import Endpoint
from tests.collector_processor.node import install_packages

pytestmark = [pytest.mark.integration, pytest.mark.node]

FOLDER = Path(__file__).parent / "javascript"


def test_cases_of_the_javascript_client(endpoint: Endpoint) -> None:
    """Every one passes."""
    install_packages(FOLDER)
    url = f"http://{endpoint.host}:{endpoint.port}"
    done = subprocess.run(
        ["node", "cases.mjs", url, endpoint.keys["all"]],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert len(outcome) == 16
    failed = [f"{name}: {said}" for name, said in outcome.items() if said]
    assert not failed, "\n".join(failed)
