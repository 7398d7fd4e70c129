"""What the API answers. Every document is a contract: fields are added, never renamed.

Times are RFC 3339 in UTC with microseconds, durations seconds, costs US dollars; ``None``
is unknown, which is not zero. Lists are newest first unless they say otherwise, and go
on with ``?cursor=`` of ``next_cursor`` until that is ``None``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

Status = Literal["running", "ok", "error", "abandoned"]
Severity = Literal["info", "low", "medium", "high", "critical"]
Category = Literal["model", "tool", "permission", "queue", "backoff", "subagent", "gap"]


class Document(BaseModel):
    """What every answer has.

    Attributes:
        schema_version: Of all documents of the API and of the command.
    """

    schema_version: int = 1


class Page(Document):
    """A part of a list.

    Attributes:
        next_cursor: Where the next part begins; ``None`` after the last.
        complete: Whether all that was acknowledged before the question is in it.
    """

    next_cursor: str | None = None
    complete: bool = True


class Usage(BaseModel):
    """Counts, tokens and cost; see `store.rows.UsageRow`."""

    llm_calls: int
    tool_calls: int
    errors: int
    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    reported_cost_usd: float | None
    unpriced_calls: int


class Run(Usage):
    """One run of a list.

    Attributes:
        group_key: The trace, or Claude Code's session, that live events name as ``group``.
        findings: How many findings it has.
        worst_severity: Of its findings; ``None`` without any.
        complexity: 0 to 10; ``None`` while it is not analysed.
        saved_usd: What all findings save together.
    """

    run_id: str
    session_id: str | None
    group_key: str
    trace_id: str | None
    name: str | None
    status: Status
    started_at: str | None
    ended_at: str | None
    last_activity_at: str | None
    duration_s: float | None
    agents: int
    service: str | None
    project: str | None
    environment: str | None
    user: str | None
    findings: int = 0
    worst_severity: Severity | None = None
    complexity: float | None = None
    saved_seconds: float | None = None
    saved_usd: float | None = None


class Runs(Page):
    """Runs."""

    runs: list[Run]


class TimelineRows(BaseModel):
    """What a run did, column by column; all lists are equally long, parents first.

    Rows of kind ``agent`` come from agents, ``llm`` from llm calls, ``tool`` from tool
    calls; ``span`` is any other span of its traces.

    Attributes:
        id: Unique in the run: agent id, call id, tool call id, or span id.
        kind: ``agent``, ``llm``, ``tool`` or ``span``.
        parent: Index of the row that it belongs to; -1 for none.
        agent: Index of the row of the agent at work; -1 for none.
        name: Of the agent, model, tool or span.
        start_s: Seconds from the start of the run; may be below 0.
        duration_s: ``None`` while it goes on.
        status: Of an agent; ``ok`` or ``error`` of the others, ``running`` while open.
        error: What failed; ``""`` when nothing did.
        model: That answered an llm call, or that an agent uses; ``""`` when not known.
        tokens: All tokens of an llm call together; ``None`` when not known.
        cost_usd: Of an llm call; ``None`` when not known.
        wait_s: For how long a tool call waited for a permission; 0 for not at all.
        span_id: The span that tells of it; ``""`` for none.
        trace_id: Its trace.
        critical_s: For how long it is on the critical path.
    """

    id: list[str]
    kind: list[Literal["agent", "llm", "tool", "span"]]
    parent: list[int]
    agent: list[int]
    name: list[str]
    start_s: list[float]
    duration_s: list[float | None]
    status: list[str]
    error: list[str]
    model: list[str]
    tokens: list[int | None]
    cost_usd: list[float | None]
    wait_s: list[float]
    span_id: list[str]
    trace_id: list[str]
    critical_s: list[float]


class PathSegment(BaseModel):
    """One stretch of the critical path; together they tile the run's wall time.

    Attributes:
        row: Index of the row of the timeline; -1 when it is of none.
    """

    start_s: float
    end_s: float
    category: Category
    row: int


class Timeline(Document):
    """The waterfall of one run.

    Attributes:
        started_at: What ``start_s`` counts from.
        rows: At most ``limit`` of them.
        total_rows: How many there are.
        path: The critical path; empty while the run is not analysed.
        ledger: Seconds of the critical path by category.
    """

    run: Run
    started_at: str
    rows: TimelineRows
    total_rows: int
    path: list[PathSegment]
    ledger: dict[str, float]
    complete: bool = True


class Attribute(BaseModel):
    """One attribute; a list, because keys may be anything and may repeat."""

    key: str
    value: str


class Event(BaseModel):
    """An event of a span, or a log record near it."""

    at: str | None
    name: str
    body: str = ""
    attributes: list[Attribute] = []


class Item(Document):
    """One row of a timeline with everything known of it.

    Attributes:
        facts: Its canonical columns, names as in the store's README.
        attributes: Of the span that tells of it.
        resource: Of that span's resource.
        events: Of that span, and log records with its span id, oldest first.
    """

    id: str
    kind: Literal["agent", "llm", "tool", "span"]
    facts: list[Attribute]
    attributes: list[Attribute]
    resource: list[Attribute]
    events: list[Event]


class Finding(BaseModel):
    """What a processor says of a run.

    Attributes:
        seconds: What its advice saves; 0 saves none.
        usd: The same in US dollars.
        rows: Ids of the timeline's rows that prove it.
        open: Whether the run was still going on.
    """

    finding_id: str
    detector: str
    severity: Severity
    at: str | None
    run_id: str
    run_name: str | None
    trace_id: str | None
    session_id: str | None
    agent_id: str | None
    agent_name: str | None
    what: str
    advice: str
    seconds: float | None
    usd: float | None
    span_ids: list[str]
    rows: list[str]
    open: bool
    found_at: str | None


class Findings(Page):
    """Findings."""

    findings: list[Finding]


class Session(BaseModel):
    """A conversation and what it took."""

    session_id: str
    runs: int
    agents: int
    llm_calls: int
    tool_calls: int
    errors: int
    tokens: int | None
    cost_usd: float | None
    unpriced_calls: int
    started_at: str | None
    last_activity_at: str | None
    running: int
    user: str | None
    project: str | None
    service: str | None


class Sessions(Page):
    """Sessions."""

    sessions: list[Session]


class Worker(BaseModel):
    """An agent at work now.

    Attributes:
        doing: What it does at this moment in a few words, such as ``Bash`` or a model;
            ``None`` when nothing is open.
        quiet_s: Seconds since it was last heard of.
    """

    run_id: str
    run_name: str | None
    group_key: str
    session_id: str | None
    agent_id: str
    name: str | None
    type: str | None
    model: str | None
    parent: str | None
    started_at: str | None
    last_activity_at: str | None
    quiet_s: float
    doing: str | None
    llm_calls: int
    tool_calls: int
    tokens: int | None
    cost_usd: float | None


class Fleet(Document):
    """Agents at work now, and the last hour in figures.

    Attributes:
        total: Agents at work; ``agents`` may hold fewer.
        hour: Runs, errors, tokens and cost of the last hour.
        by_minute: The last hour minute by minute, oldest first: agents that were active
            and dollars that were spent.
    """

    agents: list[Worker]
    total: int
    running_runs: int
    hour: Totals
    by_minute: list[Minute]
    complete: bool = True


class Totals(BaseModel):
    """Sums over a time."""

    runs: int
    failed_runs: int
    llm_calls: int
    tool_calls: int
    errors: int
    tokens: int | None
    cost_usd: float | None
    unpriced_calls: int


class Minute(BaseModel):
    """One minute of the fleet."""

    at: str
    agents: int
    llm_calls: int
    errors: int
    cost_usd: float | None


class Concern(BaseModel):
    """One thing that needs attention.

    Attributes:
        kind: ``finding``, ``failed_run``, ``quiet_agent``, ``unpriced``, ``refused``,
            ``quarantined``, ``orphans`` or ``forwarding``.
        what: One sentence.
        todo: What to do, one sentence.
        link: The page's own path that shows it, such as ``/runs/ID``.
    """

    kind: str
    severity: Severity
    what: str
    todo: str
    at: str | None
    count: int
    usd: float | None
    seconds: float | None
    run_id: str | None
    link: str | None


class Attention(Document):
    """What needs attention, worst first."""

    concerns: list[Concern]
    complete: bool = True


class Series(BaseModel):
    """One line of a chart, a value per bin."""

    name: str
    cost_usd: list[float | None]
    tokens: list[int | None]
    calls: list[int]
    total_usd: float | None
    total_tokens: int | None
    total_calls: int
    unpriced_calls: int


class Cost(Document):
    """Cost over time, by something; the dearest first, the rest as ``(others)``."""

    since: str
    until: str
    bin_s: int
    bins: list[str]
    series: list[Series]
    complete: bool = True


class Coverage(Document):
    """How much of what happened is known, since a time.

    Attributes:
        refused: Requests turned away since this collector started, by reason.
        rejected: Spans, records and points rejected out of accepted requests, by reason.
        quarantined_records: Records that the engine would not read.
        forwarding: For each destination how far behind it is.
    """

    runs: int
    spans: int
    orphan_spans: int
    llm_calls: int
    unpriced_calls: int
    unpriced_models: list[str]
    unattributed_usd: float | None
    calls_without_tokens: int
    receipt_times: int
    refused: dict[str, int]
    rejected: dict[str, int]
    quarantined_records: int
    forwarding: list[Lag]
    complete: bool = True


class Lag(BaseModel):
    """A destination and its queue."""

    destination: str
    waiting_bytes: int
    lag_s: float
    sent_requests: int
    dropped_records: int
    problem: str | None


class Facet(BaseModel):
    """A value to filter by, and how many rows of its kind have it."""

    value: str
    count: int


class Facets(Document):
    """Values of one field, most frequent first."""

    field: str
    values: list[Facet]


class Whoami(Document):
    """Who asks.

    Attributes:
        required: Whether a key has to be shown.
        tenant: Whose rows are seen; ``None`` for everybody's.
    """

    required: bool
    key_id: str | None
    tenant: str | None
    scopes: list[str]
    version: str


class Problem(BaseModel):
    """An error, its cause and what to try."""

    error: str
    because: str
    try_: str

    model_config = {"alias_generator": lambda name: name.rstrip("_")}
