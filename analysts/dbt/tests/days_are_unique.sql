-- Keys that are there twice.
SELECT 'org_days' AS model, org_id, '' AS user_id, day
FROM {{ ref('org_days') }}
GROUP BY org_id, day
HAVING count() > 1
UNION ALL
SELECT 'user_days' AS model, org_id, user_id, day
FROM {{ ref('user_days') }}
GROUP BY org_id, user_id, day
HAVING count() > 1
