-- Since when each destination is to be told.
-- tokens:  database
-- returns: Destination String, Since Int64 (Unix milliseconds)
SELECT Destination, toUnixTimestamp64Milli(min(destinations.Since)) AS Since
FROM @database@.destinations
GROUP BY Destination
