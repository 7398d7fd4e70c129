-- What the agents of a run cost, the dearest first, each with its dearest call.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: agent_id, name, model (that cost most) String, calls UInt64, usd,
--          dearest_usd Nullable(Float64), call_id, span_id String (of the dearest call)
SELECT
    calls.AgentId AS agent_id,
    multiIf(any(agents.Name) != '', any(agents.Name), any(agents.Type) != '', any(agents.Type), '?') AS name,
    argMax(toString(calls.Model), calls.CostUsd) AS model,
    count() AS calls,
    sum(calls.CostUsd) AS usd,
    max(calls.CostUsd) AS dearest_usd,
    argMax(calls.CallId, calls.CostUsd) AS call_id,
    argMax(calls.SpanId, calls.CostUsd) AS span_id
FROM (SELECT * FROM llm_calls WHERE @rows@) AS calls
LEFT JOIN (SELECT AgentId, any(Name) AS Name, any(toString(Type)) AS Type FROM agents WHERE @rows@ GROUP BY AgentId) AS agents
    ON agents.AgentId = calls.AgentId
GROUP BY agent_id
ORDER BY usd DESC NULLS LAST, agent_id
LIMIT 20
