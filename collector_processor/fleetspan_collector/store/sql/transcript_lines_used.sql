-- What transcripts say of model calls, straight from the files: the lines of each call
-- taken together, file by file, and when each session began to work.
-- tokens:  files (a glob of files named NUMBER.jsonl)
-- returns: one row per file, call, session and agent (IsCall = 1), and one per file and
--          session for its own beginning (IsCall = 0)
--
-- A reply is one line per content block, each with the usage of the whole so far: the
-- largest of each number is the final one. One look at the JSON of a line, and only of
-- lines that may say something: parsing is what this costs.
SELECT
    toUInt32OrZero(splitByChar('.', _file)[1]) AS File,
    said.type = 'assistant' AS IsCall,
    said.requestId AS RequestId,
    said.message.id AS MessageId,
    if(RequestId = '' AND MessageId = '', said.uuid, '') AS Uuid,
    said.sessionId AS SessionId,
    said.requestSessionId AS RequestSessionId,
    said.agentId AS AgentId,
    min(parseDateTime64BestEffortOrNull(said.timestamp, 9, 'UTC')) AS FirstAt,
    argMin(said.cwd, parseDateTime64BestEffortOrZero(said.timestamp, 9, 'UTC')) AS Cwd,
    max(said.message.model) AS Model,
    max(said.version) AS ClientVersion,
    max(said.message.usage.input_tokens) AS InputTokens,
    max(said.message.usage.cache_read_input_tokens) AS CacheReadTokens,
    max(said.message.usage.cache_creation_input_tokens) AS CacheWriteTokens,
    max(said.message.usage.cache_creation.ephemeral_5m_input_tokens) AS CacheWrite5mTokens,
    max(said.message.usage.cache_creation.ephemeral_1h_input_tokens) AS CacheWrite1hTokens,
    max(said.message.usage.output_tokens) AS OutputTokens,
    max(said.message.usage.output_tokens_details.thinking_tokens) AS ReasoningTokens,
    max(said.message.usage.server_tool_use.web_search_requests) AS WebSearches,
    max(said.costUSD) AS ReportedCostUsd,
    max(said.message.usage.speed) AS Speed,
    max(said.message.usage.service_tier) AS Tier,
    max(said.message.usage.inference_geo) AS Place
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
WHERE (said.type = 'assistant' AND said.message.usage.output_tokens IS NOT NULL AND said.message.model != '<synthetic>')
    OR said.type IN ('queue-operation', 'api-request')
GROUP BY ALL
