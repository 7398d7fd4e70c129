"""State that applications send: stored once, byte for byte, and checked when read."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import tarfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry

from fleetspan.testing import capture as record
from fleetspan_collector._errors import UsageError
from fleetspan_collector._signals import Signal
from fleetspan_collector.derive.normalise import Window
from fleetspan_collector.receivers import (
    Intake,
    OtlpHttpApp,
    ReceiverMetrics,
    ReceiverSettings,
)
from fleetspan_collector.redact import (
    ContentPolicy,
    Protection,
    RedactionMetrics,
    RedactionSettings,
)
from fleetspan_collector.snapshots.archive import write_archive
from fleetspan_collector.snapshots.handoff import handoff
from fleetspan_collector.snapshots.reading import IncompleteStateError, Snapshots
from tests.collector_processor.claude_code import captures
from tests.collector_processor.claude_code.captures import Delivery
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.snapshots.capturing import capture, snapshots

_SECRET: Final = "sk-ant-api03-" + "Q7x" * 31 + "AA"
_TRACE: Final = "0af7651916cd43dd8448eb211c803199"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """One store for the module; every test is a tenant of its own."""
    with embedded(tmp_path_factory.mktemp("state")) as opened:
        yield opened


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _chunk(body: bytes, **headers: str) -> Delivery:
    return Delivery(
        feed="snapshot_chunks",
        path="/v1/fleetspan/snapshot-chunks",
        headers={"content-type": "application/octet-stream", **headers},
        body=body,
    )


def _request(chunks: Sequence[bytes], **fields: object) -> Delivery:
    whole = b"".join(chunks)
    body = {
        "request_id": "0123456789abcdef",
        "at_unix_nano": 1_795_000_005_000_000_000,
        "trace_id": _TRACE,
        "span_id": "00f067aa0ba902b7",
        "run_id": "run-1",
        "agent_id": "planner",
        "name": "plan",
        "reason": "half way",
        "state_kind": "bytes",
        "state_hash": _sha(whole),
        "state_bytes": len(whole),
        "state_chunks": [_sha(each) for each in chunks],
        **fields,
    }
    return Delivery(
        feed="snapshots",
        path="/v1/fleetspan/snapshots",
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
    )


def _start_events(run_id: str = "run-1") -> Delivery:
    """A run and its agent that have started, as the SDK says it."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
        ExportLogsServiceRequest,
    )
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for name, span, attributes in (
        ("run", "00f067aa0ba902b1", {"gen_ai.workflow.name": "nightly"}),
        (
            "agent",
            "00f067aa0ba902b7",
            {
                "gen_ai.agent.name": "planner",
                "fleetspan.agent.id": "planner",
                "fleetspan.parent_span_id": "00f067aa0ba902b1",
            },
        ),
    ):
        row = scope.log_records.add(
            time_unix_nano=1_795_000_000_000_000_000,
            trace_id=bytes.fromhex(_TRACE),
            span_id=bytes.fromhex(span),
            event_name=f"fleetspan.{name}.start",
        )
        for key, value in {**attributes, "fleetspan.run.id": run_id}.items():
            row.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))
    return Delivery(
        feed="logs",
        path="/v1/logs",
        headers={"content-type": "application/x-protobuf"},
        body=request.SerializeToString(),
    )


def _take(
    store: Embedded, given: Sequence[Delivery], tenant: str, protection: Protection
) -> None:
    """Take deliveries under a content policy."""
    intake = Intake(
        store.journal,
        ReceiverSettings(),
        ReceiverMetrics(CollectorRegistry()),
        tenant_of=lambda headers: tenant,
        protection=protection,
    )
    asyncio.run(captures.post_all(OtlpHttpApp(intake), given))
    store.journal.seal()
    windows = []
    for segment in store.journal.sealed():
        store.writer.insert(segment)
        store.journal.remove(segment)
        if segment.signal is not Signal.METRICS:
            windows.append(Window.of_batches(segment.signal, [segment.batch_id]))
    store.derivation.derive(windows)


def _reading(store: Embedded) -> Snapshots:
    reader = store.engine.reader()

    def ask(query: str, output_format: str) -> Iterator[bytes]:
        yield reader.raw(query, output_format)

    return Snapshots(ask)


@pytest.mark.parametrize("policy", list(ContentPolicy))
def test_a_state_survives_every_content_policy(
    store: Embedded, policy: ContentPolicy
) -> None:
    """Secrets, zeros and all: what comes back is what was sent; name and reason are text."""
    chunks = [_SECRET.encode() + b"\x00\xff" + policy.value.encode(), b"e@mail.example"]
    protection = Protection(
        RedactionSettings(policy=policy, what=("secrets", "pii")),
        b"k" * 32,
        RedactionMetrics(CollectorRegistry()),
    )
    tenant = f"policy-{policy.value}"
    request = _request(
        chunks, reason=f"key {_SECRET}", request_id=f"policy-{policy.value}"
    )
    given = [_start_events(), *(_chunk(each) for each in chunks), request]
    _take(store, given, tenant, protection)
    assert capture(store, tenant) == 1
    snapshots_of = _reading(store)
    found = snapshots_of.find(f"policy-{policy.value}")
    assert b"".join(snapshots_of.state(found)) == b"".join(chunks)
    assert (_SECRET in found.document["reason"]) is (policy is ContentPolicy.FULL)


def test_the_same_state_is_stored_once(store: Embedded) -> None:
    """Whoever sends it, how often, in one request or long after: one copy."""
    body = random.Random(1).randbytes(100_000)
    captures.take(store, [_chunk(body), _chunk(body)], tenant="once")
    captures.take(store, [_chunk(body), _chunk(b"new")], tenant="once", forgetful=True)
    captures.take(store, [_chunk(body)], tenant="other")
    rows = store.rows(
        "snapshot_chunks",
        "Tenant IN ('once', 'other')",
        "Tenant, Hash, length(Body) AS Bytes",
    )
    assert [(row["Tenant"], row["Bytes"]) for row in rows] == [
        ("once", 3),
        ("once", 100_000),
        ("other", 100_000),
    ]


def test_a_request_that_comes_twice_is_one_snapshot(store: Embedded) -> None:
    """Sent again long after, the request is still one, under the id that the SDK gave."""
    given = [_start_events("run-2"), _request([], run_id="run-2", state_hash="")]
    captures.take(store, given, tenant="twice")
    captures.take(store, given, tenant="twice", forgetful=True)
    capture(store, "twice")
    (found,) = snapshots(store, "twice")
    assert found["SnapshotId"] == "0123456789abcdef"
    assert (found["Trigger"], found["Name"], found["Reason"]) == (
        "sdk",
        "plan",
        "half way",
    )
    assert (found["RunId"], found["AgentId"]) == ("run-2", "planner")
    assert found["Content"]["agents"][0]["name"] == "planner"


def test_a_request_makes_its_run_dirty(store: Embedded) -> None:
    """A late request gives the run's row another version, so that it is looked at."""
    captures.take(store, [_start_events("run-3")], tenant="dirty")
    (before,) = store.rows("canonical_runs FINAL", "Tenant = 'dirty'", "Version")
    captures.take(store, [_request([], run_id="run-3")], tenant="dirty")
    (after,) = store.rows("canonical_runs FINAL", "Tenant = 'dirty'", "Version")
    assert int(after["Version"]) > int(before["Version"])


def test_an_incomplete_state_is_shown_as_such(store: Embedded, tmp_path: Path) -> None:
    """A piece that never came is counted, named in the hand-off, and never made up."""
    chunks = [b"here", b"lost", b"here too"]
    given = [_start_events(), _chunk(chunks[0]), _chunk(chunks[2])]
    request = _request(chunks, request_id="incomplete-1")
    captures.take(store, [*given, request], tenant="incomplete")
    capture(store, "incomplete")
    snapshots_of = _reading(store)
    found = snapshots_of.find("incomplete")
    assert found.state == {
        "kind": "bytes",
        "sha256": _sha(b"herelosthere too"),
        "bytes": 16,
        "chunks": 3,
        "missing_chunks": 1,
        "complete": False,
    }
    assert "**incomplete**: 1 of 3 pieces are not in the store" in handoff(found)
    with pytest.raises(IncompleteStateError, match="is not in the store"):
        list(snapshots_of.state(found))
    target = tmp_path / "s.tar"
    names = write_archive(found, snapshots_of.state(found), target)
    assert names == ["snapshot.json", "handoff.md", "SHA256SUMS"]


def test_a_state_that_is_not_what_it_was_is_not_given_out(
    store: Embedded, tmp_path: Path
) -> None:
    """Pieces that make another whole than was stated are found out; no file is left."""
    given = [_start_events(), _chunk(b"swapped"), _chunk(b"state")]
    request = _request(
        [b"swapped", b"state"], request_id="swapped-1", state_hash=_sha(b"other")
    )
    captures.take(store, [*given, request], tenant="swapped")
    capture(store, "swapped")
    snapshots_of = _reading(store)
    found = snapshots_of.find("swapped-1")
    with pytest.raises(IncompleteStateError, match="make another whole"):
        list(snapshots_of.state(found))
    target = tmp_path / "s.tar"
    with pytest.raises(IncompleteStateError):
        write_archive(found, snapshots_of.state(found), target)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_holds_all_of_it_with_hashes(
    store: Embedded, tmp_path: Path
) -> None:
    """The document, the hand-off and the state, each with its SHA-256."""
    chunks = [b'{"plan":', b"[1]}"]
    given = [_start_events(), *(_chunk(each) for each in chunks)]
    request = _request(chunks, request_id="archive-1", state_kind="json")
    captures.take(store, [*given, request], tenant="archive")
    capture(store, "archive")
    snapshots_of = _reading(store)
    found = snapshots_of.find("archive-1")
    target = tmp_path / "s.tar"
    write_archive(found, snapshots_of.state(found), target)
    with tarfile.open(target) as archive:
        bodies = {
            each.name: archive.extractfile(each).read()  # type: ignore[union-attr]
            for each in archive.getmembers()
        }
    assert list(bodies) == ["snapshot.json", "handoff.md", "state.json", "SHA256SUMS"]
    assert json.loads(bodies["state.json"]) == {"plan": [1]}
    sums = bodies.pop("SHA256SUMS").decode().splitlines()
    assert sums == [f"{_sha(body)}  {name}" for name, body in bodies.items()]
    document = json.loads(bodies["snapshot.json"])
    assert document["schema_version"] == 1
    assert document["snapshot"]["state"]["complete"] is True


def test_ids_that_are_cut_short(store: Embedded) -> None:
    """A unique beginning is enough; anything else says what to try."""
    given = [_request([], request_id=f"short-{name}") for name in ("aaaa", "abbb")]
    captures.take(store, [_start_events(), *given], tenant="short")
    capture(store, "short")
    snapshots_of = _reading(store)
    assert snapshots_of.find("short-aaaa").snapshot_id == "short-aaaa"
    with pytest.raises(
        UsageError, match="2 snapshots begin so: short-aaaa, short-abbb"
    ):
        snapshots_of.find("short-a")
    with pytest.raises(UsageError, match="no snapshot has an id that begins so"):
        snapshots_of.find("short-ac")
    with pytest.raises(UsageError, match="no snapshot has an id that begins so"):
        snapshots_of.find("")


async def _status(app: OtlpHttpApp, given: Delivery) -> tuple[int, bytes]:
    return await captures._post(app, given)


def _app(**settings: Any) -> OtlpHttpApp:
    from fleetspan_collector.receivers.memory_sink import MemorySink

    return OtlpHttpApp(
        Intake(
            MemorySink(),
            ReceiverSettings(**settings),
            ReceiverMetrics(CollectorRegistry()),
        )
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (_chunk(b"x", **{"x-fleetspan-sha256": "00"}), b"x-fleetspan-sha256"),
        (replace(_request([]), body=b"{"), b"no JSON"),
        (replace(_request([]), body=b"[]"), b"no object"),
        (_request([], request_id=""), b"request_id"),
        (_request([], request_id="../x"), b"request_id"),
        (_request([], run_id=7), b"run_id"),
        (_request([], at_unix_nano=-1), b"at_unix_nano"),
        (_request([], state_bytes="many"), b"state_bytes"),
        (_request([], state_kind="yaml"), b"state_kind"),
        (_request([], state_chunks=["x"]), b"state_chunks"),
        (_request([], state_chunks="x"), b"state_chunks"),
    ],
)
def test_what_is_wrong_is_answered(given: Delivery, said: bytes) -> None:
    """400 and the field, and nothing is kept."""
    status, body = asyncio.run(_status(_app(), given))
    assert status == 400
    assert said in body


def test_a_collector_that_keeps_no_state_says_so() -> None:
    """By the setting a piece is answered and not kept; the sender does not try again."""
    status, body = asyncio.run(_status(_app(keeps_state=False), _chunk(b"x")))
    assert (status, json.loads(body)) == (200, {"hash": None, "kept": False})


def test_the_sdk_and_the_collector_speak_of_the_same_pieces(store: Embedded) -> None:
    """What the SDK makes of a state is stored and read back whole."""
    import fleetspan
    from fleetspan import _runtime

    state = random.Random(2).randbytes((2 << 20) + 77)
    with record(), fleetspan.run("nightly", id="run-sdk"), fleetspan.agent("planner"):
        taken = fleetspan.snapshot(state)
        (made,) = _runtime.current().outbox.kept  # type: ignore[attr-defined]
    chunks = [bytes(made.chunk(number)) for number in range(len(made.chunks))]
    fields = made.fields | {"trace_id": _TRACE, "run_id": "run-sdk"}
    request = replace(_request([]), body=json.dumps(fields).encode())
    given = [_start_events("run-sdk"), *(_chunk(each) for each in chunks), request]
    captures.take(store, given, tenant="sdk")
    capture(store, "sdk")
    snapshots_of = _reading(store)
    found = snapshots_of.find(taken)
    assert b"".join(snapshots_of.state(found)) == state
