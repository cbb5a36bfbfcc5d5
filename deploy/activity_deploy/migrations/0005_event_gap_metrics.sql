-- `event_gaps` as a page of metrics: SELECT * FROM event_gap_metrics FORMAT Prometheus. How many
-- events are missing, in all and of each producer that lacks some; a late one takes itself off.
CREATE VIEW event_gap_metrics AS
SELECT
    'activity_missing_events'                   AS name,
    toFloat64(sum(missing))                     AS value,
    'Numbers missing in seq, of all producers.' AS help,
    'gauge'                                     AS type,
    CAST(map(), 'Map(String, String)')          AS labels
FROM event_gaps
UNION ALL
SELECT
    'activity_producer_missing_events',
    toFloat64(sum(missing)),
    'Numbers missing in seq, of each producer that lacks some.',
    'gauge',
    map('producer_id', producer_id)
FROM event_gaps
GROUP BY producer_id;
