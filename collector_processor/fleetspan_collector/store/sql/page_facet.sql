-- Values of one field that runs have, the most frequent first.
-- tokens:  value (an expression), table
-- params:  since Int64 (Unix seconds), prefix String, limit UInt32
-- returns: value, count
SELECT
    toString(@value@) AS value,
    count() AS count
FROM @database@.@table@
WHERE Bucket >= toDateTime({since:Int64}) AND @value@ != ''
    AND ({prefix:String} = '' OR positionCaseInsensitiveUTF8(toString(@value@), {prefix:String}) > 0)
GROUP BY @value@
ORDER BY count DESC, value
LIMIT {limit:UInt32}
