-- What transcripts say of model calls, straight from the files: the lines of each call
-- taken together, file by file, and when each session began to work.
-- tokens:  files (a glob of files named NUMBER.jsonl)
-- returns: one row per file, call, session and agent (IsCall = 1), and one per file and
--          session for its own beginning (IsCall = 0)
--
-- A reply is one line per content block, each with the usage of the whole so far: the
-- largest of each number is the final one. One look at the JSON of a line, and only of
-- lines that may say something. Elements by `tupleElement`: with dots they become
-- subcolumns, which cost four times the whole statement where files are small.
WITH
    tupleElement(said, 'message') AS message,
    tupleElement(message, 'usage') AS usage,
    tupleElement(usage, 'cache_creation') AS written,
    parseDateTime64BestEffortOrNull(tupleElement(said, 'timestamp'), 9, 'UTC') AS at
SELECT
    toUInt32OrZero(splitByChar('.', _file)[1]) AS File,
    tupleElement(said, 'type') AS Type,
    Type = 'assistant' AS IsCall,
    if(IsCall, tupleElement(said, 'requestId'), '') AS RequestId,
    if(IsCall, tupleElement(message, 'id'), '') AS MessageId,
    if(IsCall AND RequestId = '' AND MessageId = '', tupleElement(said, 'uuid'), '') AS Uuid,
    tupleElement(said, 'sessionId') AS SessionId,
    tupleElement(said, 'requestSessionId') AS RequestSessionId,
    tupleElement(said, 'agentId') AS AgentId,
    min(at) AS FirstAt,
    argMin(tupleElement(said, 'cwd'), ifNull(at, toDateTime64(0, 9, 'UTC'))) AS Cwd,
    max(tupleElement(message, 'model')) AS Model,
    max(tupleElement(said, 'version')) AS ClientVersion,
    max(tupleElement(usage, 'input_tokens')) AS InputTokens,
    max(tupleElement(usage, 'cache_read_input_tokens')) AS CacheReadTokens,
    max(tupleElement(usage, 'cache_creation_input_tokens')) AS CacheWriteTokens,
    max(tupleElement(written, 'ephemeral_5m_input_tokens')) AS CacheWrite5mTokens,
    max(tupleElement(written, 'ephemeral_1h_input_tokens')) AS CacheWrite1hTokens,
    max(tupleElement(usage, 'output_tokens')) AS OutputTokens,
    max(tupleElement(tupleElement(usage, 'output_tokens_details'), 'thinking_tokens')) AS ReasoningTokens,
    max(tupleElement(tupleElement(usage, 'server_tool_use'), 'web_search_requests')) AS WebSearches,
    max(tupleElement(said, 'costUSD')) AS ReportedCostUsd,
    max(tupleElement(usage, 'speed')) AS Speed,
    max(tupleElement(usage, 'service_tier')) AS Tier,
    max(tupleElement(usage, 'inference_geo')) AS Place
FROM
(
    SELECT
        _file,
        JSONExtract(line, 'Tuple(
            type String,
            requestId String,
            uuid String,
            sessionId String,
            requestSessionId String,
            agentId String,
            timestamp String,
            cwd String,
            version String,
            costUSD Nullable(Float64),
            message Tuple(
                id String,
                model String,
                usage Tuple(
                    input_tokens Nullable(Int64),
                    cache_read_input_tokens Nullable(Int64),
                    cache_creation_input_tokens Nullable(Int64),
                    cache_creation Tuple(
                        ephemeral_5m_input_tokens Nullable(Int64),
                        ephemeral_1h_input_tokens Nullable(Int64)),
                    output_tokens Nullable(Int64),
                    output_tokens_details Tuple(thinking_tokens Nullable(Int64)),
                    server_tool_use Tuple(web_search_requests Nullable(Int64)),
                    speed String,
                    service_tier String,
                    inference_geo String)))') AS said
    FROM file('@files@', 'LineAsString', 'line String')
    WHERE position(line, '"usage"') > 0 OR position(line, '"queue-operation"') > 0 OR position(line, '"api-request"') > 0
)
GROUP BY ALL
HAVING (IsCall AND OutputTokens IS NOT NULL AND Model != '<synthetic>') OR Type IN ('queue-operation', 'api-request')
