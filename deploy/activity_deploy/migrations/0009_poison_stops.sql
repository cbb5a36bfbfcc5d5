-- Where a consumer has stopped because too many messages in a row were no events, one row a
-- partition, and what the operator said to it (`activity dlq accept`). The messages themselves are
-- in `dead_letters`. Read it with FINAL: it is small, and asked when a partition is taken over.
CREATE TABLE IF NOT EXISTS poison_stops
(
    topic           LowCardinality(String),
    partition       UInt16,
    first_offset    UInt64,
    last_offset     UInt64,
    messages        UInt64,
    -- Of the last of them: the reason, and the detail for people.
    why             String CODEC(ZSTD(1)),
    -- Up to and with this offset poison is known, and stops nothing. -1: nobody has said so.
    accepted_offset Int64 DEFAULT -1,
    updated_at      DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (topic, partition);
