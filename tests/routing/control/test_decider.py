"""Decisions from memory: budgets of every scope, and what is stopped when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fleetspan_routing.control.decider import Decider
from fleetspan_routing.control.decision import Decision
from fleetspan_routing.control.document import parse_rules
from fleetspan_routing.control.meter import Usage
from fleetspan_routing.control.rules import Answer, Measure

NOW_NS = 1_795_000_000 * 10**9
_S = 10**9


class People:
    """Whose consent is never given, and who remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, str]] = []
        self.granted: set[str] = set()

    def is_granted(self, tenant: str, fingerprint: str) -> bool:
        """Once each."""
        if fingerprint in self.granted:
            self.granted.remove(fingerprint)
            return True
        return False

    def request(self, tenant: str, fingerprint: str, what: Mapping[str, str]) -> str:
        """The fingerprint itself is the id."""
        self.asked.append(what)
        return fingerprint


class Fleet:
    """Sessions that ask.

    Args:
        rules: The document, but for what holds without a collector.
    """

    def __init__(self, **rules: Any) -> None:
        self.people = People()
        self.decider = Decider(
            parse_rules({"if_unreachable": "allow"} | rules), self.people
        )
        self.now_ns = NOW_NS
        self._calls = 0

    def tell(self, event: str, session: str = "s", **fields: Any) -> Decision:
        """A hook."""
        hook = {"hook_event_name": event, "session_id": session, **fields}
        return self.decider.decide("", hook, self.now_ns)

    def call(
        self, tool: str = "Read", session: str = "s", agent: str = "", **given: Any
    ) -> Decision:
        """A call of a tool, as an agent of a type of the same name."""
        self._calls += 1
        who = {"agent_id": agent, "agent_type": agent.strip("0123456789")}
        return self.tell(
            "PreToolUse",
            session,
            tool_name=tool,
            tool_input=given or {"n": self._calls},
            tool_use_id=str(self._calls),
            **(who if agent else {}),
        )

    def begin(self, agent: str, by: str = "", session: str = "s") -> Decision:
        """A sub-agent begins, when it may."""
        type_ = agent.strip("0123456789")
        decision = self.call("Agent", session, by, subagent_type=type_, prompt=agent)
        if decision.answer is not Answer.DENY:
            self.tell("SubagentStart", session, agent_id=agent, agent_type=type_)
        return decision

    def spend(self, usd: float, agent: str = "", session: str = "s") -> None:
        """A model call."""
        self._calls += 1
        usage = Usage(
            call_id=f"r{self._calls}", agent_id=agent, tokens=int(usd * 1000), usd=usd
        )
        self.decider.note_usage(("", session), usage, self.now_ns)


def budget(of: str, **limits: Any) -> dict[str, Any]:
    """Rules with one budget."""
    return {"budgets": {"b": {"of": of, **limits}}}


def test_a_session_has_its_own() -> None:
    """What one has used does not count for another."""
    fleet = Fleet(**budget("session", usd=1))
    fleet.spend(1.5)
    assert fleet.call().answer is Answer.DENY
    assert fleet.call(session="t").answer is Answer.NONE
    assert fleet.tell("UserPromptSubmit").answer is Answer.DENY


def test_a_budget_of_calls_allows_exactly_so_many() -> None:
    """And the refused ones do not count."""
    fleet = Fleet(**budget("session", calls=3))
    answers = [fleet.call().answer for _ in range(6)]
    assert answers == [Answer.NONE] * 3 + [Answer.DENY] * 3
    (standing,) = fleet.decider.all_standings("", NOW_NS)
    assert standing.used == 3


def test_a_sub_tree() -> None:
    """All that a sub-agent began counts for it, and stops all of them, but not others."""
    fleet = Fleet(**budget("sub_tree", usd=1))
    fleet.begin("lead1")
    fleet.begin("worker1", by="lead1")
    fleet.begin("lead2")
    fleet.spend(0.6, "lead1")
    assert fleet.call(agent="worker1").answer is Answer.NONE
    fleet.spend(0.6, "worker1")
    assert fleet.call(agent="worker1").answer is Answer.DENY
    assert fleet.call(agent="lead1").answer is Answer.DENY
    assert fleet.call(agent="lead2").answer is Answer.NONE
    assert fleet.call().answer is Answer.NONE


def test_agent_types() -> None:
    """All of one type in a session, and only those that are named."""
    fleet = Fleet(**budget("agent_type", calls=2, only=["worker"]))
    for agent in ("worker1", "worker2", "scout1"):
        fleet.begin(agent)
    assert fleet.call(agent="worker1").answer is Answer.NONE
    assert fleet.call(agent="worker2").answer is Answer.NONE
    assert fleet.call(agent="worker1").answer is Answer.DENY
    for _ in range(5):
        assert fleet.call(agent="scout1").answer is Answer.NONE


def test_users_and_days() -> None:
    """Sessions add up; another day begins anew."""
    fleet = Fleet(
        budgets={
            "user": {"of": "user", "usd": 2, "only": ["ann"]},
            "day": {"of": "day", "usd": 5},
        }
    )
    for session, user in (("a1", "ann"), ("a2", "ann"), ("b1", "bob")):
        fleet.decider.note_stored(
            ("", session), began_ns=NOW_NS, user=user, tokens=0, usd=1.5
        )
    assert fleet.call(session="a1").answer is Answer.DENY
    assert fleet.call(session="b1").answer is Answer.NONE
    fleet.spend(3, session="b1")
    assert fleet.call(session="b1").answer is Answer.DENY
    fleet.now_ns += 86_400 * _S
    assert fleet.call(session="c1").answer is Answer.NONE


def test_whether_the_next_model_call_may_spend_a_budget() -> None:
    """Nobody knows before the first; then when twice the dearest is left; not once spent."""
    fleet = Fleet(**budget("session", usd=10, calls=1))
    hook = {"hook_event_name": "PreToolUse", "session_id": "s"}

    def may_be() -> bool:
        return fleet.decider.may_be_spent("", hook, fleet.now_ns)

    assert may_be()
    fleet.spend(2)
    assert not may_be()
    fleet.spend(4.5)
    assert may_be()
    fleet.spend(5)
    assert not may_be()
    unpriced = Fleet(**budget("session", usd=10))
    usage = Usage(call_id="r", agent_id="", tokens=10, usd=None)
    unpriced.decider.note_usage(("", "s"), usage, NOW_NS)
    assert not unpriced.decider.may_be_spent("", hook, NOW_NS)
    nothing = Fleet(**budget("session", calls=1))
    assert not nothing.decider.may_be_spent("", hook, NOW_NS)


def test_a_session_that_goes_on_past_midnight() -> None:
    """What it uses counts on the day on which it uses it."""
    fleet = Fleet(budgets={"day": {"of": "day", "usd": 5, "calls": 4}})
    fleet.spend(4)
    assert fleet.call().answer is Answer.NONE
    fleet.now_ns += 86_400 * _S
    assert fleet.call().answer is Answer.NONE
    fleet.spend(4)
    assert fleet.call().answer is Answer.NONE
    fleet.spend(2)
    assert fleet.call().answer is Answer.DENY
    used = {e.measure: e.used for e in fleet.decider.all_standings("", fleet.now_ns)}
    assert used == {Measure.USD: 6, Measure.CALLS: 2}


def test_a_session_of_yesterday_that_the_store_tells_of() -> None:
    """After a restart: what was before this day does not count, what was since does."""
    fleet = Fleet(budgets={"day": {"of": "day", "usd": 5, "wall_s": 3600}})
    key = ("", "s")
    assert not fleet.decider.knows(key)
    fleet.decider.note_stored(
        key,
        began_ns=NOW_NS - 86_400 * _S,
        user="",
        tokens=0,
        usd=100.0,
        active_ns=NOW_NS,
        before={Measure.USD: 96.0},
    )
    assert fleet.decider.knows(key)
    fleet.now_ns += 60 * _S
    used = {e.measure: e.used for e in fleet.decider.all_standings("", fleet.now_ns)}
    assert used == {Measure.USD: 4, Measure.WALL_S: 60}


def test_wall_time() -> None:
    """From when a session was seen first."""
    fleet = Fleet(**budget("session", wall_s=60))
    assert fleet.call().answer is Answer.NONE
    fleet.now_ns += 61 * _S
    decision = fleet.call()
    assert decision.answer is Answer.DENY
    assert decision.objection is not None
    assert "61 of 60 seconds" in decision.objection.reason


def test_depth_and_number_of_sub_agents() -> None:
    """Only what would go deeper, or begin another one, is stopped."""
    fleet = Fleet(**budget("session", depth=2, subagents=3))
    assert fleet.begin("a1").answer is Answer.NONE
    assert fleet.begin("b1", by="a1").answer is Answer.NONE
    assert fleet.begin("c1", by="b1").answer is Answer.DENY
    assert fleet.call(agent="b1").answer is Answer.NONE
    assert fleet.begin("a2").answer is Answer.NONE
    assert fleet.begin("a3").answer is Answer.DENY


def test_what_several_feeds_tell_is_counted_once() -> None:
    """And the latest, larger amount holds."""
    fleet = Fleet(**budget("session", tokens=1000))
    for tokens in (100, 700, 700):
        usage = Usage(call_id="r", agent_id="", tokens=tokens, usd=None)
        fleet.decider.note_usage(("", "s"), usage, NOW_NS)
    (standing,) = fleet.decider.all_standings("", NOW_NS)
    assert standing.used == 700
    fleet.decider.note_stored(("", "s"), began_ns=NOW_NS, user="", tokens=900, usd=0)
    (standing,) = fleet.decider.all_standings("", NOW_NS)
    assert standing.used == 900


def test_a_warning_is_told_once() -> None:
    """When it is nearly used up, and it goes on."""
    fleet = Fleet(**budget("session", usd=1, warn_at=0.5))
    fleet.spend(0.6)
    first, second = fleet.call(), fleet.call()
    assert first.answer is second.answer is Answer.NONE
    assert "60% of the budget 'b'" in first.warnings[0].reason
    assert second.warnings == ()


def test_a_dry_run_records_and_stops_nothing() -> None:
    """The decision is there, and says that it was not enforced."""
    fleet = Fleet(mode="dry_run", **budget("session", calls=1))
    fleet.call()
    decision = fleet.call()
    assert (decision.answer, decision.enforced) == (Answer.DENY, False)
    (standing,) = fleet.decider.all_standings("", NOW_NS)
    assert standing.used == 2


def test_the_strictest_holds() -> None:
    """Whatever the order of the rules."""
    rules = [
        {"name": "a", "tools": ["Read"], "then": "allow"},
        {"name": "b", "tools": ["Re*"], "then": "deny"},
        {"name": "c", "tools": ["Read"], "then": "ask"},
    ]
    decision = Fleet(rules=rules).call()
    assert decision.answer is Answer.DENY
    assert decision.objection is not None
    assert decision.objection.by == "rule:b"


def test_consent_is_for_exactly_this_once() -> None:
    """Other arguments, another agent or another session need their own."""
    fleet = Fleet(rules=[{"name": "a", "tools": ["Bash"], "then": "approve"}])
    held = fleet.call("Bash", command="x")
    assert held.answer is Answer.APPROVE
    fleet.people.granted.add(held.approval)
    assert fleet.call("Bash", command="y").answer is Answer.APPROVE
    assert fleet.call("Bash", session="t", command="x").answer is Answer.APPROVE
    assert fleet.call("Bash", agent="w1", command="x").answer is Answer.APPROVE
    assert fleet.call("Bash", command="x").answer is Answer.NONE
    assert fleet.call("Bash", command="x").answer is Answer.APPROVE


@pytest.mark.parametrize(
    "hook",
    [
        {},
        {"hook_event_name": "PreToolUse"},
        {"hook_event_name": 7, "session_id": []},
        {"hook_event_name": "PreToolUse", "session_id": "s", "tool_input": "x"},
        {"hook_event_name": "PreToolUse", "session_id": "s", "tool_name": None},
        {"hook_event_name": "PostToolUse", "session_id": "s", "tool_name": "Agent"},
        {"hook_event_name": "SubagentStop", "session_id": "s", "agent_id": "gone"},
        {"hook_event_name": "SessionEnd", "session_id": "s"},
    ],
)
def test_whatever_a_client_says(hook: dict[str, Any]) -> None:
    """Nothing makes it fail; who says nothing that can be decided goes on."""
    fleet = Fleet(
        guards={"loop": {}, "fan_out": {}},
        risk={"threshold": 0.7},
        **budget("session", usd=1),
    )
    assert fleet.decider.decide("", hook, NOW_NS).answer is Answer.NONE
