-- Days whose requests are not as many as the events.
SELECT org_id, day, sum(in_model) AS requests, sum(in_events) AS events
FROM
(
    SELECT org_id, day, requests AS in_model, 0 AS in_events
    FROM {{ ref('org_days') }}
    UNION ALL
    SELECT org_id, toDate(timestamp) AS day, 0 AS in_model, 1 AS in_events
    FROM {{ source('activity', 'activity') }}
)
GROUP BY org_id, day
HAVING requests != events
