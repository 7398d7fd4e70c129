"""Context across threads, tasks, generators and processes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import threading
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import fleetspan
from fleetspan.testing import Recorded


def test_decorators_on_all_four_kinds_of_function(recorded: Recorded) -> None:
    """Each call is an activity of its own; results, awaits and yields are unchanged."""

    @fleetspan.tool
    def add(a: int, b: int) -> int:
        return a + b

    @fleetspan.agent("worker", type="t")
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    @fleetspan.tool(name="count")
    def count() -> Generator[int, str, str]:
        got = yield 1
        yield len(got)
        return "end"

    @fleetspan.agent()
    async def stream() -> AsyncGenerator[int, str]:
        got = yield 1
        yield len(got)

    async def main() -> tuple[str, list[int]]:
        steps = stream()
        async with contextlib.aclosing(steps):
            return await work(), [await anext(steps), await steps.asend("four")]

    assert add(1, b=2) == 3
    steps = count()
    assert [next(steps), steps.send("three")] == [1, 5]
    steps.close()
    assert asyncio.run(main()) == ("done", [1, 4])
    assert recorded.tree() == (
        "execute_tool add\nexecute_tool count\ninvoke_agent worker\ninvoke_agent stream"
    )
    assert [span["status"] for span in recorded.spans()] == ["unset"] * 4
    assert "fleetspan.tool.arguments_hash" in recorded.spans()[0]["attributes"]


def test_a_decorated_generators_context_stays_inside(recorded: Recorded) -> None:
    """At a yield the consumer is not inside the generator's span; its children are."""

    @fleetspan.agent("streamer")
    def stream() -> Generator[int]:
        for number in range(2):
            with fleetspan.llm(f"inside-{number}"):
                yield number

    for number in stream():
        assert fleetspan.current_agent() is None
        with fleetspan.tool(f"outside-{number}"):
            pass
    assert recorded.tree() == (
        "invoke_agent streamer\n"
        "  chat inside-0\n"
        "  chat inside-1\n"
        "execute_tool outside-0\n"
        "execute_tool outside-1"
    )


def test_an_async_generator_may_be_closed_in_another_task(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """Left early and collected, it ends in a task of the loop's, without a complaint."""

    @fleetspan.agent("streamer")
    async def stream() -> AsyncGenerator[int]:
        with fleetspan.llm("inside"):
            for number in range(10):
                yield number

    async def plain() -> AsyncGenerator[int]:
        with fleetspan.agent("plain"):
            yield 1
            yield 2

    async def main() -> None:
        with fleetspan.agent("consumer") as consumer:
            async for _ in stream():
                assert fleetspan.current_agent() is consumer
                break
            steps = plain()
            await anext(steps)
            await asyncio.create_task(steps.aclose())
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert {span["name"]: span["status"] for span in recorded.spans()} == {
        "invoke_agent consumer": "unset",
        "invoke_agent streamer": "unset",
        "chat inside": "unset",
        "invoke_agent plain": "unset",
    }
    assert caplog.records == []


def test_exceptions_cross_a_decorated_async_generator_both_ways(
    recorded: Recorded,
) -> None:
    """What is thrown in reaches the body; what the body raises reaches the consumer."""

    @fleetspan.agent("a")
    async def stream() -> AsyncGenerator[str]:
        try:
            yield "first"
        except KeyError:
            yield "caught"
        raise ValueError("from the body")

    async def main() -> list[str]:
        steps = stream()
        seen = [await anext(steps), await steps.athrow(KeyError())]
        try:
            await anext(steps)
        except ValueError as error:
            seen.append(str(error))
        return seen

    assert asyncio.run(main()) == ["first", "caught", "from the body"]
    assert recorded.spans()[0]["attributes"]["error.type"] == "ValueError"


def test_a_cancelled_task_ends_its_spans_and_stays_cancelled(
    recorded: Recorded,
) -> None:
    """CancelledError passes through a decorated coroutine and async generator."""

    @fleetspan.agent("a")
    async def stream() -> AsyncGenerator[int]:
        await asyncio.sleep(60)
        yield 1

    async def main() -> bool:
        async def consume() -> None:
            async for _ in stream():
                pass

        task = asyncio.create_task(consume())
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return True
        return False

    assert asyncio.run(main()) is True
    (span,) = recorded.spans()
    assert span["attributes"]["error.type"] == "asyncio.exceptions.CancelledError"


def test_tasks_are_children_of_what_started_them(recorded: Recorded) -> None:
    """Parallel sub-agents are siblings, not nested in one another."""

    async def sub(name: str) -> None:
        async with fleetspan.agent(name):
            await asyncio.sleep(0)
            async with fleetspan.llm("m-" + name):
                await asyncio.sleep(0)

    async def main() -> None:
        async with fleetspan.agent("main"):
            await asyncio.gather(sub("one"), sub("two"))

    asyncio.run(main())
    assert recorded.tree() == (
        "invoke_agent main\n"
        "  invoke_agent one\n"
        "    chat m-one\n"
        "  invoke_agent two\n"
        "    chat m-two"
    )


def test_threads_and_executors_carry_the_context(recorded: Recorded) -> None:
    """wrap() and ContextExecutor; the wrapped function may be called many times at once."""

    def ask(model: str) -> None:
        with fleetspan.llm(model):
            pass

    with fleetspan.agent("main"):
        thread = threading.Thread(target=fleetspan.wrap(ask), args=("thread",))
        thread.start()
        thread.join()
        with fleetspan.ContextExecutor(ThreadPoolExecutor(4)) as pool:
            list(pool.map(ask, ["map-1", "map-2"]))
            pool.submit(ask, "submit").result()
    parents = {span["name"]: span["parent_id"] for span in recorded.spans()}
    main = parents.pop("invoke_agent main")
    assert main is None
    assert parents == dict.fromkeys(
        ["chat thread", "chat map-1", "chat map-2", "chat submit"], "0000000000000001"
    )


def test_wrap_on_coroutines_and_generators(recorded: Recorded) -> None:
    """A wrapped generator keeps the context of where it was wrapped, and its own."""

    async def coroutine() -> str | None:
        agent = fleetspan.current_agent()
        return agent.name if agent else None

    def generator() -> Generator[str | None]:
        with fleetspan.agent("inside"):
            agent = fleetspan.current_agent()
            yield agent.name if agent else None

    async def async_generator() -> AsyncGenerator[str | None]:
        yield await coroutine()

    with fleetspan.agent("main"):
        wrapped = [fleetspan.wrap(each) for each in (coroutine, async_generator)]
        steps = fleetspan.wrap(generator)()

    async def main() -> list[str | None]:
        return [await wrapped[0](), await anext(wrapped[1]())]  # type: ignore[misc, call-overload]

    assert asyncio.run(main()) == ["main", "main"]
    assert next(steps) == "inside"
    assert fleetspan.current_agent() is None
    steps.close()


def test_blocks_left_out_of_order_do_not_stay_current(recorded: Recorded) -> None:
    """An outer block that ends first does not become current again when the inner ends."""
    outer, inner = fleetspan.agent("outer"), fleetspan.agent("inner")
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert fleetspan.current_agent() is inner
    inner.__exit__(None, None, None)
    assert fleetspan.current_agent() is None


def test_headers_and_mcp_meta_go_there_and_back(recorded: Recorded) -> None:
    """What inject() and mcp_meta() write, continue_from() takes up."""
    with fleetspan.run("r", session="s 1,ü"), fleetspan.agent("main") as main:
        meta = fleetspan.mcp_meta({"progressToken": 7})
    assert meta["progressToken"] == 7
    assert meta["traceparent"] == (
        "00-00000000000000000000000000000001-0000000000000002-01"
    )
    with fleetspan.continue_from(meta), fleetspan.agent("server") as server:
        assert server.run_id == main.run_id
        assert server.session_id == "s 1,ü"
        assert server.parent_agent_id == main.agent_id
    assert recorded.spans()[2]["parent_id"] == "0000000000000002"
    with (
        fleetspan.continue_from(None),
        fleetspan.continue_from({"traceparent": "junk"}),
    ):
        assert fleetspan.current_agent() is None


CHILD = """
import fleetspan, json, sys
with fleetspan.agent("child") as agent:
    with fleetspan.llm("m") as call:
        pass
    print(json.dumps([agent.trace_id, agent.run_id, agent.session_id, agent.agent_id,
                      agent.parent_agent_id, call.agent_id]))
"""


def test_a_subprocess_goes_on_with_the_run(recorded: Recorded, program: Any) -> None:
    """TRACEPARENT and BAGGAGE give the child its trace, run, session and parent agent."""
    with fleetspan.run("r", session="s-1"), fleetspan.agent("main") as main:
        env = fleetspan.subprocess_env({"TRACEPARENT": "old"})
    assert set(env) == {"TRACEPARENT", "BAGGAGE"}
    done = program(CHILD, env={**env, "OTEL_SDK_DISABLED": "true"})
    assert done.returncode == 0, done.stderr
    trace_id, run_id, session_id, agent_id, parent_id, calls_agent = json.loads(
        done.stdout
    )
    assert trace_id == main.trace_id
    assert (run_id, session_id, parent_id) == ("0000000000000001", "s-1", main.agent_id)
    assert agent_id not in {main.agent_id, "0000000000000000"}
    assert calls_agent == agent_id


def test_with_a_bare_traceparent_the_agent_is_its_own_run(program: Any) -> None:
    """A parent that says nothing of runs (Claude Code) gives the trace alone."""
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    done = program(
        CHILD,
        env={
            "TRACEPARENT": f"00-{trace_id}-b7ad6b7169203331-01",
            "OTEL_SDK_DISABLED": "true",
        },
    )
    found = json.loads(done.stdout)
    assert found[0] == trace_id
    assert found[1] == found[3]
    assert found[4] is None


def test_one_object_may_be_entered_again_after_it_ended_but_not_while_open(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """Again is a new span; entered while open it stays one span, and is logged."""
    agent = fleetspan.agent("a")
    for _ in range(2):
        with agent:
            pass
    with agent, agent:
        pass
    assert len(recorded.spans()) == 3
    assert fleetspan.current_agent() is None
    assert [record.getMessage() for record in caplog.records] == [
        "agent: is entered again while it is open, and not nested (logged once)"
    ]


def test_a_decorated_function_may_call_itself(recorded: Recorded) -> None:
    """Each call is nested in the one that made it."""

    @fleetspan.agent
    def dig(depth: int) -> None:
        if depth:
            dig(depth - 1)

    dig(2)
    assert recorded.tree() == (
        "invoke_agent dig\n  invoke_agent dig\n    invoke_agent dig"
    )
