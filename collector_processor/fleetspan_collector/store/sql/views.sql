-- The tables that people read: canonical rows with their replaced versions gone, and
-- what has been silent for longer than the idle setting shown as abandoned.
-- tokens:  database, on_cluster, idle_seconds

CREATE OR REPLACE VIEW @database@.runs @on_cluster@ AS
SELECT * EXCEPT (Status, Version, IsDeleted),
    if(Status = 'running' AND LastActivity < now() - toIntervalSecond(@idle_seconds@), 'abandoned', Status) AS Status
FROM @database@.canonical_runs FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.agents @on_cluster@ AS
SELECT * EXCEPT (Status, Version, IsDeleted),
    if(Status = 'running' AND LastActivity < now() - toIntervalSecond(@idle_seconds@), 'abandoned', Status) AS Status
FROM @database@.canonical_agents FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.llm_calls @on_cluster@ AS
SELECT * EXCEPT (Version, IsDeleted)
FROM @database@.canonical_llm_calls FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW @database@.tool_calls @on_cluster@ AS
SELECT * EXCEPT (Version, IsDeleted)
FROM @database@.canonical_tool_calls FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
