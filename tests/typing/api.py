"""The documented examples, for the type checker; never run."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import assert_type

import fleetspan
from fleetspan.testing import Recorded, capture

config = fleetspan.configure(
    endpoint="http://localhost:4318",
    protocol="http/protobuf",
    project="demo",
    capture_content=False,
    semconv="both",
    exit_timeout_s=1.5,
)
assert_type(config, fleetspan.Config)
fleetspan.configure(endpont="x")  # type: ignore[call-arg]
fleetspan.configure(semconv="old")  # type: ignore[arg-type]


def ten_lines() -> None:
    """Check the README's first example."""
    with fleetspan.run("nightly-review", session="s-1") as run:
        assert_type(run, fleetspan.Run)
        with fleetspan.agent("reviewer", type="code-review") as agent:
            assert_type(agent, fleetspan.Agent)
            with fleetspan.llm("claude-sonnet-4-5", provider="anthropic") as call:
                assert_type(call, fleetspan.LLM)
                call.usage(input_tokens=120, cache_read_tokens=8000, output_tokens=340)
                call.response(id="msg_1", finish_reason="tool_use")
                call.cost(0.02)
            with fleetspan.tool(
                "read_file", call_id="toolu_1", arguments={"path": "a.py"}
            ) as tool:
                assert_type(tool, fleetspan.Tool)
                tool.result("...")
            agent.outcome("completed")
            agent.decision("which?", options=["a", "b"], selected="a", confidence=0.9)


@fleetspan.tool
def bare(a: int, b: int) -> int:
    """Decorate without parentheses."""
    return a + b


@fleetspan.tool("named", type="function")
def named(text: str) -> str:
    """Decorate with a name."""
    return text


@fleetspan.agent("async")
async def coroutine(text: str) -> str:
    """Decorate a coroutine function."""
    async with fleetspan.llm("m") as call:
        assert_type(call, fleetspan.LLM)
    return text


@fleetspan.run("generator")
def generator() -> Generator[int, str, bool]:
    """Decorate a generator."""
    yield 1
    return True


@fleetspan.agent("streamer")
async def stream(question: str) -> AsyncGenerator[str]:
    """Decorate an async generator."""
    yield question


async def decorated_keep_their_types() -> None:
    """Check that decorators do not change signatures."""
    assert_type(bare(1, b=2), int)
    assert_type(named("x"), str)
    assert_type(await coroutine("x"), str)
    assert_type(generator(), Generator[int, str, bool])
    async for text in stream("?"):
        assert_type(text, str)
    bare("1", 2)  # type: ignore[arg-type]


def elsewhere() -> None:
    """Check threads, executors, processes and MCP."""
    threading.Thread(target=fleetspan.wrap(ten_lines)).start()
    assert_type(fleetspan.wrap(bare)(1, 2), int)
    with fleetspan.ContextExecutor(ThreadPoolExecutor(8)) as pool:
        assert_type(pool.submit(bare, 1, 2).result(), int)
    subprocess.run([sys.executable, "-V"], env=fleetspan.subprocess_env(), check=True)
    with fleetspan.continue_from(fleetspan.mcp_meta({"progressToken": 1})):
        assert_type(fleetspan.inject(), dict[str, str])
        assert_type(fleetspan.current_agent(), fleetspan.Agent | None)


def listening() -> None:
    """Check subscribers."""

    def hear(notice: fleetspan.Notice) -> None:
        assert_type(notice.kind, str)

    with fleetspan.subscribe(hear, kinds=["agent.start", "decision"]) as subscription:
        assert_type(subscription, fleetspan.Subscription)
    fleetspan.subscribe(hear, kinds=["agents"])  # type: ignore[list-item]


def users_tests() -> None:
    """Check the testing module."""
    with capture(capture_content=True) as recorded:
        assert_type(recorded, Recorded)
    assert_type(recorded.tree(), str)
    assert_type(fleetspan.flush(1.0), bool)
    assert_type(fleetspan.shutdown(), bool)
