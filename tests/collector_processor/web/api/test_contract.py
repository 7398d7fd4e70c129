"""Every path keeps to its own description, whatever it is asked."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.collector_processor.access.keyed import bearer
from tests.collector_processor.web.api.conftest import Asked

pytestmark = pytest.mark.integration


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_answers_are_as_described(api: Asked) -> None:
    """Status, type and document are among those that are described."""
    address = f"http://{api.collector.endpoint('web')}/api/v1/openapi.json"
    headers = bearer(api.keys["all"])
    described = schemathesis.openapi.from_url(address, headers=headers)
    tried = []
    for found in described.include(method="GET").get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if "/live" in operation.path:
            continue

        @settings(
            max_examples=15,
            deadline=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        holds()
        tried.append(operation.path)
    assert len(tried) >= 13, tried
