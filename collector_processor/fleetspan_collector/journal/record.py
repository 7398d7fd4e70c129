"""One record of a segment: how it is written, read and checked.

A segment is a stream of length-delimited protobuf messages, so that the engine
reads it by itself::

    message Record {
      fixed32 crc32c = 1;               // of every byte of the record after this field
      string tenant = 2;
      fixed64 received_unix_nano = 3;
      bytes record_id = 4;              // 16 bytes
      uint32 rows = 5;
      oneof input {
        SnapshotRequest snapshot = 8;
        SnapshotChunk snapshot_chunk = 9;
        ExportTraceServiceRequest traces = 10;
        ExportLogsServiceRequest logs = 11;
        ExportMetricsServiceRequest metrics = 12;
        ClaudeHook claude_hook = 13;
        TranscriptLines transcript_lines = 14;
      }
    }

Fields stand in this order and the input is last. The checksum starts from that of the
segment's batch id. The id is random, so no client can hide in its payload something
that a search for the next record, after damage, would take for one of another tenant;
nor does a block of a deleted segment pass for one of this.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import google_crc32c

from fleetspan_collector._signals import Signal

RECORD_ID_BYTES: Final = 16

_INPUT_TAGS: Final = {
    Signal.TRACES: b"\x52",
    Signal.LOGS: b"\x5a",
    Signal.METRICS: b"\x62",
    Signal.CLAUDE_HOOKS: b"\x6a",
    Signal.TRANSCRIPT_LINES: b"\x72",
    Signal.SNAPSHOTS: b"\x42",
    Signal.SNAPSHOT_CHUNKS: b"\x4a",
}
_SIGNALS: Final = {tag[0]: signal for signal, tag in _INPUT_TAGS.items()}
_CRC_TAG = 0x0D
_TENANT_TAG = 0x12
_FIXED: Final = struct.Struct("<cQ2s16sc")  # received, record id, the tag of rows
_CRC: Final = struct.Struct("<BI")
_CANDIDATE: Final = re.compile(rb"\x0d(?=.{4}[\x12\x19])", re.DOTALL)
_MAX_VARINT_BYTES = 5
# What a search for the next intact record may read to check candidates: a payload
# full of them must not hold up a start for more than seconds.
_SEARCH_BYTES: Final = 128 * 1024 * 1024
_CANDIDATE_BYTES: Final = 64  # what looking at one candidate costs, in bytes checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An intact record, where it stands and what it holds.

    Attributes:
        offset: Of its length prefix, in bytes from the start of the data.
        length: Of the whole, length prefix included, in bytes.
        signal: What kind of input it holds.
        tenant: Whose it is.
        received_unix_nano: When it was received.
        record_id: 16 bytes that name a retry of the same request.
        rows: How many raw rows it becomes.
        payload: The bytes of the input.
        framed: All of it, length prefix included.
    """

    offset: int
    length: int
    signal: Signal
    tenant: str
    received_unix_nano: int
    record_id: bytes
    rows: int
    payload: memoryview
    framed: memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A stretch of a segment that is not an intact record.

    Attributes:
        offset: Where it begins, in bytes from the start of the data.
        length: How long it is, in bytes.
        kind: ``torn`` for an end that a crash cut off or left as zeros, ``corrupt``
            for a record whose checksum is wrong, ``framing`` for bytes that are no
            record.
    """

    offset: int
    length: int
    kind: Literal["torn", "corrupt", "framing"]


class _Torn(Exception):  # noqa: N818 - never leaves this module
    """The data ends inside the record."""


class _Broken(Exception):  # noqa: N818 - never leaves this module
    """There is no record here."""


def seed(batch_id: str) -> int:
    """Return what the checksums of a segment's records start from."""
    return int(google_crc32c.value(batch_id.encode()))


def encode_head(
    *,
    crc_seed: int,
    signal: Signal,
    tenant: bytes,
    received_unix_nano: int,
    record_id: bytes,
    rows: int,
    payload: bytes,
) -> bytes:
    """Return the bytes of a record that come before its payload.

    The payload is not copied: write the head, then the payload.

    Args:
        crc_seed: `seed` of the segment's batch id.
        signal: What kind of input it is.
        tenant: Whose it is, in UTF-8.
        received_unix_nano: When it was received.
        record_id: 16 bytes.
        rows: How many raw rows it becomes, below 2^32.
        payload: The bytes of the input.
    """
    body = b"".join(
        (
            b"\x12" + _varint(len(tenant)) + tenant if tenant else b"",
            _FIXED.pack(b"\x19", received_unix_nano, b"\x22\x10", record_id, b"\x28"),
            _varint(rows),
            _INPUT_TAGS[signal],
            _varint(len(payload)),
        )
    )
    crc = google_crc32c.extend(google_crc32c.extend(crc_seed, body), payload)
    length = _CRC.size + len(body) + len(payload)
    return _varint(length) + _CRC.pack(_CRC_TAG, crc) + body


def scan(data: bytes, crc_seed: int) -> Iterator[Record | Damage]:
    """Walk through a segment and yield all of it, in order, as records and damage.

    Args:
        data: The whole segment.
        crc_seed: `seed` of its batch id.
    """
    view = memoryview(data)
    offset = 0
    while offset < len(data):
        piece: Record | Damage
        try:
            piece = _read(data, view, offset)
        except (_Torn, _Broken) as problem:
            following = _search(data, view, offset + 1, crc_seed)
            if following is not None:
                end, torn = following.offset, False
            else:
                end = len(data)
                torn = isinstance(problem, _Torn) or not any(view[offset:])
            piece = Damage(
                offset=offset, length=end - offset, kind="torn" if torn else "framing"
            )
        else:
            if not _intact(data, piece, crc_seed):
                piece = _corrupt(data, view, piece, crc_seed)
        yield piece
        offset += piece.length


def _read(data: bytes, view: memoryview, offset: int) -> Record:
    """Read the record at an offset; its checksum is not looked at.

    Raises:
        _Torn: When the data ends inside it.
        _Broken: When what stands there is no record.
    """
    length, start = _read_varint(data, offset)
    end = start + length
    try:
        if data[start] != _CRC_TAG:
            raise _Broken
        at = start + _CRC.size
        tenant = ""
        if data[at] == _TENANT_TAG:
            tenant_length, at = _read_varint(data, at + 1)
            tenant = str(view[at : at + tenant_length], "utf-8")
            at += tenant_length
        received_tag, received, id_tag, record_id, rows_tag = _FIXED.unpack_from(
            data, at
        )
        if (received_tag, id_tag, rows_tag) != (b"\x19", b"\x22\x10", b"\x28"):
            raise _Broken
        rows, at = _read_varint(data, at + _FIXED.size)
        signal = _SIGNALS.get(data[at])
        payload_length, at = _read_varint(data, at + 1)
    except (IndexError, struct.error):
        raise _Torn from None
    except UnicodeDecodeError:
        raise _Broken from None
    if signal is None or at + payload_length != end:
        raise _Broken
    if end > len(data):
        raise _Torn
    return Record(
        offset=offset,
        length=end - offset,
        signal=signal,
        tenant=tenant,
        received_unix_nano=received,
        record_id=record_id,
        rows=rows,
        payload=view[at:end],
        framed=view[offset:end],
    )


def _intact(data: bytes, record: Record, crc_seed: int) -> bool:
    """Tell whether a record's checksum is right."""
    end = record.offset + record.length
    start = record.offset
    while data[start] & 0x80:
        start += 1
    body = start + 1 + _CRC.size
    (expected,) = struct.unpack_from("<I", data, body - 4)
    return bool(google_crc32c.extend(crc_seed, data[body:end]) == expected)


def _corrupt(data: bytes, view: memoryview, piece: Record, crc_seed: int) -> Damage:
    """Return how far a record with a wrong checksum reaches."""
    end = piece.offset + piece.length
    # Where bytes are missing, the length leads into the records that follow.
    following = _search(data, view, piece.offset + 1, crc_seed, before=end)
    if following is None:
        return Damage(offset=piece.offset, length=piece.length, kind="corrupt")
    length = following.offset - piece.offset
    return Damage(offset=piece.offset, length=length, kind="framing")


def _search(
    data: bytes,
    view: memoryview,
    offset: int,
    crc_seed: int,
    before: int | None = None,
) -> Record | None:
    """Return the first intact record that begins at or after an offset.

    With ``before``, only one that begins before that offset.
    """
    budget = _SEARCH_BYTES
    before = len(data) if before is None else before
    for candidate in _CANDIDATE.finditer(data, offset + 1):
        if candidate.start() >= before + _MAX_VARINT_BYTES:
            return None
        for start in _starts(data, candidate.start(), offset):
            budget -= _CANDIDATE_BYTES
            if budget < 0:
                return None
            try:
                record = _read(data, view, start)
            except (_Torn, _Broken):
                continue
            budget -= record.length
            if start < before and _intact(data, record, crc_seed):
                return record
    return None


def _starts(data: bytes, crc_tag: int, least: int) -> Iterator[int]:
    """Yield where a length prefix that ends just before a tag may begin."""
    start = crc_tag - 1
    if data[start] & 0x80:
        return
    last = max(least, crc_tag - _MAX_VARINT_BYTES)
    yield start
    while start > last and data[start - 1] & 0x80:
        start -= 1
        yield start


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at an offset and the offset after it.

    Raises:
        _Torn: When the data ends inside it.
        _Broken: When it is too long.
    """
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if at + index >= len(data):
            raise _Torn
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise _Broken
