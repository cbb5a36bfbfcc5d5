-- What the feed (docs/history.md) goes by. How far each partition is settled: every event below `offset` is in
-- `events`, or will never be. Written by the consumers, twice a second where it has moved, and before they read on
-- after a take-over; the latest row counts and not the largest offset: a table that was restored is read up again.
CREATE TABLE IF NOT EXISTS settled_offsets
(
    topic      LowCardinality(String) COMMENT 'The topic, NAME#N in its generation N > 0',
    partition  UInt16 COMMENT 'Its partition',
    offset     UInt64 COMMENT 'Every event below is in `events`, or will never be',
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When it was told: the latest row counts'
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (topic, partition)
COMMENT 'How far each partition is settled: what the feed goes by; read it with FINAL.';
-- by_offset: an org's rows once more, by where they came from. Of 184,000 rows of an org the next 501 read 6 k
-- instead of 188 k, wherever the reader stands.
-- by_place: which partitions an org is in, and up to where; one row a part.
-- Each statement may run twice, and beside another process that does the same. Until the last one is through, in
-- the background, the feed reads rows where it would read a projection.
ALTER TABLE events
ADD PROJECTION IF NOT EXISTS by_offset
(
    SELECT org_id, _topic, _partition, _offset, timestamp, _ingested_at
    ORDER BY org_id, _topic, _partition, _offset
),
ADD PROJECTION IF NOT EXISTS by_place
(
    SELECT org_id, _topic, _partition, max(_offset)
    GROUP BY org_id, _topic, _partition
);
ALTER TABLE events
MATERIALIZE PROJECTION by_offset,
MATERIALIZE PROJECTION by_place;
