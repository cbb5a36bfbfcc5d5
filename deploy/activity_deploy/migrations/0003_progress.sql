-- How far the consumers are: all that Kafka had accepted of a partition when it was
-- `complete_through` is in `events`. The read API's `Activity-Complete-Through` is the least of them.
-- A row per partition and second at most, of which only the youngest counts; so they go after a day.
CREATE TABLE IF NOT EXISTS progress
(
    topic            LowCardinality(String),
    partition        UInt16,
    -- How many the topic has: the answer is complete only if each of them is here.
    partitions       UInt16,
    complete_through DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(complete_through)
ORDER BY (topic, partition)
TTL toDateTime(complete_through) + INTERVAL 1 DAY;
