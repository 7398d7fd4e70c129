"""Agents that other spans name and that have not reported themselves.

A crashed agent whose start event was lost is still an agent: its calls say so. It
gets a row that holds what they know of it, until it reports itself.
"""

from __future__ import annotations

import hashlib
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_Name: TypeAlias = tuple[str, str, str, str]
"""Tenant, "run" or "group", which one, agent id."""

_SCOPE: Final = ("Tenant", "GroupKey", "RunId", "AgentId")


def with_mentioned_agents(evidence: pa.Table) -> pa.Table:
    """Evidence with one more row for every agent that is only mentioned.

    An agent's id holds in its stated run, else in its group: what else is resolved at
    the same time makes no difference.
    """
    named = evidence.filter(pc.not_equal(evidence["AgentId"], ""))
    absent = _absent(named)
    if not absent:
        return evidence
    missing: list[int] = []
    names: list[_Name] = []
    rows = zip(*(named[name].to_pylist() for name in _SCOPE), strict=True)
    for row, scope in enumerate(rows):
        if scope in absent:
            missing.append(row)
            names.append(_name(*scope))
    mentions, found = _first_mentions(named.take(pa.array(missing)), names)
    return pa.concat_tables([evidence, _rows(mentions, found, evidence.schema)])


def _absent(named: pa.Table) -> set[tuple[str, str, str, str]]:
    """Where (by the columns of `_SCOPE`) an agent is named that has no row there."""
    groups = named.group_by([*_SCOPE, "Kind"]).aggregate([]).to_pylist()
    present: set[_Name] = set()
    for group in groups:
        if group["Kind"] == "agent":
            scope = tuple(group[name] for name in _SCOPE)
            present |= {_name(*scope), _name(scope[0], scope[1], "", scope[3])}
    everywhere = {tuple(group[name] for name in _SCOPE) for group in groups}
    return {
        scope
        for scope in everywhere
        if not {_name(*scope), _name(scope[0], scope[1], "", scope[3])} & present
    }


def _name(tenant: str, group: str, run: str, agent: str) -> _Name:
    return (tenant, "run", run, agent) if run else (tenant, "group", group, agent)


def _first_mentions(
    missing: pa.Table, names: list[_Name]
) -> tuple[pa.Table, list[_Name]]:
    """Per agent its earliest mention, with the last activity of them all."""
    order = pc.sort_indices(
        missing,
        sort_keys=[
            ("StartTime", "ascending"),
            ("GroupKey", "ascending"),
            ("Key", "ascending"),
        ],
    ).to_pylist()
    first: dict[_Name, int] = {}
    last: dict[_Name, int] = {}
    activity = missing["LastActivity"].cast(pa.int64()).to_pylist()
    for row in order:
        name = names[row]
        first.setdefault(name, row)
        last[name] = max(last.get(name, activity[row]), activity[row])
    mentions = missing.take(pa.array(list(first.values())))
    times = pa.array([last[name] for name in first], type=pa.int64())
    index = mentions.schema.get_field_index("LastActivity")
    field = mentions.field(index)
    return mentions.set_column(index, field, times.cast(field.type)), list(first)


_KEPT = frozenset(
    ("Tenant", "GroupKey", "RunId", "AgentId", "SessionId", "Environment", "Project")
    + ("User", "Service", "Process", "StartTime", "LastActivity", "Content")
)


def _rows(first: pa.Table, names: list[_Name], schema: pa.Schema) -> pa.Table:
    """Agent rows from mentions, in the shape of evidence."""
    count = first.num_rows
    made: dict[str, pa.Array] = {
        "Key": pa.array([name[3] for name in names]),
        "Node": pa.array(np.array([_node(name) for name in names], dtype=np.uint64)),
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


def _node(name: _Name) -> int:
    text = "agent:" + ":".join(name)
    return int.from_bytes(
        hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"
    )


def _unknown(kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_string(kind):
        return pa.array([""] * count, type=kind)
    if pa.types.is_uint64(kind) or pa.types.is_uint8(kind) or pa.types.is_int64(kind):
        return pa.array([0] * count, type=kind)
    return pa.nulls(count, type=kind)
