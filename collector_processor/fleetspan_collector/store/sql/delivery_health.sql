-- How telling each destination has gone lately.
-- tokens:  database, hours
-- returns: Destination String, Delivered, Failed (attempts that will be repeated), Lost (given
--          up, refused or expired) UInt64, LastOutcome, LastAnswer String, LastCode
--          Nullable(Int32)
SELECT
    toString(Destination) AS Destination,
    sumIf(Items, Outcome = 'delivered') AS Delivered,
    countIf(Outcome = 'retry') AS Failed,
    sumIf(Items, Outcome IN ('refused', 'gave_up', 'expired')) AS Lost,
    argMax(toString(Outcome), At) AS LastOutcome,
    argMax(Answer, At) AS LastAnswer,
    argMax(tuple(Code), At).1 AS LastCode
FROM @database@.deliveries
WHERE At > now() - INTERVAL @hours@ HOUR
GROUP BY Destination
ORDER BY Destination
