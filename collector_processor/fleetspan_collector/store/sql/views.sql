-- The tables that people read: canonical rows with their replaced versions gone, and
-- what has been silent for longer than the idle setting shown as abandoned.
-- tokens:  database, on_cluster, idle_seconds
--
-- GroupKey is part of the tables' keys: the trace, or the session for Claude Code, of
-- which TraceId (and SpanId) then name the span, where one is known.

CREATE OR REPLACE VIEW @database@.runs @on_cluster@ AS
SELECT * EXCEPT (Status, TraceId, OtelTraceId, Version, IsDeleted),
    canonical_runs.TraceId AS GroupKey,
    multiIf(OtelTraceId != '', OtelTraceId, length(GroupKey) = 32, GroupKey, '') AS TraceId,
    if(canonical_runs.Status = 'running' AND LastActivity < now() - toIntervalSecond(@idle_seconds@), 'abandoned', canonical_runs.Status) AS Status
FROM @database@.canonical_runs FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.agents @on_cluster@ AS
SELECT * EXCEPT (Status, TraceId, SpanId, OtelTraceId, OtelSpanId, Version, IsDeleted),
    canonical_agents.TraceId AS GroupKey,
    multiIf(OtelTraceId != '', OtelTraceId, length(GroupKey) = 32, GroupKey, '') AS TraceId,
    if(length(GroupKey) = 32, canonical_agents.SpanId, OtelSpanId) AS SpanId,
    if(canonical_agents.Status = 'running' AND LastActivity < now() - toIntervalSecond(@idle_seconds@), 'abandoned', canonical_agents.Status) AS Status
FROM @database@.canonical_agents FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.llm_calls @on_cluster@ AS
SELECT * EXCEPT (TraceId, SpanId, OtelTraceId, OtelSpanId, Version, IsDeleted),
    canonical_llm_calls.TraceId AS GroupKey,
    multiIf(OtelTraceId != '', OtelTraceId, length(GroupKey) = 32, GroupKey, '') AS TraceId,
    if(length(GroupKey) = 32, canonical_llm_calls.SpanId, OtelSpanId) AS SpanId
FROM @database@.canonical_llm_calls FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.tool_calls @on_cluster@ AS
SELECT * EXCEPT (TraceId, SpanId, OtelTraceId, OtelSpanId, Version, IsDeleted),
    canonical_tool_calls.TraceId AS GroupKey,
    multiIf(OtelTraceId != '', OtelTraceId, length(GroupKey) = 32, GroupKey, '') AS TraceId,
    if(length(GroupKey) = 32, canonical_tool_calls.SpanId, OtelSpanId) AS SpanId
FROM @database@.canonical_tool_calls FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.findings @on_cluster@ AS
SELECT * EXCEPT (Version, IsDeleted)
FROM @database@.stored_findings FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.run_analyses @on_cluster@ AS
SELECT * EXCEPT (Version, IsDeleted)
FROM @database@.stored_analyses FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.agent_rollups @on_cluster@ AS
SELECT * EXCEPT (Version, IsDeleted)
FROM @database@.stored_agent_rollups FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.snapshots @on_cluster@ AS
SELECT * EXCEPT (Version, IsDeleted)
FROM @database@.stored_snapshots FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.deliveries @on_cluster@ AS
SELECT * FROM @database@.stored_deliveries;

CREATE OR REPLACE VIEW @database@.outcomes @on_cluster@ AS
SELECT * EXCEPT (Version, IsDeleted)
FROM @database@.stored_outcomes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
