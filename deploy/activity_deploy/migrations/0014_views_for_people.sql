-- For people and their tools: views without the internals, under names and types that SQL's functions
-- take as they are. They read as who asks (SQL SECURITY INVOKER), so row policies hold through them; and they
-- read `events` as the read API does: each row once, and none that was erased.

-- The model that answered, by the words of OpenTelemetry's GenAI conventions or just `model`. A column and
-- not a function of the view: 0.5 % more disk, and no more CPU of an insert than its noise (docs/adr/0015).
ALTER TABLE events
ADD COLUMN IF NOT EXISTS model LowCardinality(String) MATERIALIZED
    substringUTF8(multiIf(
        JSONType(metadata, 'model') = 'String', JSONExtractString(metadata, 'model'),
        JSONType(metadata, 'gen_ai.response.model') = 'String', JSONExtractString(metadata, 'gen_ai.response.model'),
        JSONExtractString(metadata, 'gen_ai.request.model')), 1, 128)
    AFTER tokens;
ALTER TABLE events MATERIALIZE COLUMN model;

-- What a model costs, so that cost is one join. A later row of the same model and day replaces it.
CREATE TABLE IF NOT EXISTS model_prices
(
    model                  String,
    valid_from             Date DEFAULT toDate('2000-01-01'),
    prompt_per_million     Decimal(18, 6),
    completion_per_million Decimal(18, 6),
    currency               LowCardinality(String) DEFAULT 'USD',
    updated_at             DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (model, valid_from);

-- `hour` is the rollups' own: grouped by it and the ids of a rollup, sums are read from that and not from
-- the rows. `timestamp` in whole seconds: windowFunnel, retention and others take no DateTime64.
CREATE OR REPLACE VIEW activity SQL SECURITY INVOKER AS
SELECT
    toDateTime(e.timestamp)    AS timestamp,
    e.timestamp                AS timestamp_us,
    toStartOfHour(e.timestamp) AS hour,
    e.org_id                   AS org_id,
    e.workspace_id             AS workspace_id,
    e.app_id                   AS app_id,
    e.endpoint_id              AS endpoint_id,
    e.user_id                  AS user_id,
    e.principal_type           AS principal_type,
    e.principal_id             AS principal_id,
    e.token_id                 AS token_id,
    e.token_type               AS token_type,
    e.method                   AS method,
    e.path                     AS path,
    e.action                   AS action,
    e.resource_type            AS resource_type,
    e.resource_id              AS resource_id,
    e.status_code              AS status_code,
    e.success                  AS success,
    e.error_code               AS error_code,
    e.duration_ms              AS duration_ms,
    e.trace_id                 AS trace_id,
    e.execution_id             AS execution_id,
    e.augmentation_id          AS augmentation_id,
    e.stages_completed         AS stages_completed,
    e.total_stages             AS total_stages,
    e.model                    AS model,
    e.tokens                   AS tokens,
    greatest(e.token_usage['prompt'], e.token_usage['prompt_tokens'], e.token_usage['input'],
        e.token_usage['input_tokens'], e.token_usage['gen_ai.usage.input_tokens'])       AS prompt_tokens,
    greatest(e.token_usage['completion'], e.token_usage['completion_tokens'], e.token_usage['output'],
        e.token_usage['output_tokens'], e.token_usage['gen_ai.usage.output_tokens'])     AS completion_tokens,
    e.token_usage              AS token_usage,
    e.metadata                 AS metadata,
    CAST(JSONExtractKeysAndValues(e.metadata, 'String'), 'Map(String, String)')          AS facts,
    e.id                       AS id,
    e.producer_id              AS producer_id,
    e.seq                      AS seq,
    e._ingested_at             AS ingested_at
FROM events AS e;

-- Read from the rollup by_org. By more than these, ask `activity` for sums GROUP BY hour, ...: there the
-- engine takes the rollup that fits (workspaces, users, endpoints), while a view's own keys are fixed.
CREATE OR REPLACE VIEW activity_hourly SQL SECURITY INVOKER AS
SELECT
    toStartOfHour(e.timestamp)     AS hour,
    e.org_id                       AS org_id,
    e.action                       AS action,
    e.resource_type                AS resource_type,
    count()                        AS requests,
    countIf(e.success)             AS succeeded,
    count() - countIf(e.success)   AS failed,
    sum(toInt128(round(if(abs(e.duration_ms) <= 1e11, e.duration_ms, 0) * 1e6))) / 1e6 AS total_duration_ms,
    sum(e.tokens)                  AS tokens
FROM events AS e
GROUP BY hour, org_id, action, resource_type;

-- A user's events without a pause of more than 30 minutes. A condition on org_id or user_id makes it
-- read less; one on the times does not, for a session is known only by what was before it.
CREATE OR REPLACE VIEW sessions SQL SECURITY INVOKER AS
SELECT
    org_id,
    user_id,
    toDateTime(session[1].1)                                AS started_at,
    toDateTime(session[-1].1)                               AS ended_at,
    dateDiff('second', session[1].1, session[-1].1)         AS duration_s,
    length(session)                                         AS requests,
    countEqual(session.3, false)                            AS failed,
    arraySum(session.4)                                     AS tokens,
    session.2                                               AS actions
FROM
(
    SELECT
        e.org_id  AS org_id,
        e.user_id AS user_id,
        arraySort(one -> one.1, groupArray((e.timestamp, e.action, e.success, e.tokens))) AS events_of_user
    FROM events AS e
    WHERE e.user_id != ''
    GROUP BY org_id, user_id
)
ARRAY JOIN arraySplit((one, pause) -> pause > 1800000000, events_of_user,
    arrayDifference(arrayMap(one -> toUnixTimestamp64Micro(one.1), events_of_user))) AS session;

-- One row a message, as `activity dlq` shows it. What is no UTF-8 is shown with U+FFFD.
CREATE OR REPLACE VIEW dead_letters_current SQL SECURITY INVOKER AS
SELECT
    concat(d.source_topic, '/', toString(d.source_partition), '/', toString(d.source_offset)) AS id,
    toDateTime(d.source_timestamp)   AS timestamp,
    d.status                         AS status,
    d.reason                         AS reason,
    d.detail                         AS detail,
    toValidUTF8(ifNull(d.key, ''))   AS key,
    toValidUTF8(ifNull(d.value, '')) AS value,
    d.headers                        AS headers,
    d.source_topic                   AS topic,
    d.source_partition               AS partition,
    d.source_offset                  AS offset,
    toDateTime(d.updated_at)         AS updated_at
FROM dead_letters AS d FINAL;
