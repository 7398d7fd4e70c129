-- How far destinations were told of some findings or runs, whatever came of it.
-- tokens:  database
-- params:  destinations, subjects Array(String)
-- returns: Destination, Kind, Tenant, Subject String, Level UInt64; none for what is still to
--          be told
SELECT
    toString(Destination) AS Destination,
    toString(Kind) AS Kind,
    toString(Tenant) AS Tenant,
    Subject,
    max(Level) AS Level
FROM @database@.stored_deliveries
WHERE has({destinations:Array(String)}, stored_deliveries.Destination)
    AND Subject IN {subjects:Array(String)}
    AND Outcome IN ('delivered', 'refused', 'gave_up', 'expired')
GROUP BY Destination, Kind, Tenant, Subject
