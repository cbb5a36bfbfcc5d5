-- What is forgotten: by `activity erase` and `activity retention`. The consumers read this list, and
-- keep out what it covers, however it arrives: late, from a spool, by a replay, by a group that was reset.
-- It is the audit, too: who, what, when, how many. One row an erasure; a later row of its id replaces it.
CREATE TABLE IF NOT EXISTS erasures
(
    id           String,
    -- retention: all of an org that has run out; the rules of '' are of the orgs without their own.
    kind         Enum8('erasure' = 1, 'retention' = 2),
    org_id       String,
    -- '': the whole org.
    user_id      String,
    -- Events with an earlier `timestamp` are forgotten.
    before       DateTime64(6, 'UTC'),
    reason       String,
    asked_by     String,
    asked_at     DateTime64(3, 'UTC'),
    -- What is being done; `done` once nothing was left.
    step         LowCardinality(String),
    finished_at  Nullable(DateTime64(3, 'UTC')),
    events       UInt64,
    dead_letters UInt64,
    -- Of the dead-letter topic, and of spools on the machine where it was run.
    messages     UInt64,
    spooled      UInt64,
    updated_at   DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY id;

-- Nothing of these may be forgotten now (`activity hold`). user_id '': the whole org.
CREATE TABLE IF NOT EXISTS holds
(
    id         String,
    org_id     String,
    user_id    String,
    reason     String,
    added_by   String,
    added_at   DateTime64(3, 'UTC'),
    removed_by String,
    removed_at Nullable(DateTime64(3, 'UTC')),
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY id;

-- How long an org's events are kept where that is not what ACTIVITY_RETENTION_DAYS says. 0: for ever;
-- NULL: as the setting says, after all.
CREATE TABLE IF NOT EXISTS retention
(
    org_id     String,
    days       Nullable(UInt32),
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY org_id;

-- The numbers of events that were forgotten, so that `event_gaps` does not take them for lost.
CREATE TABLE IF NOT EXISTS erased_sequences
(
    producer_id LowCardinality(String),
    seq         UInt64 CODEC(Delta, ZSTD(1)),
    -- By retention: its whole time is gone, so nothing is said of the numbers beside it either.
    expired     Bool,
    -- The event's time; 1970: not known.
    at          DateTime('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (producer_id, seq, expired);

-- What the youngest of the forgotten rows of a partition proved: all below was settled (`_base_offset`).
CREATE TABLE IF NOT EXISTS erased_progress
(
    topic       String,
    partition   UInt16,
    base_offset UInt64,
    last_offset UInt64
)
ENGINE = ReplacingMergeTree(base_offset)
ORDER BY (topic, partition);
