-- What failed in a phase, most often first.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: kind ('tool', 'model', 'agent'), name, error String, times, runs UInt64,
--          run_ids, span_ids Array(String) (at most 20 of each, the latest first)
SELECT
    kind,
    name,
    error,
    count() AS times,
    uniqExact(run_id) AS runs,
    arraySlice(arrayDistinct(arrayMap(each -> each.2, arrayReverseSort(groupArray(100)((start, run_id))))), 1, 20) AS run_ids,
    arraySlice(arrayFilter(each -> each != '', arrayMap(each -> each.2, arrayReverseSort(groupArray(100)((start, span_id))))), 1, 20) AS span_ids
FROM (
    SELECT 'tool' AS kind, toString(Tool) AS name, if(Error = '', '?', toString(Error)) AS error, RunId AS run_id, SpanId AS span_id, StartTime AS start
    FROM tool_calls
    WHERE Success = 0 AND @rows@
    UNION ALL
    SELECT 'model' AS kind, toString(Model) AS name, toString(Error) AS error, RunId AS run_id, SpanId AS span_id, StartTime AS start
    FROM llm_calls
    WHERE Error != '' AND @rows@
    UNION ALL
    SELECT 'agent' AS kind, multiIf(Name != '', Name, Type != '', toString(Type), '?') AS name, if(Error = '', '?', toString(Error)) AS error, RunId AS run_id, SpanId AS span_id, StartTime AS start
    FROM agents
    WHERE Status = 'error' AND @rows@
) AS failed
GROUP BY kind, name, error
ORDER BY times DESC, kind, name, error
