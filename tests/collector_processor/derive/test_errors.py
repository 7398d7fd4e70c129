"""What is said of a failure: its type, and of its message what the type does not tell."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from ..embedded import Embedded, embedded
from ..fleet import agent, call, traces

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for the module; each test has a tenant of its own in it."""
    with embedded(tmp_path_factory.mktemp("errors")) as store:
        yield store


@pytest.mark.parametrize(
    ("error_type", "message", "said"),
    [
        ("timeout", "no answer within 10 s", "timeout"),
        ("timeout", "", "timeout"),
        (None, "connection refused", "connection refused"),
        (None, "", "error"),
        # "_OTHER" is what the conventions say where they have no name.
        ("_OTHER", "connection refused", "connection refused"),
        ("_OTHER", "", "_OTHER"),
        # As the clients of Google, Amazon and Anthropic name what was refused.
        ("ClientError", "429 RESOURCE_EXHAUSTED. {}", "ClientError: 429"),
        ("ClientError", "ThrottlingException: slow down", "ClientError: Throttl"),
        ("InternalServerError", "Error code: 529 - {}", "InternalServerError: 529"),
        ("RateLimitError", "Error code: 429 - {}", "RateLimitError"),
        ("429", "Too Many Requests", "429"),
        ("InternalServerError", "Error code: 500, id 4290", "InternalServerError"),
    ],
)
def test_error(
    store: Embedded, error_type: str | None, message: str, said: str
) -> None:
    """The type; a message where there is none; and the words that tell a rate limit."""
    tenant = f"{error_type} {message}".replace("'", "")
    failed = call(1, 2, 1, error__type=error_type)
    failed.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=message))
    store.take(traces([agent(1, 1), failed]), tenant=tenant)
    (row,) = store.rows("llm_calls", f"Tenant = '{tenant}'", "Error")
    assert row["Error"] == said
