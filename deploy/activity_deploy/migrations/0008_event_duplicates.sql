-- Events that are in the table more than once: the consumers drop copies, except where one id is sent
-- to several partitions at the same moment, or with another timestamp (which makes it another row by
-- the table's key; it does not show here either). Exact for copies with the same org_id and timestamp.
-- The rows are read in the order of the table's key, so memory does not grow with them; a condition on
-- org_id or timestamp makes it read less.
CREATE VIEW event_duplicates AS
SELECT
    org_id,
    timestamp,
    id,
    count()                                     AS copies,
    groupArray((_topic, _partition, _offset))   AS places
FROM events
GROUP BY org_id, timestamp, id
HAVING copies > 1
SETTINGS optimize_aggregation_in_order = 1;
-- As a page of metrics: SELECT * FROM event_duplicate_metrics FORMAT Prometheus.
CREATE VIEW event_duplicate_metrics AS
SELECT
    'activity_duplicate_events'                              AS name,
    toFloat64(sum(copies - 1))                               AS value,
    'Rows too many, of the events of the last 7 days.'       AS help,
    'gauge'                                                  AS type,
    CAST(map(), 'Map(String, String)')                       AS labels
FROM event_duplicates
WHERE timestamp >= now() - INTERVAL 7 DAY;
