-- The runs that the programs of one `fleetspan run` made or went on with, latest first.
-- tokens:  database, invocation (its id, quoted), since (when it began, UTC)
-- returns: run_id, name, status, agents, errors, orphan_spans
WITH
@invocation_parts@
SELECT
    RunId AS run_id,
    Name AS name,
    Status AS status,
    Agents AS agents,
    Errors AS errors,
    OrphanSpans AS orphan_spans
FROM @database@.runs
WHERE LastActivity >= since AND (SessionId IN sessions OR RunId IN (
    SELECT RunId FROM @database@.agents WHERE LastActivity >= since AND TraceId IN traces
    UNION DISTINCT
    SELECT RunId FROM @database@.llm_calls WHERE StartTime >= since AND TraceId IN traces
    UNION DISTINCT
    SELECT RunId FROM @database@.tool_calls WHERE StartTime >= since AND TraceId IN traces))
ORDER BY StartTime DESC
LIMIT 100
