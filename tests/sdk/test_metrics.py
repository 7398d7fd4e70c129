"""The GenAI metrics of both generations."""

from __future__ import annotations

import pytest

import fleetspan
from fleetspan.testing import Recorded, capture


def _work() -> None:
    with fleetspan.run("r"), fleetspan.agent("a", model="m"):
        for _ in range(2):
            with fleetspan.llm("m", provider="p") as call:
                call.first_token()
                call.usage(
                    input_tokens=10,
                    output_tokens=4,
                    cache_read_tokens=5,
                    cache_write_1h_tokens=1,
                    reasoning_tokens=2,
                )
        with pytest.raises(ValueError, match="x"), fleetspan.tool("t"):
            raise ValueError("x")


def test_calls_are_measured_in_both_generations(recorded: Recorded) -> None:
    """Sums and counts of two equal calls, under old and latest names."""
    _work()
    found = recorded.metrics()
    labels = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "p",
        "gen_ai.request.model": "m",
    }
    counted = {**labels, "gen_ai.token.modality": "unknown"}
    usage = "gen_ai.client.inference.usage."
    for name, total in (
        ("input_tokens", 32),
        ("output_tokens", 8),
        ("cache_read.input_tokens", 10),
        ("cache_write.input_tokens", 2),
        ("reasoning.output_tokens", 4),
    ):
        points = found[usage + name]
        assert sum(point["value"] for point in points) == total
        assert points[0]["attributes"] == counted
    (latest,) = found["gen_ai.client.inference.duration"]
    (old,) = found["gen_ai.client.operation.duration"]
    assert latest["attributes"] == old["attributes"] == labels
    assert (
        (latest["count"], latest["value"]) == (old["count"], old["value"]) == (2, 4.0)
    )
    by_type = {
        point["attributes"]["gen_ai.token.type"]: point["value"]
        for point in found["gen_ai.client.token.usage"]
    }
    assert by_type == {"input": 32, "output": 8}


def test_agents_tools_and_runs_are_measured(recorded: Recorded) -> None:
    """Durations, the calls that an agent made itself, and the error type."""
    _work()
    found = recorded.metrics()
    (calls,) = found["gen_ai.invoke_agent.inference_calls"]
    (tools,) = found["gen_ai.invoke_agent.tool_calls"]
    (tool,) = found["gen_ai.execute_tool.duration"]
    (run,) = found["gen_ai.invoke_workflow.duration"]
    assert (calls["value"], tools["value"]) == (2, 1)
    assert calls["attributes"] == {
        "gen_ai.agent.name": "a",
        "gen_ai.request.model": "m",
    }
    assert tool["attributes"] == {"gen_ai.tool.name": "t", "error.type": "ValueError"}
    assert run["attributes"] == {"gen_ai.workflow.name": "r"}
    assert run["count"] == 1


def test_the_recommended_buckets(recorded: Recorded) -> None:
    """Histograms have the boundaries that the conventions ask for."""
    _work()
    found = recorded.metrics()
    assert found["gen_ai.client.inference.duration"][0]["buckets"] == [
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96,
        81.92,
    ]  # fmt: skip
    assert found["gen_ai.client.token.usage"][0]["buckets"][:5] == [1, 4, 16, 64, 256]
    assert found["gen_ai.invoke_workflow.duration"][0]["buckets"][-1] == 7200


def test_embeddings_are_an_operation_but_no_inference(recorded: Recorded) -> None:
    """What is not inference stays under gen_ai.client.operation.duration."""
    with fleetspan.llm("e", operation="embeddings"):
        pass
    assert "gen_ai.client.operation.duration" in recorded.metrics()
    with capture() as again, fleetspan.llm("e", operation="embeddings"):
        pass
    assert "gen_ai.client.inference.duration" not in again.metrics()


def test_metrics_can_be_switched_off() -> None:
    """With metrics=False nothing is measured."""
    with capture(metrics=False) as recorded:
        _work()
    assert recorded.metrics() == {}
