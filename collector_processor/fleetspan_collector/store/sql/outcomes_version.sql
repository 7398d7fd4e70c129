-- What is different once there are other outcomes.
-- tokens:  stored (name of the table)
-- returns: Latest, Number
SELECT max(Version) AS Latest, count() AS Number
FROM @stored@
