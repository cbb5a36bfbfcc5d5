{{ config(materialized='view') }}

SELECT
    org_id,
    user_id,
    toDate(started_at) AS day,
    count() AS sessions,
    sum(s.requests) AS requests,
    sum(s.duration_s) AS duration_s
FROM {{ source('activity', 'sessions') }} AS s
GROUP BY org_id, user_id, day
