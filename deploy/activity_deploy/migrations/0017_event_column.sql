-- The table keeps an event as it came, and takes the columns out of it by itself: an insert brings
-- `message` (and where it came from), a page of the API reads `event` alone (docs/adr/0016).
-- One statement, so all of it is there or nothing. It writes no data anew: rows of before keep an
-- empty `event` and all their columns, and so do rows that are inserted column by column.
ALTER TABLE events
    -- No longer stored beside the event, which has them. Here they are of rows without an event; under
    -- their names they are read of whichever has them (below). `path` stays: people group by it.
    RENAME COLUMN trace_id TO _trace_id,
    RENAME COLUMN token_id TO _token_id,
    RENAME COLUMN execution_id TO _execution_id,
    RENAME COLUMN metadata TO _metadata,

    -- What is inserted: JSON, as the consumer has accepted it. It is not stored as it is, see `event`.
    ADD COLUMN message String EPHEMERAL,
    -- Read once for all columns. What is missing or null is '', 0 or NULL.
    ADD COLUMN _fields Tuple(
        id String, timestamp String, org_id String, workspace_id String, user_id String, app_id String,
        endpoint_id String, principal_type String, principal_id String, token_type String, method String, path String,
        resource_type String, resource_id String, action String, status_code UInt16, error_code String,
        duration_ms Float64, augmentation_id String, stages_completed Nullable(UInt16),
        total_stages Nullable(UInt16), token_usage Map(String, UInt64), producer_id String, seq UInt64,
        schema_version UInt8
    ) EPHEMERAL JSONExtract(materialize(message), 'Tuple(
        id String, timestamp String, org_id String, workspace_id String, user_id String, app_id String,
        endpoint_id String, principal_type String, principal_id String, token_type String, method String, path String,
        resource_type String, resource_id String, action String, status_code UInt16, error_code String,
        duration_ms Float64, augmentation_id String, stages_completed Nullable(UInt16),
        total_stages Nullable(UInt16), token_usage Map(String, UInt64), producer_id String, seq UInt64,
        schema_version UInt8
    )'),
    -- JSONExtract refuses nothing, but these two do: so what is no JSON, or has no id or time, does not
    -- become an empty row.
    MODIFY COLUMN id UUID DEFAULT
        toUUID(if(message = '', '00000000-0000-0000-0000-000000000000', tupleElement(_fields, 'id'))),
    MODIFY COLUMN timestamp DateTime64(6, 'UTC') DEFAULT
        parseDateTime64BestEffort(if(message = '', '1970-01-01', tupleElement(_fields, 'timestamp')), 6, 'UTC'),
    MODIFY COLUMN org_id DEFAULT tupleElement(_fields, 'org_id'),
    MODIFY COLUMN workspace_id DEFAULT tupleElement(_fields, 'workspace_id'),
    MODIFY COLUMN user_id DEFAULT tupleElement(_fields, 'user_id'),
    MODIFY COLUMN app_id DEFAULT tupleElement(_fields, 'app_id'),
    MODIFY COLUMN endpoint_id DEFAULT tupleElement(_fields, 'endpoint_id'),
    MODIFY COLUMN principal_type DEFAULT tupleElement(_fields, 'principal_type'),
    MODIFY COLUMN principal_id DEFAULT tupleElement(_fields, 'principal_id'),
    MODIFY COLUMN token_type DEFAULT tupleElement(_fields, 'token_type'),
    MODIFY COLUMN method DEFAULT tupleElement(_fields, 'method'),
    MODIFY COLUMN path DEFAULT tupleElement(_fields, 'path'),
    MODIFY COLUMN resource_type DEFAULT tupleElement(_fields, 'resource_type'),
    MODIFY COLUMN resource_id DEFAULT tupleElement(_fields, 'resource_id'),
    MODIFY COLUMN action DEFAULT tupleElement(_fields, 'action'),
    MODIFY COLUMN status_code DEFAULT tupleElement(_fields, 'status_code'),
    MODIFY COLUMN error_code DEFAULT tupleElement(_fields, 'error_code'),
    MODIFY COLUMN duration_ms DEFAULT tupleElement(_fields, 'duration_ms'),
    MODIFY COLUMN augmentation_id DEFAULT tupleElement(_fields, 'augmentation_id'),
    MODIFY COLUMN stages_completed DEFAULT tupleElement(_fields, 'stages_completed'),
    MODIFY COLUMN total_stages DEFAULT tupleElement(_fields, 'total_stages'),
    MODIFY COLUMN token_usage DEFAULT tupleElement(_fields, 'token_usage'),
    MODIFY COLUMN producer_id DEFAULT tupleElement(_fields, 'producer_id'),
    MODIFY COLUMN seq DEFAULT tupleElement(_fields, 'seq'),
    MODIFY COLUMN schema_version DEFAULT tupleElement(_fields, 'schema_version'),

    -- The message; of one that begins as the emitter writes it, without its first three fields, which
    -- are read from their columns anyway: 24 bytes a row less. '': the row came column by column.
    ADD COLUMN event String DEFAULT if(
        startsWith(message, '{"schema_version":1,"id":"') AND substring(message, 63, 15) = '","timestamp":"'
            AND substring(message, 105, 12) = '","org_id":"',
        concat('{', substring(message, 107)), message) CODEC(ZSTD(1)),

    ADD COLUMN trace_id String ALIAS if(event = '', _trace_id, JSONExtractString(event, 'trace_id')),
    ADD COLUMN token_id String ALIAS if(event = '', _token_id, JSONExtractString(event, 'token_id')),
    ADD COLUMN execution_id String ALIAS if(event = '', _execution_id, JSONExtractString(event, 'execution_id')),
    -- To the byte, numbers too: the value behind the first "metadata": of the event, which the consumer
    -- sees to be the event's own. simpleJSONExtractRaw takes the second backslash of an escaped one
    -- for the beginning of an escape, so it tells the length, of a text without any.
    ADD COLUMN metadata String ALIAS if(event = '', _metadata, if(position(event, '"metadata":') = 0, '{}',
        trimBoth(substring(event, position(event, '"metadata":') + 11,
            length(simpleJSONExtractRaw(replaceAll(event, '\\\\', '__'), 'metadata'))), ' \t\n\r'))),

    -- As 0014 has it, but of what `metadata` is now: renamed with it, it would be of old rows alone.
    MODIFY COLUMN model LowCardinality(String) MATERIALIZED
        substringUTF8(multiIf(
            JSONType(metadata, 'model') = 'String', JSONExtractString(metadata, 'model'),
            JSONType(metadata, 'gen_ai.response.model') = 'String', JSONExtractString(metadata, 'gen_ai.response.model'),
            JSONExtractString(metadata, 'gen_ai.request.model')), 1, 128);

ALTER TABLE events
COMMENT COLUMN IF EXISTS _trace_id 'trace_id of a row without `event`',
COMMENT COLUMN IF EXISTS _token_id 'token_id of a row without `event`',
COMMENT COLUMN IF EXISTS _execution_id 'execution_id of a row without `event`',
COMMENT COLUMN IF EXISTS _metadata 'metadata of a row without `event`',
COMMENT COLUMN IF EXISTS message 'What is inserted: the event as JSON; it is kept as `event`',
COMMENT COLUMN IF EXISTS _fields 'The message, read once for all columns; it is not kept',
COMMENT COLUMN IF EXISTS event 'The message as it came, without schema_version, id and timestamp where it begins with these; '''' where the row came by its columns',
COMMENT COLUMN IF EXISTS trace_id 'W3C trace id, 32 hex digits',
COMMENT COLUMN IF EXISTS token_id 'The token or key that was shown',
COMMENT COLUMN IF EXISTS execution_id 'The run that it began or belongs to',
COMMENT COLUMN IF EXISTS metadata 'The service''s own facts; they come back byte for byte';
