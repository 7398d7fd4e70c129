-- What failed in a run, most often first.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: kind ('tool', 'model', 'agent'), name, error String, times UInt64,
--          ids, span_ids Array(String) (of the last ones, at most 10)
SELECT
    kind,
    name,
    error,
    count() AS times,
    arraySlice(arrayMap(each -> each.2, arrayReverseSort(groupArray(1000)((start, id)))), 1, 10) AS ids,
    arrayFilter(each -> each != '', arraySlice(arrayMap(each -> each.2, arrayReverseSort(groupArray(1000)((start, span_id)))), 1, 10)) AS span_ids
FROM (
    SELECT 'tool' AS kind, toString(Tool) AS name, if(Error = '', '?', toString(Error)) AS error, ToolCallId AS id, SpanId AS span_id, StartTime AS start
    FROM tool_calls WHERE Success = 0 AND @rows@
    UNION ALL
    SELECT 'model' AS kind, toString(Model) AS name, toString(Error) AS error, CallId AS id, SpanId AS span_id, StartTime AS start
    FROM llm_calls WHERE Error != '' AND @rows@
    UNION ALL
    SELECT 'agent' AS kind, multiIf(Name != '', Name, Type != '', toString(Type), '?') AS name, if(Error = '', toString(Status), toString(Error)) AS error, AgentId AS id, SpanId AS span_id, StartTime AS start
    FROM agents WHERE Status IN ('error', 'abandoned') AND @rows@
) AS failed
GROUP BY kind, name, error
ORDER BY times DESC, kind, name, error
LIMIT 20
