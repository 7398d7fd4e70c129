    -- A run as the API reads it.
@run_columns@,
    GroupKey AS group_key,
    TraceId AS trace_id,
    if(EndTime IS NULL, NULL, toUnixTimestamp64Nano(EndTime)) AS ended_ns,
    toUnixTimestamp64Nano(LastActivity) AS activity_ns,
    toString(Service) AS service,
    toString(Project) AS project,
    toString(Environment) AS environment,
    User AS user,
    toString(Tenant) AS tenant,
    toUnixTimestamp(Bucket) AS bucket_s
