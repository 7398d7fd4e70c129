"""Agents that other spans name and that have not reported themselves.

A crashed agent whose start event was lost is still an agent: its calls say so. It
gets a row that holds what they know of it, until it reports itself.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def with_mentioned_agents(evidence: pa.Table) -> pa.Table:
    """Evidence with one more row for every agent that is only mentioned."""
    named = evidence.filter(pc.not_equal(evidence["AgentId"], ""))
    groups = named.group_by(["Tenant", "AgentId", "Kind"]).aggregate([]).to_pylist()
    present = {(g["Tenant"], g["AgentId"]) for g in groups if g["Kind"] == "agent"}
    missing = {(g["Tenant"], g["AgentId"]) for g in groups} - present
    if not missing:
        return evidence
    wanted = [
        pair in missing
        for pair in zip(
            named["Tenant"].to_pylist(), named["AgentId"].to_pylist(), strict=True
        )
    ]
    first = _first_mentions(named.filter(pa.array(wanted)))
    return pa.concat_tables([evidence, _rows(first, evidence.schema)])


def _first_mentions(missing: pa.Table) -> pa.Table:
    """Per agent its earliest mention, with the last activity of them all."""
    ordered = missing.sort_by(
        [("StartTime", "ascending"), ("GroupKey", "ascending"), ("Key", "ascending")]
    )
    seen: dict[tuple[str, str], int] = {}
    last: dict[tuple[str, str], int] = {}
    activity = ordered["LastActivity"].cast(pa.int64()).to_pylist()
    pairs = zip(
        ordered["Tenant"].to_pylist(), ordered["AgentId"].to_pylist(), strict=True
    )
    for row, key in enumerate(pairs):
        seen.setdefault(key, row)
        last[key] = max(last.get(key, activity[row]), activity[row])
    first = ordered.take(pa.array(list(seen.values())))
    times = pa.array([last[key] for key in seen], type=pa.int64())
    index = first.schema.get_field_index("LastActivity")
    return first.set_column(
        index, first.field(index), times.cast(first.schema.field(index).type)
    )


_KEPT = frozenset(
    ("Tenant", "GroupKey", "RunId", "AgentId", "SessionId", "Environment", "Project")
    + ("User", "Service", "Process", "StartTime", "LastActivity", "Content")
)


def _rows(first: pa.Table, schema: pa.Schema) -> pa.Table:
    """Agent rows from mentions, in the shape of evidence."""
    keys = [
        f"agent:{tenant}:{agent}"
        for tenant, agent in zip(
            first["Tenant"].to_pylist(), first["AgentId"].to_pylist(), strict=True
        )
    ]
    nodes = [
        int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
        for key in keys
    ]
    count = first.num_rows
    made: dict[str, pa.Array] = {
        "Key": pa.array([key.split(":", 2)[2] for key in keys]),
        "Node": pa.array(np.array(nodes, dtype=np.uint64)),
        "Kind": pa.array(["agent"] * count),
        "Status": pa.array(["running"] * count),
        "Sources": pa.array([["mention"]] * count),
    }
    arrays = []
    for field in schema:
        if field.name in made:
            arrays.append(made[field.name].cast(field.type))
        elif field.name in _KEPT:
            arrays.append(first[field.name])
        else:
            arrays.append(_unknown(field.type, count))
    return pa.table(arrays, schema=schema)


def _unknown(kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_string(kind):
        return pa.array([""] * count, type=kind)
    if pa.types.is_uint64(kind) or pa.types.is_uint8(kind) or pa.types.is_int64(kind):
        return pa.array([0] * count, type=kind)
    return pa.nulls(count, type=kind)
