-- by_workspace begins with the workspace and not with the hour: one workspace's sums stand together,
-- for all hours as for some. So it is the one rollup for a workspace whatever the range, the API can
-- name it, and the engine looks at one projection and not at four (1 to 2 ms of CPU each).
-- ClickHouse 25.8 or newer. Each statement may run twice, and beside another process that does the
-- same. Until the last one is through, in the background, a workspace's total and summary read rows.
ALTER TABLE events DROP PROJECTION IF EXISTS by_workspace;
ALTER TABLE events ADD PROJECTION IF NOT EXISTS by_workspace
(
    SELECT org_id, workspace_id, toStartOfHour(timestamp), action, resource_type,
           count(), countIf(success),
           sum(toInt128(round(if(abs(duration_ms) <= 1e11, duration_ms, 0) * 1e6))), sum(tokens)
    GROUP BY org_id, workspace_id, toStartOfHour(timestamp), action, resource_type
);
ALTER TABLE events MATERIALIZE PROJECTION by_workspace;
