    -- Where a raw row comes from; with the batch, its place there names it once.
    tenant AS Tenant,
    '@batch_id@' AS BatchId,
    toUInt32(rowNumberInAllBlocks()) AS BatchOrdinal,
    nanoseconds(received_unix_nano) AS ReceivedAt
