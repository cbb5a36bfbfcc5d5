-- Which topic it is that was read under a name: a topic that was deleted and created anew, or that of
-- a cluster that was replaced, has the same name and other messages at the same offsets. Written by
-- the consumers at their first start, and by `activity topic accept`, which begins a new generation.
-- A row's `_topic` is the topic's name in generation 0, and NAME#GENERATION from then on (a name
-- in Kafka has no #); so are `progress.topic` and `dead_letters.source_topic` (docs/adr/0001).
CREATE TABLE IF NOT EXISTS topic_incarnations
(
    topic       String,
    generation  UInt32,
    -- As the brokers tell them; '' where they tell none (topic ids: Kafka 2.8).
    cluster_id  String,
    topic_id    String,
    partitions  UInt16,
    -- How many there were before the last change, and when that was seen; ids born before that, and for
    -- some time after it, may be in another partition: they are asked of the table. 1970: never.
    partitions_before UInt16,
    changed_at  DateTime64(3, 'UTC'),
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (topic, generation);
