{{ config(materialized='table', engine='MergeTree()', order_by='(org_id, day)') }}

SELECT
    org_id,
    toDate(hour) AS day,
    sum(h.requests) AS requests,
    sum(h.failed) AS failed,
    round(100 * failed / requests, 2) AS failed_percent,
    sum(h.tokens) AS tokens
FROM {{ source('activity', 'activity_hourly') }} AS h
GROUP BY org_id, day
