-- What has started in the last day, in a process of this boot, and has not been seen to end.
-- tokens:  database
-- params:  scope String (what the names of this boot's processes start with)
-- returns: Tenant, GroupKey, Key, Kind, Process String
SELECT Tenant, GroupKey, Key, Kind, Process
FROM @database@.evidence
WHERE Source = 'start'
    AND startsWith(Process, {scope:String})
    AND ReceivedAt > now() - toIntervalDay(1)
    AND (Tenant, GroupKey, Key) NOT IN (
        SELECT Tenant, GroupKey, Key
        FROM @database@.evidence
        WHERE Source IN ('span', 'liveness') AND ReceivedAt > now() - toIntervalDay(1)
    )
