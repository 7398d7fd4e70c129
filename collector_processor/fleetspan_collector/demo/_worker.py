"""An agent of the demo at work: each step goes through the SDK and is noted as truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Final, Literal

import fleetspan
from fleetspan_collector.demo._models import Model
from fleetspan_collector.demo._timeline import Timeline
from fleetspan_collector.demo._truth import AgentTruth, Truth, tally

_SYSTEM_PROMPT: Final = 6_200


class Worker:
    """An agent at work.

    Args:
        agent: The SDK's agent, started.
        truth: Where to note what it does.
        record: Its own part of the truth.
        model: The model it uses unless told otherwise.
        rng: Everything random about it.
        line: Its time.
        released: Whether it works with the fleet's new version.
    """

    def __init__(
        self,
        agent: fleetspan.Agent,
        truth: Truth,
        record: AgentTruth,
        *,
        model: Model,
        rng: Random,
        line: Timeline,
        released: bool = False,
    ) -> None:
        self.released = released
        self.agent = agent
        self.model = model
        self.rng = rng
        self.line = line
        self.truth = truth
        self.record = record
        self._context = 0

    # --- calls of models

    def think(
        self,
        model: Model | None = None,
        *,
        read: int | None = None,
        write: int | None = None,
        attempts: int = 1,
        fails: str | None = None,
        cached: bool = True,
    ) -> None:
        """Call a model.

        Args:
            model: Which; None: the agent's own.
            read: Tokens that are new to it; None: some.
            write: Tokens that it answers; None: some.
            attempts: How often the request is sent; each retry waits.
            fails: Class of the error when the last attempt fails too.
            cached: Whether what is old is still in the provider's cache.
        """
        model, rng = model or self.model, self.rng
        new = rng.randint(300, 2600) if read is None else read
        out = rng.randint(80, 900) if write is None else write
        with fleetspan.llm(model.name, provider=model.provider) as call:
            self._note_call(model)
            self.line.advance(sum(2.0**attempt for attempt in range(attempts - 1)))
            if attempts > 1:
                call.attempts(attempts)
            if fails is not None:
                self.line.advance(0.2)
                self.record.failed_calls += 1
                call.fail(fails, "the provider answered 429")
            else:
                self._answer(call, model, new, out, cached=cached)
        self.truth.ended()

    def _note_call(self, model: Model) -> None:
        self.record.llm_calls += 1
        tally(self.record.calls_by_model, {model.name: 1})

    def _answer(
        self, call: fleetspan.LLM, model: Model, new: int, out: int, *, cached: bool
    ) -> None:
        self.line.advance(0.3 + self.rng.random() * 0.5)
        call.first_token()
        self.line.advance(out / model.tokens_per_s)
        usage = self._usage(model, new, cached=cached) | {"output_tokens": out}
        if model.reasoning:
            usage["reasoning_tokens"] = int(out * model.reasoning)
        call.usage(**usage)
        call.response(model=model.name, finish_reason="stop")
        tally(self.record.tokens_by_model.setdefault(model.name, {}), usage)
        self._context += new + out

    def _usage(self, model: Model, new: int, *, cached: bool) -> dict[str, int]:
        """Return the input by kind: what is old comes from the cache, where there is one."""
        old = self._context
        if model.caching == "none":
            return {"input_tokens": old + new}
        if model.caching == "automatic":
            known = old // 128 * 128 if cached else 0
            return {"input_tokens": old - known + new, "cache_read_tokens": known}
        usage = {"input_tokens": 4, "cache_read_tokens": old}
        if old == 0:
            # The system prompt is the same for hours, what follows is not.
            self._context = _SYSTEM_PROMPT
            usage["cache_write_1h_tokens"] = _SYSTEM_PROMPT
        usage["cache_write_5m_tokens"] = max(new - 4, 0)
        if not cached:
            # Paid for as if it had never been there.
            usage["cache_write_5m_tokens"] += usage["cache_read_tokens"]
            usage["cache_read_tokens"] = 0
        return usage

    def forget(self) -> None:
        """Begin with an empty context again."""
        self._context = 0

    # --- calls of tools

    def use(
        self,
        tool: str,
        arguments: Mapping[str, object] | None = None,
        result: object = None,
        *,
        seconds: float = 0.4,
        fails: str | None = None,
    ) -> None:
        """Call a tool.

        Args:
            tool: Its name.
            arguments: What it is called with.
            result: What it gives back.
            seconds: How long it takes, more or less.
            fails: Class of the error when it fails.
        """
        with self.calling(tool, arguments or {}) as call:
            self.line.advance(seconds * (0.7 + 0.6 * self.rng.random()))
            if fails is None:
                call.result("done" if result is None else result)
            else:
                self.record.failed_tools += 1
                call.fail(fails, f"{tool} did not work")

    @contextmanager
    def calling(
        self, tool: str, arguments: Mapping[str, object]
    ) -> Iterator[fleetspan.Tool]:
        """Have a tool at work within the block."""
        with self.truth.lock:
            # Sub-agents are started from several threads.
            self.record.tool_calls += 1
            call_id = f"call_{self.record.agent_id}_{self.record.tool_calls}"
        self.truth.started()
        with fleetspan.tool(tool, call_id=call_id, arguments=arguments) as call:
            yield call
        self.truth.ended()

    # --- events

    def decide(self, question: str, options: Sequence[str]) -> str:
        """Take a decision."""
        selected = self.rng.choice(options)
        tally(self.record.events, {"decision": 1})
        self.agent.decision(
            question,
            options=options,
            selected=selected,
            confidence=round(0.5 + self.rng.random() / 2, 2),
        )
        return selected

    def touch(
        self, operation: Literal["create", "modify", "read"], path: str, lines: int = 0
    ) -> None:
        """Do something to a file."""
        tally(self.record.events, {"file_operation": 1})
        self.agent.file_operation(
            operation, path, lines_changed=lines, language="python"
        )

    def validate(self, kind: str, verdict: Literal["pass", "fail", "warning"]) -> None:
        """Check the work."""
        tally(self.record.events, {"validation": 1})
        self.agent.validation(kind, verdict, checks={kind: verdict == "pass"})

    def take_stock(self, budget: int = 200_000) -> None:
        """Say how full the context is."""
        tally(self.record.events, {"context_snapshot": 1})
        self.agent.context_snapshot(
            tokens_consumed=self._context,
            tokens_remaining=max(0, budget - self._context),
            tokens_total_budget=budget,
        )

    def stumble(self, error_type: str, fix: str) -> None:
        """Meet an error and mend it."""
        tally(self.record.events, {"error": 1})
        self.agent.error(
            error_type, severity="medium", attempted_fix=fix, fix_successful=True
        )
