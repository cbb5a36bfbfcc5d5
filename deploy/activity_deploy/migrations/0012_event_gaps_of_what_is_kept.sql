-- As 0004, and: a number that was erased, or has run out, is not missing. A gap counts where the whole
-- neighbourhood of the sequence is still kept: not beside numbers that have run out, nor, if the table
-- has a TTL of the operator's own, where the neighbours may have gone by it (a day's grace: numbers are
-- given at an event's end, its time is its begin). What is lost between erased numbers is still lost.
CREATE OR REPLACE VIEW event_gaps AS
WITH
    (
        -- Of the shortest TTL that deletes, in seconds; 0: there is none.
        SELECT max(arrayMin(arrayMap(
            one -> toUInt64(extract(one, '\\d+')) * transform(extract(one, 'toInterval([A-Za-z]+)'),
                ['Second', 'Minute', 'Hour', 'Day', 'Week', 'Month', 'Quarter', 'Year'],
                [1, 60, 3600, 86400, 604800, 2678400, 7948800, 31622400], 86400),
            arrayFilter(one -> position(one, ' TO ') = 0,
                extractAll(extract(engine_full, ' TTL (.*)'),
                    'toInterval[A-Za-z]+\\(\\d+\\)(?: TO (?:DISK|VOLUME))?')))))
        FROM system.tables
        WHERE database = currentDatabase() AND name = 'events'
    ) AS ttl
SELECT
    producer_id,
    toUInt64(before + 1)       AS first_missing,
    toUInt64(seq - 1)          AS last_missing,
    toUInt64(seq - before - 1) AS missing,
    -- The neighbours' times: it was lost between them. NULL: there is no event before it.
    previous                   AS lost_after,
    at                         AS lost_before
FROM
(
    SELECT
        producer_id,
        seq,
        at,
        expired,
        lagInFrame(seq, 1, -1) OVER numbers              AS before,
        lagInFrame(at, 1, NULL) OVER numbers             AS previous,
        lagInFrame(expired, 1, false) OVER numbers       AS previous_expired
    FROM
    (
        SELECT producer_id, toInt64(seq) AS seq, max(at) AS at, min(expired) AS expired
        FROM
        (
            SELECT producer_id, seq, toNullable(timestamp) AS at, false AS expired FROM events
            UNION ALL
            SELECT producer_id, seq, if(at = 0, NULL, toDateTime64(at, 6, 'UTC')), expired
            FROM erased_sequences
        )
        WHERE producer_id IN
        (
            SELECT producer_id
            FROM
            (
                SELECT producer_id, seq, true AS kept FROM events
                UNION ALL
                SELECT producer_id, seq, false FROM erased_sequences
            )
            GROUP BY producer_id
            HAVING max(kept) AND groupBitmap(seq) < max(seq) + 1
        )
        GROUP BY producer_id, seq
    )
    WINDOW numbers AS
    (
        PARTITION BY producer_id ORDER BY seq
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
)
WHERE seq > before + 1
    AND NOT expired AND NOT previous_expired
    AND (ttl = 0 OR previous >= now() - ttl + least(86400, intDiv(ttl, 10)));
