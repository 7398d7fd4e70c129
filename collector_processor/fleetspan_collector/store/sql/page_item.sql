-- One canonical row with all its columns.
-- tokens:  table, key
-- params:  run_id, id String, first, last Int64 (Unix seconds that bound the run's rows)
-- returns: the columns of the table
SELECT *
FROM @database@.@table@
WHERE RunId = {run_id:String} AND @key@ = {id:String}
    AND Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64})
LIMIT 1
