"""Who owns what: the agent of every call, the run of every agent, and what counts once.

Works on evidence as arrays, all groups of a window at once. Where the dialect states
an owner, a parent or a run, that holds; else the closest ancestor among the spans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns, Mask, Strings, codes
from fleetspan_collector.derive import tree
from fleetspan_collector.derive._pairing import paired

Indexes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What resolving found out about each row of evidence.

    Attributes:
        agents: Rows that are the first report of an agent.
        calls: Rows that are a provider request, each request once.
        tools: Rows that are a tool call, each once.
        agent_of: For each row the row of its agent (an agent's own row, or its
            owner's); -1 for none.
        parent_of: For each agent row the row of its parent agent; -1 for none.
        cut_of: For each agent row the parent that it is not given because it would close
            a circle; -1 for none.
        spawn_of: For each agent row the tool call row that started it; -1 for none.
        run_id: For each row the id of its run.
        run_row: For each row the row that stands for its run (workflow or topmost
            agent); -1 where the trace itself is the run.
        usage_of: For each call row the row whose token vector counts.
        activations: For each agent row how many rows report the agent.
        orphans: Rows of spans whose parent is stated and not here.
        waits_of: For each row the tool call row that it is a wait of; -1 for none.
    """

    agents: Indexes
    calls: Indexes
    tools: Indexes
    agent_of: Indexes
    parent_of: Indexes
    cut_of: Indexes
    spawn_of: Indexes
    run_id: Strings
    run_row: Indexes
    usage_of: Indexes
    activations: Indexes
    orphans: Mask
    waits_of: Indexes


def find_owners(evidence: Columns) -> Ownership:
    """Assign every row of evidence to its agent and run.

    Args:
        evidence: Whole groups, one row per thing (`read_evidence.sql`).
    """
    kind = evidence.strings("Kind")
    is_agent, is_run = kind == "agent", kind == "run"
    is_call, is_tool = kind == "call", kind == "tool"
    parents = tree.parent_indexes(evidence.ids("Node"), evidence.ids("ParentNode"))
    of_session = evidence.of_session
    # In a session the things that spans tell of have keys of their own.
    is_span = ~of_session | (evidence.strings("SpanId") == evidence.strings("Key"))
    orphans = is_span & (parents == tree.NONE) & (evidence.ids("ParentNode") != 0)

    first, activations = _first_reports(evidence, is_agent)
    activations = _with_stated_activations(evidence, kind, first, activations)
    agent_of = _stated_or_nearest_agent(evidence, parents, is_agent, first)
    spawn_of = _spawning_tools(parents, is_tool, is_agent)
    parent_of, cut_of = _parent_agents(
        evidence, parents, is_agent, first, _starters(agent_of, spawn_of, of_session)
    )
    run_row, run_id = _runs(evidence, parents, is_agent | is_run, parent_of, agent_of)
    call_rows, usage_of = _requests(evidence, parents, is_call, is_agent, is_tool)
    return Ownership(
        agents=np.flatnonzero(is_agent & (first == np.arange(evidence.count))),
        calls=call_rows,
        tools=_tool_calls(evidence, parents, is_tool, is_agent),
        agent_of=agent_of,
        parent_of=parent_of,
        cut_of=cut_of,
        spawn_of=spawn_of,
        run_id=run_id,
        run_row=run_row,
        usage_of=usage_of,
        activations=activations,
        orphans=orphans,
        waits_of=np.where(kind == "wait", tree.nearest(parents, is_tool), tree.NONE),
    )


def _starters(agent_of: Indexes, spawn_of: Indexes, of_session: Mask) -> Indexes:
    """For each agent of a session the owner of the tool call that started it.

    Spans of a nested agent hang under its tool call's span and not under its parent's.
    """
    by_tool = of_session & (spawn_of != tree.NONE)
    return np.where(by_tool, agent_of[spawn_of], tree.NONE)


def _with_stated_activations(
    evidence: Columns, kind: Strings, first: Indexes, activations: Indexes
) -> Indexes:
    """How often each agent was set to work, where its feed says so."""
    stated = np.flatnonzero(kind == "activation")
    if not len(stated):
        return activations
    named = np.where(kind == "activation", evidence.strings("AgentId"), "")
    agent = _stated_agents(evidence, named, kind == "agent", first)[stated]
    counted = np.bincount(agent[agent != tree.NONE], minlength=evidence.count)
    return np.maximum(activations, counted)


def _first_reports(evidence: Columns, is_agent: Mask) -> tuple[Indexes, Indexes]:
    """For each row the first row of the same agent id, and how many there are."""
    first = np.arange(evidence.count)
    activations = np.zeros(evidence.count, dtype=np.int64)
    rows = np.flatnonzero(is_agent)
    if not len(rows):
        return first, activations
    same, count = codes(
        evidence.strings("Tenant")[rows],
        evidence.strings("GroupKey")[rows],
        evidence.strings("AgentId")[rows],
    )
    # Earliest first; rows come sorted by key, so ties have a fixed order too.
    order = np.argsort(evidence.nanoseconds("StartTime")[rows], kind="stable")[::-1]
    representative = np.empty(count, dtype=np.int64)
    representative[same[order]] = rows[order]
    first[rows] = representative[same]
    activations[representative] = np.bincount(same, minlength=count)
    return first, activations


def _stated_agents(
    evidence: Columns, names: Strings, is_agent: Mask, first: Indexes
) -> Indexes:
    """Rows of the agents that a column names; -1 where none is named or it is not here.

    An id holds in its group first, then in its stated run, which may span groups.
    """
    found = np.full(evidence.count, tree.NONE)
    asking = np.flatnonzero(names != "")
    agents = np.flatnonzero(is_agent)
    if not len(asking) or not len(agents):
        return found
    ids = evidence.strings("AgentId")
    tenants = evidence.strings("Tenant")
    for scope in ("RunId", "GroupKey"):
        within = evidence.strings(scope)
        both = np.concatenate([agents, asking])
        names_of_both = np.concatenate([ids[agents], names[asking]])
        number, count = codes(tenants[both], within[both], names_of_both)
        row_of = np.full(count, tree.NONE)
        row_of[number[: len(agents)]] = first[agents]
        answer = row_of[number[len(agents) :]]
        usable = (answer != tree.NONE) & (within[asking] != "")
        found[asking[usable]] = answer[usable]
    return found


def _stated_or_nearest_agent(
    evidence: Columns, parents: Indexes, is_agent: Mask, first: Indexes
) -> Indexes:
    above = tree.nearest(parents, is_agent)
    above = np.where(above == tree.NONE, tree.NONE, first[above])
    stated = _stated_agents(evidence, evidence.strings("AgentId"), is_agent, first)
    owner = np.where(stated == tree.NONE, above, stated)
    return np.where(is_agent, first, owner)


def _parent_agents(
    evidence: Columns,
    parents: Indexes,
    is_agent: Mask,
    first: Indexes,
    starters: Indexes,
) -> tuple[Indexes, Indexes]:
    """Each agent's parent agent, circles being cut, and the parents that were cut off."""
    above = tree.nearest(parents, is_agent)
    above = np.where(above == tree.NONE, tree.NONE, first[above])
    above = np.where(starters == tree.NONE, above, starters)
    names = np.where(is_agent, evidence.strings("ParentAgentId"), "")
    stated = _stated_agents(evidence, names, is_agent, first)
    parent = np.where(stated == tree.NONE, above, stated)
    own = parent == first
    parent = np.where(is_agent & ~own, parent, tree.NONE)
    # A second activation has its first report's parent.
    parent = np.where(is_agent, parent[first], tree.NONE)
    root = tree.topmost(parent)
    circle = is_agent & (parent != tree.NONE) & (parent[root] != tree.NONE)
    closes = circle & (root == np.arange(evidence.count))
    return np.where(closes, tree.NONE, parent), np.where(closes, parent, tree.NONE)


def _runs(
    evidence: Columns,
    parents: Indexes,
    is_container: Mask,
    parent_of: Indexes,
    agent_of: Indexes,
) -> tuple[Indexes, Strings]:
    """The row and the id of every row's run: topmost workflow or agent, else the trace."""
    here = np.arange(evidence.count)
    above = tree.nearest(parents, is_container)
    # Where the spans between are missing, a stated parent agent continues the way up.
    up = np.where((above == tree.NONE) & is_container, parent_of, above)
    container_up = np.where(
        is_container, np.where(up == here, tree.NONE, up), tree.NONE
    )
    top = tree.topmost(container_up)
    start = np.where(is_container, here, np.where(above == tree.NONE, agent_of, above))
    run_row = np.where(start == tree.NONE, tree.NONE, top[start])

    stated = evidence.strings("RunId")
    # Agent ids are unique in their trace only.
    own = evidence.strings("GroupKey") + "-" + evidence.strings("Key")
    of_container = np.where(stated != "", stated, own)
    alone = np.where(stated != "", stated, evidence.strings("GroupKey"))
    run_id = np.where(run_row == tree.NONE, alone, of_container[run_row])
    return run_row, run_id


def _spawning_tools(parents: Indexes, is_tool: Mask, is_agent: Mask) -> Indexes:
    above = tree.nearest(parents, is_tool | is_agent)
    by_tool = (above != tree.NONE) & is_tool[above]
    return np.where(is_agent & by_tool, above, tree.NONE)


def _requests(
    evidence: Columns,
    parents: Indexes,
    is_call: Mask,
    is_agent: Mask,
    is_tool: Mask,
) -> tuple[Indexes, Indexes]:
    """Each provider request once, whichever layers report it.

    A call span that contains others is a layer around them. It gives its token vector
    to the one call below it when that has none, or the same without the lifetimes of
    its cache writes; when none of several calls below has
    one, it stands for them all.
    """
    usage_of = np.arange(evidence.count)
    known = evidence.integers("UsageKnown") == 1
    # A call within a tool call within a call is one of the tool's, no layer.
    above = tree.nearest(parents, is_call | is_agent | is_tool)
    layer = np.where((above != tree.NONE) & is_call & is_call[above], above, tree.NONE)
    of_session = evidence.of_session
    # What an SDK or the provider says of a call of Claude Code's, which knows it best.
    told_again = is_call & (layer != tree.NONE) & of_session[layer] & ~of_session
    layer = np.where(told_again, tree.NONE, layer)
    inner = np.flatnonzero(layer != tree.NONE)
    counted = is_call & ~told_again
    if len(inner):
        below = np.bincount(layer[inner], minlength=evidence.count)
        below_known = np.bincount(
            layer[inner], weights=known[inner], minlength=evidence.count
        )
        wraps = below > 0
        stands = wraps & known & (below > 1) & (below_known == 0)
        counted &= ~wraps | stands
        covered = np.zeros(evidence.count, dtype=bool)
        covered[inner] = stands[layer[inner]]
        counted &= ~covered
        alone = below[layer[inner]] == 1
        wanting = ~known[inner] | _tells_lifetimes(evidence, layer[inner], inner)
        lent = inner[wanting & known[layer[inner]] & alone]
        usage_of[lent] = layer[lent]
    rows = np.flatnonzero(counted)
    rows = rows[~paired(evidence, rows)]
    rows = _without_known_requests(evidence, rows)
    return _without_repeats(evidence, rows), usage_of


def _tells_lifetimes(evidence: Columns, outer: Indexes, inner: Indexes) -> Mask:
    """Where an outer report splits the cache writes that the inner one has in one."""
    hour = evidence.floats("CacheWrite1hTokens")
    tells: Mask = np.isnan(hour[inner]) & ~np.isnan(hour[outer])
    for name in ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens"):
        tokens = evidence.floats(name)
        tells &= tokens[inner] == tokens[outer]
    return tells


def _without_known_requests(evidence: Columns, rows: Indexes) -> Indexes:
    """Drop calls of a trace whose request another row of the same trace tells of better.

    Providers name every request differently, but only traces that are linked are read
    together, so a name counts within its trace.
    """
    named = rows[evidence.known("RequestId")[rows]]
    if len(named) < 2:
        return rows
    own_trace = evidence.strings("TraceId")
    trace = np.where(own_trace != "", own_trace, evidence.strings("GroupKey"))
    same, count = codes(
        evidence.strings("Tenant")[named],
        trace[named],
        evidence.strings("RequestId")[named],
    )
    if count == len(named):
        return rows
    # Best first: the session's word, then usage, then the earlier one, then by place.
    order = np.lexsort(
        (
            named,
            evidence.nanoseconds("StartTime")[named],
            -evidence.integers("UsageKnown")[named],
            ~evidence.of_session[named],
        )
    )
    _, first = np.unique(same[order], return_index=True)
    gone = np.setdiff1d(named, named[order[first]])
    return np.setdiff1d(rows, gone)


def _without_repeats(evidence: Columns, rows: Indexes) -> Indexes:
    """Drop calls that tell of the same response as another at the same time.

    The id alone is not enough: some servers give the same id to every response.
    """
    named = rows[evidence.known("ResponseId")[rows]]
    if len(named) < 2:
        return rows
    same, count = codes(
        evidence.strings("Tenant")[named],
        evidence.strings("GroupKey")[named],
        evidence.strings("ResponseId")[named],
    )
    if count == len(named):
        return rows
    start = evidence.nanoseconds("StartTime")
    end = np.maximum(evidence.nanoseconds("LastActivity"), start)
    known = evidence.integers("UsageKnown")
    dropped: set[int] = set()
    repeated = np.flatnonzero(np.bincount(same) > 1)
    for code in repeated:
        kept: list[int] = []
        members = named[same == code]
        # The fullest report first, then the earliest: independent of arrival.
        for row in sorted(members, key=lambda r: (-known[r], start[r], r)):
            if any(start[row] <= end[k] and start[k] <= end[row] for k in kept):
                dropped.add(int(row))
            else:
                kept.append(int(row))
    return np.array([row for row in rows if int(row) not in dropped], dtype=np.int64)


def _tool_calls(
    evidence: Columns, parents: Indexes, is_tool: Mask, is_agent: Mask
) -> Indexes:
    """Each tool call once: a span inside another of the same call id is a layer.

    In a session a result alone, of which nobody names the tool, is none.
    """
    above = tree.nearest(parents, is_tool | is_agent)
    ids = evidence.strings("ToolCallId")
    repeated = (
        is_tool
        & (above != tree.NONE)
        & is_tool[above]
        & (ids != "")
        & (ids == ids[above])
    )
    nameless = evidence.of_session & ~evidence.known("Name")
    return np.flatnonzero(is_tool & ~repeated & ~nameless)
