-- What has been usual for a tenant in the hours of a window; the most frequent subjects.
-- Which these are is found out first, from the counts alone: names that every run makes up
-- anew may be hundreds of thousands, and merging the states of all of them takes a second.
-- tokens:  database
-- params:  tenant String, since, before Int64 (Unix seconds: hours from then on, and
--          before), most UInt64
-- returns: kind, subject, measure String, samples, runs Int64, quantiles Array(Float64)
--          (50, 90, 95 and 99 %, in the unit of the measure)
SELECT
    toString(Kind) AS kind,
    Subject AS subject,
    toString(Measure) AS measure,
    toInt64(sum(Samples)) AS samples,
    toInt64(uniqCombinedMerge(12)(Runs)) AS runs,
    arrayMap(q -> toFloat64(q), quantilesTDigestMerge(0.5, 0.9, 0.95, 0.99)(Quantiles)) AS quantiles
FROM @database@.stored_baselines FINAL
WHERE Tenant = {tenant:String} AND Hour >= toDateTime({since:Int64}) AND Hour < toDateTime({before:Int64})
    AND (Kind, Subject, Measure) IN
    (
        SELECT Kind, Subject, Measure
        FROM @database@.stored_baselines FINAL
        WHERE Tenant = {tenant:String} AND Hour >= toDateTime({since:Int64}) AND Hour < toDateTime({before:Int64})
        GROUP BY Kind, Subject, Measure
        ORDER BY sum(Samples) DESC, Kind, Subject, Measure
        LIMIT {most:UInt64}
    )
GROUP BY Kind, Subject, Measure
ORDER BY samples DESC, kind, subject, measure
SETTINGS do_not_merge_across_partitions_select_final = 1
