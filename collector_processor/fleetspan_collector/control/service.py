"""Control in a running collector: what it hears, what it answers, what it leaves behind.

::

    hooks that ask ─► decide ─► answer
                        │  └──► log event ─► journal ─► otel_logs ─► findings
    what is durable ────┤
    local transcripts ──┤
    store, now and then ┘
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import prometheus_client
from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._errors import CollectorError, Refused
from fleetspan_collector._signals import Signal, Sink, Submission
from fleetspan_collector.control.consent import Consent
from fleetspan_collector.control.feeds import LocalTranscripts, hook_of, usages
from fleetspan_collector.control.findings import write_findings
from fleetspan_collector.control.guarded import is_approving
from fleetspan_collector.control.outputs import (
    folder_of,
    is_long,
    read_back,
    shorten,
)
from fleetspan_collector.control.records import submission_of
from fleetspan_collector.control.rules_file import changed_at, read_rules
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_routing.control.decider import Choose, Decider
from fleetspan_routing.control.decision import Decision
from fleetspan_routing.control.meter import SessionKey
from fleetspan_routing.control.rules import Measure, Mode, Rules
from fleetspan_routing.control.step import word

logger = logging.getLogger("fleetspan.control")

_HEARD: Final = (Signal.CLAUDE_HOOKS, Signal.LOGS, Signal.TRANSCRIPT_LINES)
"""Others say nothing of what Claude Code does; they are not held for it."""

_EVERY_S: Final = 3.0
_SOON_S: Final = 60.0
_LATE_S: Final = 900.0
"""For so long after a decision it is looked for in the store: often, and then seldom."""

_CATCHING_UP_S: Final = 0.4
"""The client writes its transcript up to a fifth of a second late."""

_LOOK_AGAIN_S: Final = 0.02
_BACK_S: Final = 2 * 86_400
_MOST_WAITING: Final = 10_000
_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class ControlMetrics:
    """What control counts."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.decisions = prometheus_client.Counter(
            "fleetspan_control_decisions",
            "Steps of agents that were decided, by answer and what decided.",
            ["answer", "by"],
            registry=registry,
        )
        self.seconds = prometheus_client.Histogram(
            "fleetspan_control_seconds",
            "How long a decision took in the collector, without what it waited for.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.characters = prometheus_client.Counter(
            "fleetspan_control_output_characters",
            "Characters of outputs of tools that were made shorter: as they arrived, and "
            "as they were sent to the model.",
            ["as"],
            registry=registry,
        )
        self.unrecorded = prometheus_client.Counter(
            "fleetspan_control_unrecorded",
            "Decisions that could not be kept, since the journal refused them.",
            registry=registry,
        )


class Control:
    """Decides, from `start` to `stop`.

    Args:
        path: File of rules.
        data: Data directory, for consent.
        engine: Any connection to the store; it opens its own.
        prices: What calls cost.
        registry: Where it counts.
        choose: Chooses models of sub-agents.
        follow: Told of rules that were read again.

    Raises:
        UsageError: When the rules cannot be used.
        CollectorError: When consent that was given cannot be read.
    """

    def __init__(
        self,
        path: Path,
        data: Path,
        engine: Engine,
        prices: PriceBook,
        registry: prometheus_client.CollectorRegistry,
        *,
        choose: Choose | None = None,
        follow: Callable[[Rules], None] | None = None,
    ) -> None:
        self._follow = follow
        self._path = path
        self._read_at = changed_at(path)
        self.consent = Consent(data)
        self.decider = Decider(
            read_rules(path), self.consent, choose=choose, is_approving=is_approving
        )
        self.decider.raised = self.consent.raised
        self.metrics = ControlMetrics(registry)
        self._prices = prices
        self._transcripts = LocalTranscripts(self._price)
        self._engine = engine.another()
        self._version = 0
        self._decided_at_s = time.monotonic()
        self._found_at_s = 0.0
        self._told_of_elsewhere = False
        self._news: queue.Queue[Submission | None] = queue.Queue(_MOST_WAITING)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in (
                (self._listen, "fleetspan-control-news"),
                (self._look, "fleetspan-control"),
            )
        ]

    def start(self) -> None:
        """Begin; what the store knows of the last two days is taken over first."""
        try:
            self._take_over()
        except (ClickHouseError, OSError) as error:
            logger.warning("budgets begin at zero: %s", str(error)[:300])
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what was decided since is found at the next start."""
        self._stopping.set()
        self._news.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._engine.close()

    async def decide(self, tenant: str, hook: Mapping[str, Any]) -> Decision:
        """Decide; `catch_up` goes before it."""
        began_s = time.perf_counter()
        decision = self.decider.decide(tenant, hook, time.time_ns())
        by = decision.objection.by.partition(":")[0] if decision.objection else ""
        self.metrics.decisions.labels(str(decision.answer), by).inc()
        self.metrics.seconds.observe(time.perf_counter() - began_s)
        rules = self.decider.rules
        if rules.outputs.mode is Mode.OFF:
            return decision
        match decision.event:
            case "PostToolUse":
                return await self._with_output(rules, decision, hook)
            case "PreToolUse":
                return replace(decision, read_back=read_back(hook))
        return decision

    async def catch_up(self, tenant: str, hook: Mapping[str, Any]) -> None:
        """Read the session's transcripts, as far as they lie on this machine.

        The model call that wants a tool is waited for a moment while it may spend a
        budget of tokens or money: what comes by telemetry takes seconds.
        """
        until_s = time.monotonic() + _CATCHING_UP_S
        while True:
            now_ns = time.time_ns()
            for session, usage in self._transcripts.news(hook):
                self.decider.note_usage((tenant, session), usage, now_ns)
            if not self._transcripts.may_tell_soon(hook):
                return
            if not self.decider.may_be_spent(tenant, hook, now_ns):
                return
            if time.monotonic() > until_s:
                self._transcripts.waited_in_vain(hook)
                return
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def record(self, decision: Decision, traceparent: str, sink: Sink) -> None:
        """Keep a decision; one that the journal refuses is counted and logged."""
        submission = submission_of(decision, traceparent, time.time_ns())
        try:
            await sink.accept(submission)
        except Refused as error:
            self.metrics.unrecorded.inc()
            logger.error("a decision could not be kept: %s", error)
        self._decided_at_s = time.monotonic()

    def durable(self, requests: Sequence[Submission]) -> None:
        """Take what the journal has just made durable; called by its writer."""
        for request in requests:
            if request.signal not in _HEARD:
                continue
            try:
                self._news.put_nowait(request)
            except queue.Full:
                # The store knows it soon, and is asked every few seconds.
                return

    def set_limit(self, *limit: Any) -> None:
        """Set a limit at run time, as `Consent.set_limit` takes it."""
        self.consent.set_limit(*limit)
        self.decider.raised = self.consent.raised

    async def _with_output(
        self, rules: Rules, decision: Decision, hook: Mapping[str, Any]
    ) -> Decision:
        """Add the output, made shorter, where that is wanted and worth it."""
        if not is_long(rules.outputs, hook):
            return decision
        folder = folder_of(hook)
        if folder is None:
            self._tell_of_elsewhere(word(hook, "transcript_path"))
            return decision
        does = rules.mode is rules.outputs.mode is Mode.ON
        # Long ones take some milliseconds; others are answered meanwhile.
        made = await asyncio.to_thread(shorten, rules.outputs, hook, folder, does=does)
        if made is None:
            return decision
        self.metrics.characters.labels("arrived").inc(made.characters)
        self.metrics.characters.labels("sent").inc(made.kept)
        return replace(decision, enforced=does, shortened=made)

    def _tell_of_elsewhere(self, transcript: str) -> None:
        """Say once why outputs stay as they are."""
        if not self._told_of_elsewhere:
            self._told_of_elsewhere = True
            logger.warning(
                "outputs of tools stay as they are where the session's transcript is not "
                "a file of our user on this machine, as %s is not",
                transcript[:300] or "one that is not named",
            )

    # --- threads

    def _listen(self) -> None:
        while (request := self._news.get()) is not None:
            try:
                now_ns = time.time_ns()
                hook = hook_of(request)
                if hook is not None:
                    self.decider.observe(request.tenant, hook, now_ns)
                for key, usage in usages(request, self._price):
                    self.decider.note_usage(key, usage, now_ns)
            except Exception:
                logger.exception("control could not read a request")

    def _look(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            try:
                self._reload()
                self._take_over()
                if self._is_time_to_find():
                    self._write_findings()
            except (ClickHouseError, OSError, CollectorError) as error:
                reason = (str(error) or type(error).__name__).splitlines()[0][:300]
                logger.error("control goes on with what it knows: %s", reason)
            except Exception:
                logger.exception("control goes on with what it knows")

    def _reload(self) -> None:
        """Take over rules that have changed; wrong ones leave those that hold."""
        found_at = changed_at(self._path)
        if found_at == self._read_at:
            return
        self._read_at = found_at
        self.decider.rules = rules = read_rules(self._path)
        if self._follow is not None:
            self._follow(rules)
        logger.info("rules were read again from %s", self._path)

    def _take_over(self) -> None:
        rows = self._engine.arrow(
            _sql.render("control_sessions", database=self._engine.address.database),
            {"since": max(0, int(time.time()) - _BACK_S)},
        ).to_pylist()
        before = self._before_today(rows)
        for row in rows:
            key = (row["Tenant"], row["SessionId"])
            self.decider.note_stored(
                key,
                began_ns=row["Began"],
                user=row["User"],
                tokens=row["Tokens"],
                usd=row["Usd"],
                calls=row["Calls"],
                subagents=row["SubAgents"],
                active_ns=row["Active"],
                before=before.get(key),
            )

    def _before_today(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> dict[SessionKey, dict[Measure, float]]:
        """What sessions of yesterday, not heard of before, had used by midnight (UTC)."""
        today_s = int(time.time()) // 86_400 * 86_400
        over = [
            row["SessionId"]
            for row in rows
            if row["Began"] < today_s * 10**9 <= row["Active"]
            and not self.decider.knows((row["Tenant"], row["SessionId"]))
        ]
        if not over:
            return {}
        found = self._engine.arrow(
            _sql.render("control_before_day", database=self._engine.address.database),
            {"sessions": over, "day": today_s},
        )
        return {
            (row["Tenant"], row["SessionId"]): {
                Measure.TOKENS: row["Tokens"],
                Measure.USD: row["Usd"],
                Measure.CALLS: row["Calls"],
                Measure.SUBAGENTS: row["SubAgents"],
            }
            for row in found.to_pylist()
        }

    def _write_findings(self) -> None:
        self._version = max(time.time_ns(), self._version + 1)
        since_ns = time.time_ns() - _BACK_S * 10**9
        write_findings(self._engine, since_ns, self._version)
        self._found_at_s = time.monotonic()

    def _is_time_to_find(self) -> bool:
        """A decision, and the run that it is of, are in the store some time later."""
        now_s = time.monotonic()
        since_s = now_s - self._decided_at_s
        often = since_s < _SOON_S or now_s - self._found_at_s > _SOON_S / 2
        return since_s < _LATE_S and often

    def _price(self, model: str, tokens: Mapping[str, int]) -> float | None:
        writes = tokens.get("cache_creation_input_tokens", 0)
        hour = tokens.get("ephemeral_1h_input_tokens", 0)
        row = [
            tokens.get("input_tokens", 0),
            tokens.get("cache_read_input_tokens", 0),
            max(0, writes - hour),
            hour,
            tokens.get("output_tokens", 0),
        ]
        now = np.array([int(time.time())])
        (usd,) = self._prices.cost_usd(
            ["anthropic"], [model], now, np.array([row], dtype=np.float64)
        )
        return None if np.isnan(usd) else float(usd)
