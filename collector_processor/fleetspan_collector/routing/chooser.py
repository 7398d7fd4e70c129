"""Chooses the models of Claude Code's sub-agents as they are about to begin."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._errors import UsageError
from fleetspan_collector.control.rules_file import changed_at
from fleetspan_collector.routing.agent_tools import AgentTools
from fleetspan_collector.routing.memory import Names, Source, remember
from fleetspan_collector.routing.texts import LEAST_TEXTS, JudgeApart, questions
from fleetspan_collector.store._engine import Engine
from fleetspan_routing.complexity import classify
from fleetspan_routing.control.decision import Chosen
from fleetspan_routing.control.meter import Agent, Session
from fleetspan_routing.control.rules import ModelRule, Rules
from fleetspan_routing.document import DocumentError
from fleetspan_routing.outcomes import Task
from fleetspan_routing.router import Decision, Policy, Router, RoutingError
from fleetspan_routing.tiers import Tiers, load

logger = logging.getLogger("fleetspan.routing")

CLIENTS_NAMES: Final = ("haiku", "sonnet", "opus", "fable")
"""What the client takes as the model of a sub-agent."""

WORKLOAD: Final = "claude-code"
_LEARN_EVERY_S: Final = 30.0
_LOOK_EVERY_S: Final = 3.0


def read_tiers(path: Path) -> Tiers:
    """Read tiers for the client's sub-agents.

    Raises:
        UsageError: When they cannot be used, or name what the client does not take.
    """
    try:
        tiers = load(path)
    except (DocumentError, OSError) as error:
        raise UsageError(
            f"the tiers in {path} cannot be used",
            because=str(error),
            suggestion="see routing/README.md for what a file of tiers is",
        ) from error
    return tiers


def check_for_client(tiers: Tiers, path: Path) -> None:
    """See that the client takes every model.

    Raises:
        UsageError: When it does not.
    """
    unknown = [model for model in tiers.models if model not in CLIENTS_NAMES]
    if unknown:
        raise UsageError(
            f"the tiers in {path} cannot be used for sub-agents",
            because=f"Claude Code takes no model {unknown[0]!r} for one",
            suggestion=f"name them {', '.join(CLIENTS_NAMES)}",
        )


def _policy(rule: ModelRule) -> Policy:
    """Return how a rule wants models to be chosen."""
    return Policy(target=rule.target, explore=rule.explore, by_text=rule.by_text)


class Chooser:
    """Knows outcomes, and chooses by them.

    Args:
        engine: Any connection; it opens its own.
        rule: How it chooses, and by which file of tiers; without one it chooses nothing.
        home: Of the user whose own agents are defined there.

    Raises:
        UsageError: When the tiers cannot be used.
    """

    def __init__(
        self, engine: Engine, rule: ModelRule, home: Path | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._rule = rule
        self._read: tuple[Path | None, int] = (None, 0)
        self._router: Router | None = None
        self._version: tuple[int, int] | None = None
        self._judged = 0
        self._take_tiers()
        self._engine = engine.another()
        self._source = Source.of_engine(self._engine)
        self._tools = AgentTools(home)
        self._failing: frozenset[str] = frozenset()
        self._judge = JudgeApart()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._follow, name="fleetspan-routing", daemon=True
        )

    def start(self) -> None:
        """Read what is known, now and every half minute, and tiers that have changed."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._judge.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._engine.close()

    def take_rules(self, rules: Rules) -> None:
        """Choose as rules that were read again say; other tiers some seconds later."""
        with self._lock:
            self._rule = rules.models
            if self._router is not None:
                self._router.policy = _policy(rules.models)

    def choose(
        self, session: Session, by: Agent, arguments: Mapping[str, Any], cwd: str
    ) -> Chosen | None:
        """Choose, as `fleetspan_routing.control.decider.Choose` says."""
        router = self._router
        if router is None:
            return None
        kind, prompt, description = (
            str(arguments.get(key) or "")
            for key in ("subagent_type", "prompt", "description")
        )
        if kind == "fork":
            # It goes on with its parent's context, and the client keeps the model.
            return None
        task = Task(
            workload=WORKLOAD,
            role=kind,
            tools=self._tools.of(kind, cwd),
            repository=Path(cwd).name if cwd else "",
            kind=classify(prompt, agent_type=kind),
        )
        asked = str(arguments.get("model") or "")
        try:
            decision = router.pick(
                task,
                # What is kept of a sub-agent's task, so that it can be learned from.
                text=description,
                failing=self._failing,
                at_s=time.time(),
            )
        except RoutingError as error:
            logger.warning("no model can be chosen: %s", error)
            return None
        return Chosen(
            asked=asked,
            model=decision.model,
            reason=decision.reason,
            propensity=decision.propensity,
            tools=task.tools,
            details=details_of(decision) | {"by": by.type or "main"},
        )

    def _take_tiers(self) -> bool:
        """Read tiers that are new or have changed; return whether there are others now.

        Raises:
            UsageError: When they cannot be used, once; those that were stay.
        """
        path = self._rule.tiers
        found = (path, changed_at(path) if path else 0)
        if found == self._read:
            return False
        self._read = found
        router = None
        if path is not None:
            tiers = read_tiers(path)
            check_for_client(tiers, path)
            router = Router(tiers=tiers)
            logger.info("tiers were read from %s", path)
        # Rules may be read again meanwhile; who chooses has the old ones, whole.
        with self._lock:
            if router is not None:
                router.policy = _policy(self._rule)
            self._router = router
        self._version, self._judged = None, 0
        return True

    def _follow(self) -> None:
        due_s = 0.0
        while True:
            try:
                if self._take_tiers() or time.monotonic() >= due_s:
                    due_s = time.monotonic() + _LEARN_EVERY_S
                    self._learn()
            except UsageError as error:
                logger.error("tiers stay as they were: %s: %s", error, error.because)
            except ClickHouseError as error:
                reason = str(error).splitlines()[0][:300]
                logger.error("outcomes could not be read: %s", reason)
            except Exception:
                logger.exception("outcomes could not be read")
            if self._stopping.wait(_LOOK_EVERY_S):
                return

    def _learn(self) -> None:
        router = self._router
        if router is None:
            return
        names = Names(router.tiers)
        failing = {names.of(model) for model in self._source.failing()}
        if failing != self._failing:
            logger.info("providers that fail: %s", ", ".join(sorted(failing)) or "none")
        self._failing = frozenset(failing)
        version = self._source.version()
        if version == self._version:
            return
        router.outcomes = remember(self._source.outcomes(), router.tiers)
        if router.policy.by_text:
            self._judge_texts(router)
        self._version = version

    def _judge_texts(self, router: Router) -> None:
        """Find out again whether texts may decide, once there are a tenth more."""
        asked = questions(self._source.texts(), router.tiers, router.policy.target)
        number = sum(len(each.seen) for each in asked)
        if number < LEAST_TEXTS or number < 1.1 * self._judged:
            return
        try:
            found = self._judge(asked)
        except (OSError, subprocess.SubprocessError) as error:
            logger.error("texts of tasks could not be judged: %s", error)
            return
        self._judged = number
        for workload, verdict in found.items():
            logger.info("texts of %s: %s", workload, verdict.reason)
        router.texts = dict(found)


def details_of(decision: Decision) -> dict[str, Any]:
    """Return what else there was to choose from, as plain values."""
    return {
        "tier": decision.tier,
        "explored": decision.explored,
        "alternatives": [
            {
                "model": each.model,
                "tier": each.tier,
                "quality": round(each.expected.quality, 4),
                "at_least": round(each.expected.at_least(1.645), 4),
                "outcomes": round(each.expected.seen, 1),
                "cost_usd": each.cost_usd,
                "seconds": each.expected.latency_s,
                "against": each.against,
                "propensity": each.propensity,
            }
            for each in decision.alternatives
        ],
    }
