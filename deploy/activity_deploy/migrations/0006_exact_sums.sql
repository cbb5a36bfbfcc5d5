-- Sums that are exact and cannot wrap: tokens in 128 bits, durations as whole nanoseconds in 128
-- bits. The consumer's limits (2^53 of each of 1,000 names, 10^11 ms) leave room for 10^18 events.
-- A duration that no event may have (infinite, or written past the consumer) counts as 0.
-- Each statement may run twice, and beside another process that does the same. Until the last
-- one is through, in the background, a summary reads rows where it would read a rollup.
ALTER TABLE events
DROP PROJECTION IF EXISTS by_org,
DROP PROJECTION IF EXISTS by_workspace,
DROP PROJECTION IF EXISTS by_user,
DROP PROJECTION IF EXISTS by_endpoint;
ALTER TABLE events
MODIFY COLUMN tokens UInt128 MATERIALIZED
    if(mapContains(token_usage, 'total'), toUInt128(token_usage['total']),
       arraySum(count -> toUInt128(count), mapValues(token_usage)));
ALTER TABLE events
ADD PROJECTION IF NOT EXISTS by_org
(
    SELECT org_id, toStartOfHour(timestamp), action, resource_type,
           count(), countIf(success),
           sum(toInt128(round(if(abs(duration_ms) <= 1e11, duration_ms, 0) * 1e6))), sum(tokens)
    GROUP BY org_id, toStartOfHour(timestamp), action, resource_type
),
ADD PROJECTION IF NOT EXISTS by_workspace
(
    SELECT org_id, toStartOfHour(timestamp), workspace_id, action, resource_type,
           count(), countIf(success),
           sum(toInt128(round(if(abs(duration_ms) <= 1e11, duration_ms, 0) * 1e6))), sum(tokens)
    GROUP BY org_id, toStartOfHour(timestamp), workspace_id, action, resource_type
),
ADD PROJECTION IF NOT EXISTS by_user
(
    SELECT org_id, user_id, toStartOfHour(timestamp), workspace_id, action, resource_type,
           count(), countIf(success),
           sum(toInt128(round(if(abs(duration_ms) <= 1e11, duration_ms, 0) * 1e6))), sum(tokens)
    GROUP BY org_id, user_id, toStartOfHour(timestamp), workspace_id, action, resource_type
),
ADD PROJECTION IF NOT EXISTS by_endpoint
(
    SELECT org_id, workspace_id, app_id, endpoint_id, toStartOfHour(timestamp), action, resource_type,
           count(), countIf(success),
           sum(toInt128(round(if(abs(duration_ms) <= 1e11, duration_ms, 0) * 1e6))), sum(tokens)
    GROUP BY org_id, workspace_id, app_id, endpoint_id, toStartOfHour(timestamp), action, resource_type
);
ALTER TABLE events
MATERIALIZE COLUMN tokens,
MATERIALIZE PROJECTION by_org,
MATERIALIZE PROJECTION by_workspace,
MATERIALIZE PROJECTION by_user,
MATERIALIZE PROJECTION by_endpoint;
