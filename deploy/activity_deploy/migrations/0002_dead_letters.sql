-- What the consumer could not accept, for people: the same messages as on the dead-letter topic.
-- Keyed by where the message stood in the source topic, so that a retry of the same message
-- replaces its row; `activity dlq replay/drop` add a row with a later `updated_at`.
-- Read it with FINAL or LIMIT 1 BY: it is small, and not on any hot path.
CREATE TABLE IF NOT EXISTS dead_letters
(
    source_topic     LowCardinality(String),
    source_partition UInt16,
    source_offset    UInt64,
    reason           LowCardinality(String),
    detail           String CODEC(ZSTD(1)),
    -- Original bytes: ClickHouse's String is any bytes, not only UTF-8. NULL: the message had none.
    key              Nullable(String) CODEC(ZSTD(1)),
    value            Nullable(String) CODEC(ZSTD(1)),
    -- [(name, bytes)] in their order; a header name may repeat.
    headers          Array(Tuple(String, Nullable(String))),
    source_timestamp DateTime64(3, 'UTC'),
    status           Enum8('waiting' = 1, 'replayed' = 2, 'dropped' = 3) DEFAULT 'waiting',
    updated_at       DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (source_topic, source_partition, source_offset);
