-- The collectors that analyse runs of this store and have said so lately.
-- tokens:  database
-- params:  seen_s Float64 (how lately, in seconds)
-- returns: CollectorId String
SELECT CollectorId
FROM @database@.collectors
GROUP BY CollectorId
HAVING max(SeenAt) > now64(3) - toIntervalMillisecond(toInt64({seen_s:Float64} * 1000))
