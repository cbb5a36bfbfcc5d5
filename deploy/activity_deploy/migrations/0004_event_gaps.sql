-- Which numbers are missing: a producer counts its events from 0, so a hole in `seq` is a loss, or
-- an event that is still on its way (in the spool of a service whose broker is away, or of a dead
-- worker that nobody has adopted yet) or among the dead letters: one that arrives late leaves the
-- view. What a producer lost after its last event that arrived cannot show here.
-- Exact, and cheap while nothing is lost: a bitmap per producer tells who has holes at all, and only
-- their rows are sorted. With a retention, a producer's oldest events leave a hole at its beginning.
CREATE VIEW event_gaps AS
SELECT
    producer_id,
    toUInt64(before + 1)   AS first_missing,
    toUInt64(seq - 1)      AS last_missing,
    toUInt64(seq - before - 1) AS missing,
    -- The neighbours' times: it was lost between them. NULL: there is no event before it.
    previous               AS lost_after,
    timestamp              AS lost_before
FROM
(
    SELECT
        producer_id,
        toInt64(seq) AS seq,
        timestamp,
        lagInFrame(toInt64(seq), 1, -1) OVER numbers          AS before,
        lagInFrame(toNullable(timestamp), 1, NULL) OVER numbers AS previous
    FROM events
    WHERE producer_id IN
    (
        SELECT producer_id FROM events GROUP BY producer_id HAVING groupBitmap(seq) < max(seq) + 1
    )
    WINDOW numbers AS
    (
        PARTITION BY producer_id ORDER BY seq
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
)
WHERE seq > before + 1;
