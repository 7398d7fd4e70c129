-- Which detectors have found something in some runs.
--
-- params:  tenant String, runs Array(String), day UInt32 (as in said_of_traces)
-- returns: RunId, Detectors Array(String)
SELECT
    RunId,
    arraySort(groupUniqArray(toString(Detector))) AS Detectors
FROM @database@.findings
WHERE Tenant = {tenant:String} AND RunId IN {runs:Array(String)}
    AND Bucket BETWEEN toDateTime({day:UInt32}) - 86400 * 2 AND toDateTime({day:UInt32}) + 86400 * 2
GROUP BY RunId
