-- One run by its id, as a row of `page_runs`.
-- params:  run_id String
-- returns: as page_runs, without sort_value
SELECT
@page_run_columns@
FROM @database@.runs
WHERE RunId = {run_id:String}
    -- The hour is part of the key too: only its rows are merged.
    AND Bucket IN (SELECT Bucket FROM @database@.canonical_runs WHERE RunId = {run_id:String})
LIMIT 1
