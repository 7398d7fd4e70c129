-- Which of some pieces of state the store holds.
-- tokens:  tenant (quoted), hashes (quoted list)
-- returns: Hash
SELECT DISTINCT Hash
FROM snapshot_chunks
WHERE Tenant = '@tenant@' AND Hash IN (@hashes@)
