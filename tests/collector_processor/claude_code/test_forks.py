"""Forked sessions: what was copied is counted once, in the session that did it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from tests.collector_processor.claude_code import captures
from tests.collector_processor.claude_code.captures import Delivery
from tests.collector_processor.claude_code.joining import (
    found,
    known,
    take_apart,
    truth,
)
from tests.collector_processor.embedded import Embedded, embedded


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Open a store for this module."""
    with embedded(tmp_path_factory.mktemp("forks")) as opened:
        yield opened


def _as_older_clients(given: list[Delivery]) -> list[Delivery]:
    """Leave out what older clients did not write: the session of a copied request."""
    older = []
    for each in given:
        lines = [json.loads(line) for line in each.body.splitlines()]
        for line in lines:
            line.pop("requestSessionId", None)
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        older.append(
            Delivery(feed=each.feed, path=each.path, headers=each.headers, body=body)
        )
    return older


@pytest.mark.parametrize("order", ["in order", "reversed", "shuffled"])
def test_a_fork_of_an_older_client_is_counted_once(store: Embedded, order: str) -> None:
    """Without a stated owner, a call belongs to the session that began before it."""
    given = _as_older_clients(
        captures.deliveries("resume", "transcripts", lines_at_once=5)
    )
    if order == "reversed":
        given.reverse()
    if order == "shuffled":
        random.Random(7).shuffle(given)
    # A place in its file names a line, so lines that became shorter get places anew.
    given = [
        Delivery(
            feed=each.feed,
            path=each.path,
            headers=each.headers | {"x-fleetspan-transcript-offset": str(n * 100_000)},
            body=each.body,
        )
        for n, each in enumerate(given)
    ]
    for first in range(0, len(given), 3):
        take_apart(store, {order: given[first : first + 3]})
    told, true = known(found(store, order)), truth("resume")
    # Compaction is in no transcript.
    absent = {key for key in true if key[1] == "req_fake_0007"}
    assert told.keys() == true.keys() - absent
    assert {k: v for k, v in told.items() if k[2] == "agent"} == {
        k: v for k, v in true.items() if k[2] == "agent" and k not in absent
    }


def test_a_copy_alone_is_not_lost(store: Embedded) -> None:
    """Where only the fork's file is read, what it copied is counted there."""
    fork = "12280b09-59cd-4386-8521-287331974b37"
    given = [
        each
        for each in _as_older_clients(captures.deliveries("resume", "transcripts"))
        if each.headers["x-fleetspan-session-id"] == fork
    ]
    take_apart(store, {"alone": given})
    calls = {key[1] for key in known(found(store, "alone")) if key[0] == "call"}
    assert calls == {f"req_fake_000{n}" for n in range(1, 7)}


@pytest.mark.parametrize("stated", [True, False])
def test_sub_agents_are_not_copied_into_a_fork(store: Embedded, stated: bool) -> None:
    """What a fork has copied of a session with sub-agents makes no agents of its own."""
    fork = "0f0f0f0f-0000-4000-8000-00000000000f"
    whole = captures.deliveries("tree", "transcripts")
    main = [each for each in whole if "x-fleetspan-agent-id" not in each.headers]
    session = main[0].headers["x-fleetspan-session-id"]
    copied = []
    for each in main:
        lines = [json.loads(line) for line in each.body.splitlines()]
        for line in lines:
            if line.get("type") == "assistant" and stated:
                line["requestSessionId"] = session
            line["sessionId"] = fork
        kept = [line for line in lines if line["type"] in ("assistant", "user")]
        path = each.headers["x-fleetspan-transcript-path"].replace(session, fork)
        names = {
            "x-fleetspan-transcript-path": path,
            "x-fleetspan-session-id": fork,
        }
        body = b"".join(json.dumps(line).encode() + b"\n" for line in kept)
        copied.append(
            Delivery(
                feed=each.feed, path=each.path, headers=each.headers | names, body=body
            )
        )
    own = {
        "type": "queue-operation",
        "operation": "enqueue",
        "timestamp": "2026-11-22T10:00:00.000Z",
        "sessionId": fork,
    }
    copied.append(
        Delivery(
            feed="transcripts",
            path=copied[-1].path,
            headers=copied[-1].headers | {"x-fleetspan-transcript-offset": "9000000"},
            body=json.dumps(own).encode() + b"\n",
        )
    )
    tenant = f"sub-agents {stated}"
    take_apart(store, {tenant: [*whole, *copied]})
    told = known(found(store, tenant))
    agents = {key[1] for key in told if key[0] == "agent"}
    assert agents - {fork} == {key[1] for key in truth("tree") if key[0] == "agent"}
    assert {told[key] for key in told if key[0] == "agent" and key[2] == "run"} <= {
        session,
        fork,
    }
    calls = {key[1] for key in told if key[0] == "call"}
    assert calls == {key[1] for key in truth("tree") if key[0] == "call"}
