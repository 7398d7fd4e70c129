-- Values of one field that runs have, the most frequent first.
-- tokens:  value (an expression), table
-- params:  since Int64 (Unix seconds), prefix String, limit UInt32
-- returns: value, runs
SELECT
    toString(@value@) AS value,
    -- Exact for the first tens of thousands.
    uniq(RunId) AS runs
FROM @database@.@table@
WHERE Bucket >= toDateTime({since:Int64}) AND @value@ != ''
    AND ({prefix:String} = '' OR positionCaseInsensitiveUTF8(toString(@value@), {prefix:String}) > 0)
GROUP BY @value@
ORDER BY runs DESC, value
LIMIT {limit:UInt32}
