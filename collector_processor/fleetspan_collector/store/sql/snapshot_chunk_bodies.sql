-- Some pieces of state.
-- tokens:  tenant (quoted), hashes (quoted list)
-- returns: Hash, Body
SELECT Hash, Body
FROM snapshot_chunks
WHERE Tenant = '@tenant@' AND Hash IN (@hashes@)
LIMIT 1 BY Hash
