-- One row per accepted event. Absent text is '' (ClickHouse's habit: cheaper than Nullable, and no
-- id in the contract may be empty); absent stages are NULL, because 0 of 0 stages means something.
CREATE TABLE IF NOT EXISTS events
(
    id               UUID,
    timestamp        DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    org_id           String CODEC(ZSTD(1)),
    workspace_id     String CODEC(ZSTD(1)),
    user_id          String CODEC(ZSTD(1)),
    app_id           String CODEC(ZSTD(1)),
    endpoint_id      String CODEC(ZSTD(1)),
    trace_id         String CODEC(ZSTD(1)),
    principal_type   LowCardinality(String),
    principal_id     String CODEC(ZSTD(1)),
    token_id         String CODEC(ZSTD(1)),
    token_type       LowCardinality(String),
    method           LowCardinality(String),
    path             String CODEC(ZSTD(1)),
    resource_type    LowCardinality(String),
    resource_id      String CODEC(ZSTD(1)),
    action           LowCardinality(String),
    status_code      UInt16,
    -- Derived here and not taken from the producer: list and summary cannot disagree on it.
    success          Bool MATERIALIZED status_code < 400,
    error_code       LowCardinality(String),
    duration_ms      Float64,
    execution_id     String CODEC(ZSTD(1)),
    augmentation_id  String CODEC(ZSTD(1)),
    stages_completed Nullable(UInt16),
    total_stages     Nullable(UInt16),
    token_usage      Map(String, UInt64),
    tokens           UInt64 MATERIALIZED
        if(mapContains(token_usage, 'total'), token_usage['total'], arraySum(mapValues(token_usage))),
    -- JSON as text, not the JSON type: what a service sent comes back as it was (nulls, big numbers,
    -- dots in keys). Analysts: JSONExtractString(metadata, 'key').
    metadata         String DEFAULT '{}' CODEC(ZSTD(1)),
    producer_id      LowCardinality(String),
    seq              UInt64 CODEC(Delta, ZSTD(1)),
    schema_version   UInt8,

    -- Where the row came from. These make the table its own record of progress: the consumer asks
    -- it which offsets are in, instead of keeping a second store (docs/adr/0001).
    _topic           LowCardinality(String),
    _partition       UInt16,
    _offset          UInt64 CODEC(Delta, ZSTD(1)),
    -- First offset of the batch the row came in. A partition's batches go in one after the other,
    -- so a row with _base_offset = b proves that every offset below b is settled.
    _base_offset     UInt64 CODEC(Delta, ZSTD(1)),
    -- Until when the writer was known to own the partition; a later insert is a zombie's.
    _lease           DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    _ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),

    CONSTRAINT lease_is_valid CHECK _lease > now64(3),

    -- A listing by one rare value (one resource, one user) must not read the whole org: these let
    -- it skip the granules that cannot hold the value.
    INDEX user_id_bloom         user_id         TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX app_id_bloom          app_id          TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX endpoint_id_bloom     endpoint_id     TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX augmentation_id_bloom augmentation_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX resource_id_bloom     resource_id     TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX principal_id_bloom    principal_id    TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX duration_minmax       duration_ms     TYPE minmax             GRANULARITY 1,
    INDEX success_minmax        success         TYPE minmax             GRANULARITY 1,
    INDEX offset_minmax         _offset         TYPE minmax             GRANULARITY 1,

    -- Rollups are projections and not materialized views: written in the same part by the same
    -- rename, so they cannot disagree with the rows, and retention and erasure reach them.
    -- by_org: the org's summary. by_workspace alone has half as many rows as the events of an org with
    -- 50 workspaces and 860 events an hour, so it saved nothing there. 5.0 us of CPU a row inserted
    -- instead of 4.6, 6 % more disk.
    PROJECTION by_org
    (
        SELECT org_id, toStartOfHour(timestamp), action, resource_type,
               count(), countIf(success), sum(duration_ms), sum(tokens)
        GROUP BY org_id, toStartOfHour(timestamp), action, resource_type
    ),
    -- by_workspace: the workspace's summary, tokens limited to some, and totals by action.
    PROJECTION by_workspace
    (
        SELECT org_id, toStartOfHour(timestamp), workspace_id, action, resource_type,
               count(), countIf(success), sum(duration_ms), sum(tokens)
        GROUP BY org_id, toStartOfHour(timestamp), workspace_id, action, resource_type
    ),
    -- by_user: the user's summary, with or without a workspace. User first: a user is rare in an org.
    PROJECTION by_user
    (
        SELECT org_id, user_id, toStartOfHour(timestamp), workspace_id, action, resource_type,
               count(), countIf(success), sum(duration_ms), sum(tokens)
        GROUP BY org_id, user_id, toStartOfHour(timestamp), workspace_id, action, resource_type
    ),
    -- by_endpoint: the endpoint's summary, and totals of apps.
    PROJECTION by_endpoint
    (
        SELECT org_id, workspace_id, app_id, endpoint_id, toStartOfHour(timestamp), action, resource_type,
               count(), countIf(success), sum(duration_ms), sum(tokens)
        GROUP BY org_id, workspace_id, app_id, endpoint_id, toStartOfHour(timestamp), action, resource_type
    ),
    -- by_augmentation: totals of augmentations, which are rare in an org. 1 % more disk.
    PROJECTION by_augmentation
    (
        SELECT org_id, workspace_id, augmentation_id, toStartOfHour(timestamp), count(), countIf(success)
        GROUP BY org_id, workspace_id, augmentation_id, toStartOfHour(timestamp)
    ),
    -- by_duration: no rollup but the rows again, the few columns that a search for slow requests asks for.
    -- Of 1.85 million rows of an org their total reads 34 k instead of 693 k; 11 % more disk and some
    -- 10 % more CPU of an insert and of a merge.
    PROJECTION by_duration
    (
        SELECT org_id, workspace_id, duration_ms, timestamp, action, resource_type, success
        ORDER BY org_id, workspace_id, duration_ms
    )
)
ENGINE = MergeTree
-- The hash is Kafka's default partitioner's: with a topic of 4, 8, 12, ... partitions one batch of
-- one Kafka partition lands in one bucket, so an insert makes one part and not many. Months, so
-- that retention drops whole partitions. Not one partition per org: parts would number the orgs.
PARTITION BY (kafkaMurmurHash(org_id) % 4, toYYYYMM(timestamp))
-- Every read is of one org, newest first; id breaks the ties of equal timestamps for the cursor.
ORDER BY (org_id, timestamp, id)
-- An eighth of the default: a page is some granules of each part of the org's bucket, a rare value
-- one for each of its rows. Measured with 10 million rows on the largest org (1.85 million): a page
-- reads 12 k rows instead of 83 k, of one resource 22 k instead of 98 k, of one user 400 k instead
-- of 1.2 M, slow requests 0.7 M instead of 2.1 M (docs/adr/0002). It costs an insert 4.7 us of CPU
-- a row instead of 4.4, and 6 % more disk.
-- Blocks of 8 KiB and not of 64: a row that is wanted alone costs the decompression of one block in each
-- of 25 columns. A page takes a quarter less CPU, one of rare rows a half to two thirds less; an
-- insert 5 to 10 % more, and 4 to 8 % more disk (docs/adr/0002).
-- A month that got no event for an hour becomes one part a bucket: a query pays 40 us for each part of the
-- table before it reads anything, and a list has rows to look at in each part of the org.
SETTINGS index_granularity = 1024, min_compress_block_size = 8192, max_compress_block_size = 65536,
    min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1,
    enable_max_bytes_limit_for_min_age_to_force_merge = 1;
