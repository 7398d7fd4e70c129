"""The bytes of a record."""

from __future__ import annotations

from typing import Any

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from fleetspan_collector._signals import Signal
from fleetspan_collector.journal import record
from fleetspan_collector.journal.record import Damage, Record

SEED = record.seed("01J00000000000000000000000")


def encode(
    payload: bytes,
    *,
    signal: Signal = Signal.TRACES,
    tenant: str = "acme",
    rows: int = 3,
) -> bytes:
    """Return one record of the segment that the tests speak of."""
    head = record.encode_head(
        crc_seed=SEED,
        signal=signal,
        tenant=tenant.encode(),
        received_unix_nano=1_700_000_000_000_000_001,
        record_id=bytes(range(16)),
        rows=rows,
        payload=payload,
    )
    return head + payload


def _record_message() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="journal_test.proto", syntax="proto3"
    )
    message = file.message_type.add(name="Record")
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, name, kind in (
        (1, "crc32c", kinds.TYPE_FIXED32),
        (2, "tenant", kinds.TYPE_STRING),
        (3, "received_unix_nano", kinds.TYPE_FIXED64),
        (4, "record_id", kinds.TYPE_BYTES),
        (5, "rows", kinds.TYPE_UINT32),
        (10, "traces", kinds.TYPE_BYTES),
        (11, "logs", kinds.TYPE_BYTES),
        (12, "metrics", kinds.TYPE_BYTES),
        (13, "claude_hook", kinds.TYPE_BYTES),
        (14, "transcript_line", kinds.TYPE_BYTES),
    ):
        message.field.add(
            number=number, name=name, type=kind, label=kinds.LABEL_OPTIONAL
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Record"))


def test_protobuf_reads_a_record() -> None:
    """A record is a length-delimited message of the documented layout."""
    names = {
        Signal.TRACES: "traces",
        Signal.LOGS: "logs",
        Signal.METRICS: "metrics",
        Signal.CLAUDE_HOOKS: "claude_hook",
        Signal.TRANSCRIPT_LINES: "transcript_line",
    }
    for signal, name in names.items():
        data = encode(b"payload", signal=signal, tenant="tenänt", rows=300)
        start = 1
        assert data[0] == len(data) - start
        message = _record_message().FromString(data[start:])
        assert message.tenant == "tenänt"
        assert message.received_unix_nano == 1_700_000_000_000_000_001
        assert message.record_id == bytes(range(16))
        assert message.rows == 300
        assert getattr(message, name) == b"payload"
        assert message.crc32c == google_crc32c.extend(SEED, data[start + 5 :])


def test_fields_come_back() -> None:
    """A scan yields every field as it was given, and where the record stands."""
    data = encode(b"one") + encode(b"two", tenant="", signal=Signal.LOGS, rows=0)
    first, second = record.scan(data, SEED)
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (first.offset, first.tenant, first.rows) == (0, "acme", 3)
    assert bytes(first.payload) == b"one"
    assert first.record_id == bytes(range(16))
    assert first.received_unix_nano == 1_700_000_000_000_000_001
    assert (second.offset, second.tenant, second.rows) == (first.length, "", 0)
    assert second.signal is Signal.LOGS
    assert bytes(second.framed) == data[first.length :]


def test_zero_padding_is_a_torn_end() -> None:
    """Zeros after the last record, as a power cut leaves them, are no damage inside."""
    data = encode(b"one")
    pieces = list(record.scan(data + bytes(100), SEED))
    assert pieces[1:] == [Damage(offset=len(data), length=100, kind="torn")]


def test_record_of_another_segment_is_damage() -> None:
    """A record that was written under another batch id does not pass for one of this."""
    data = encode(b"one")
    (piece,) = record.scan(data, record.seed("01J00000000000000000000001"))
    assert piece == Damage(offset=0, length=len(data), kind="corrupt")


def test_record_inside_a_payload_is_not_found() -> None:
    """After damage, a record that a client hid in its payload is not taken for one."""
    head = record.encode_head(
        crc_seed=0,
        signal=Signal.TRACES,
        tenant=b"victim",
        received_unix_nano=1,
        record_id=bytes(16),
        rows=1,
        payload=b"forged",
    )
    data = bytearray(encode(b"...." + head + b"forged....") + encode(b"next"))
    data[0] ^= 0x01
    damage, following = record.scan(bytes(data), SEED)
    assert isinstance(damage, Damage)
    assert isinstance(following, Record)
    assert bytes(following.payload) == b"next"


@given(st.lists(st.binary(max_size=300), max_size=6), st.binary(max_size=60))
def test_scan_covers_every_byte(payloads: list[bytes], scrap: bytes) -> None:
    """Records and damage together are the whole of the data, whatever it ends in."""
    data = b"".join(map(encode, payloads)) + scrap
    pieces = list(record.scan(data, SEED))
    offset = 0
    for piece in pieces:
        assert piece.offset == offset
        offset += piece.length
    assert offset == len(data)
    found = [bytes(piece.payload) for piece in pieces if isinstance(piece, Record)]
    assert found == payloads


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=6),
    st.data(),
)
def test_one_flipped_byte_costs_one_record(
    payloads: list[bytes], data: st.DataObject
) -> None:
    """Whatever byte is wrong, at most the record that holds it is lost."""
    records = [encode(payload) for payload in payloads]
    raw = bytearray(b"".join(records))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    hit, end = 0, len(records[0])
    while place >= end:
        hit += 1
        end += len(records[hit])
    pieces = record.scan(bytes(raw), SEED)
    found = [bytes(piece.payload) for piece in pieces if isinstance(piece, Record)]
    assert found == payloads[:hit] + payloads[hit + 1 :]


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=6),
    st.data(),
)
def test_missing_bytes_cost_what_they_belong_to(
    payloads: list[bytes], data: st.DataObject
) -> None:
    """Where bytes are missing, only the records that held them are lost."""
    records = [encode(payload) for payload in payloads]
    raw = b"".join(records)
    start = data.draw(st.integers(0, len(raw) - 1))
    end = data.draw(st.integers(start + 1, len(raw)))
    left = raw[:start] + raw[end:]
    rest: list[bytes] = []
    place = taken = 0
    for payload, item in zip(payloads, records, strict=True):
        after = place + len(item)
        whole = after <= start or place >= end
        # What comes after the gap may be, byte for byte, what was lost; but the same
        # bytes are not two records.
        if place < start < after:
            whole = left[place:after] == item
            taken = after if whole else taken
        if not whole and place < end < after and start - (end - place) >= taken:
            whole = left[start - (end - place) : start + after - end] == item
        if whole:
            rest.append(payload)
        place = after
    pieces = record.scan(left, SEED)
    found = [bytes(piece.payload) for piece in pieces if isinstance(piece, Record)]
    assert found == rest
