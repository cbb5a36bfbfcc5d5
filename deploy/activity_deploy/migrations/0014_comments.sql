-- What every table and column means. Made of the catalog (activity_schemas/columns.toml, event.py) by
-- `python -m activity_deploy.catalog.comments`; each statement may run twice.
ALTER TABLE events
MODIFY COMMENT 'One row per event that was accepted. Text that an event has not is ''''.',
COMMENT COLUMN IF EXISTS id 'UUIDv7, minted once at the source; the same id twice is the same event',
COMMENT COLUMN IF EXISTS timestamp 'Start of the request, RFC 3339 with an offset, years 2000 to 2199; of the fraction, microseconds are kept',
COMMENT COLUMN IF EXISTS org_id 'The organisation whose event it is',
COMMENT COLUMN IF EXISTS workspace_id 'The workspace in it',
COMMENT COLUMN IF EXISTS user_id 'The person who acted',
COMMENT COLUMN IF EXISTS app_id 'The app that was used',
COMMENT COLUMN IF EXISTS endpoint_id 'The app''s endpoint that was used',
COMMENT COLUMN IF EXISTS trace_id 'W3C trace id, 32 hex digits',
COMMENT COLUMN IF EXISTS principal_type 'user, service, token, ...',
COMMENT COLUMN IF EXISTS principal_id 'Who was logged in: a person, or a service for itself',
COMMENT COLUMN IF EXISTS token_id 'The token or key that was shown',
COMMENT COLUMN IF EXISTS token_type 'What kind of token: session, api_key, ...',
COMMENT COLUMN IF EXISTS method 'The HTTP method',
COMMENT COLUMN IF EXISTS path 'Without the query string',
COMMENT COLUMN IF EXISTS resource_type 'What kind of thing was acted on',
COMMENT COLUMN IF EXISTS resource_id 'The thing that was acted on',
COMMENT COLUMN IF EXISTS action 'What was done: create, read, update, delete, execute, trigger',
COMMENT COLUMN IF EXISTS status_code 'The HTTP status of the answer',
COMMENT COLUMN IF EXISTS success 'status_code < 400',
COMMENT COLUMN IF EXISTS error_code 'The service''s own word for the error',
COMMENT COLUMN IF EXISTS duration_ms 'To the last byte, milliseconds',
COMMENT COLUMN IF EXISTS execution_id 'The run that it began or belongs to',
COMMENT COLUMN IF EXISTS augmentation_id 'The augmentation that was run',
COMMENT COLUMN IF EXISTS stages_completed 'How many stages of the run were completed',
COMMENT COLUMN IF EXISTS total_stages 'How many stages the run has',
COMMENT COLUMN IF EXISTS token_usage 'Name to count; `total` is the sum where present, else all are added up',
COMMENT COLUMN IF EXISTS tokens 'The count `total` of token_usage where present, else all of them added up',
COMMENT COLUMN IF EXISTS metadata 'The service''s own facts; they come back byte for byte',
COMMENT COLUMN IF EXISTS producer_id 'The emitting process; unique per start',
COMMENT COLUMN IF EXISTS seq 'Rises by one per event of a producer: a gap is a proof of loss',
COMMENT COLUMN IF EXISTS schema_version 'The form of the event; 1',
COMMENT COLUMN IF EXISTS _topic 'Where the message stood: its topic, NAME#N in the topic''s generation N > 0',
COMMENT COLUMN IF EXISTS _partition 'Its partition',
COMMENT COLUMN IF EXISTS _offset 'Its offset',
COMMENT COLUMN IF EXISTS _base_offset 'First offset of the batch it came in: all below is settled',
COMMENT COLUMN IF EXISTS _lease 'Until when its writer was known to own the partition',
COMMENT COLUMN IF EXISTS _ingested_at 'When it was written';
ALTER TABLE dead_letters
MODIFY COMMENT 'Messages that the consumer could not accept; read it with FINAL.',
COMMENT COLUMN IF EXISTS source_topic 'Where the message stood: its topic',
COMMENT COLUMN IF EXISTS source_partition 'Its partition',
COMMENT COLUMN IF EXISTS source_offset 'Its offset',
COMMENT COLUMN IF EXISTS reason 'Why it is no event, one word',
COMMENT COLUMN IF EXISTS detail 'The same for people',
COMMENT COLUMN IF EXISTS key 'The message''s key, any bytes; NULL: it had none',
COMMENT COLUMN IF EXISTS value 'The message''s value, any bytes; NULL: it had none',
COMMENT COLUMN IF EXISTS headers 'Its headers in their order: name, bytes',
COMMENT COLUMN IF EXISTS source_timestamp 'The message''s own time',
COMMENT COLUMN IF EXISTS status 'waiting; replayed or dropped by `activity dlq`',
COMMENT COLUMN IF EXISTS updated_at 'When the status was set: the latest row counts';
ALTER TABLE progress
MODIFY COMMENT 'How far the consumers are, a row per partition; the latest counts, and goes after a day.',
COMMENT COLUMN IF EXISTS topic 'The topic',
COMMENT COLUMN IF EXISTS partition 'The partition',
COMMENT COLUMN IF EXISTS partitions 'How many the topic has',
COMMENT COLUMN IF EXISTS complete_through 'All that Kafka had accepted by then is in the table';
ALTER TABLE topic_incarnations
MODIFY COMMENT 'Which topic was read under a name: one that was made anew has other messages at the same offsets.',
COMMENT COLUMN IF EXISTS topic 'The topic''s name',
COMMENT COLUMN IF EXISTS generation '0 for the first that was seen, then rising',
COMMENT COLUMN IF EXISTS cluster_id 'Kafka''s id of the cluster; '''' where it tells none',
COMMENT COLUMN IF EXISTS topic_id 'Kafka''s id of the topic; '''' where it tells none',
COMMENT COLUMN IF EXISTS partitions 'How many partitions it has',
COMMENT COLUMN IF EXISTS partitions_before 'How many it had before the last change',
COMMENT COLUMN IF EXISTS changed_at 'When that change was seen; 1970: never',
COMMENT COLUMN IF EXISTS recorded_at 'When this row was written: the latest counts';
ALTER TABLE poison_stops
MODIFY COMMENT 'Where a consumer has stopped at too many messages in a row that are no events; read it with FINAL.',
COMMENT COLUMN IF EXISTS topic 'The topic',
COMMENT COLUMN IF EXISTS partition 'The partition',
COMMENT COLUMN IF EXISTS first_offset 'Of the first of these messages',
COMMENT COLUMN IF EXISTS last_offset 'Of the last of them',
COMMENT COLUMN IF EXISTS messages 'How many there are',
COMMENT COLUMN IF EXISTS why 'Why the last one is no event',
COMMENT COLUMN IF EXISTS accepted_offset 'Up to here `activity dlq accept` has said that it is known; -1: nobody has',
COMMENT COLUMN IF EXISTS updated_at 'When this row was written: the latest counts';
ALTER TABLE api_keys
MODIFY COMMENT 'API keys of services and scripts; a change is a later row of the same id.',
COMMENT COLUMN IF EXISTS id 'The key''s id',
COMMENT COLUMN IF EXISTS hash 'SHA-256 of the key, in hex; the key itself is nowhere',
COMMENT COLUMN IF EXISTS org_id 'The organisation it may read',
COMMENT COLUMN IF EXISTS name 'What people call it',
COMMENT COLUMN IF EXISTS permissions 'What it may do',
COMMENT COLUMN IF EXISTS all_workspaces 'Whether it sees all workspaces of the org',
COMMENT COLUMN IF EXISTS workspaces 'Those that it sees, where not all',
COMMENT COLUMN IF EXISTS created_at 'When it was made',
COMMENT COLUMN IF EXISTS expires_at 'When it ends; NULL: never',
COMMENT COLUMN IF EXISTS revoked_at 'When it was revoked; NULL: it is not',
COMMENT COLUMN IF EXISTS updated_at 'When this row was written: the latest counts';
ALTER TABLE api_key_uses
MODIFY COMMENT 'When each API key was last used, to the minute.',
COMMENT COLUMN IF EXISTS id 'The key''s id',
COMMENT COLUMN IF EXISTS used_at 'The latest counts';
ALTER TABLE erasures
MODIFY COMMENT 'What is forgotten, and the audit of it: who asked, when, how many. A later row of an id counts.',
COMMENT COLUMN IF EXISTS id 'The erasure''s id',
COMMENT COLUMN IF EXISTS kind 'erasure: somebody asked; retention: it has run out',
COMMENT COLUMN IF EXISTS org_id 'Whose events; '''' with retention: orgs without a rule of their own',
COMMENT COLUMN IF EXISTS user_id 'Whose in it; '''': the whole org',
COMMENT COLUMN IF EXISTS before 'Events with an earlier timestamp are forgotten',
COMMENT COLUMN IF EXISTS reason 'Why, as it was asked for',
COMMENT COLUMN IF EXISTS asked_by 'Who asked',
COMMENT COLUMN IF EXISTS asked_at 'When',
COMMENT COLUMN IF EXISTS step 'What is being done; `done` at the end',
COMMENT COLUMN IF EXISTS finished_at 'When nothing was left; NULL: not yet',
COMMENT COLUMN IF EXISTS events 'How many events are forgotten',
COMMENT COLUMN IF EXISTS dead_letters 'How many dead letters of the table',
COMMENT COLUMN IF EXISTS messages 'How many messages of the dead-letter topic',
COMMENT COLUMN IF EXISTS spooled 'How many events of spools on the machine where it ran',
COMMENT COLUMN IF EXISTS updated_at 'When this row was written: the latest counts';
ALTER TABLE holds
MODIFY COMMENT 'Legal holds: nothing of these may be forgotten. A later row of an id counts.',
COMMENT COLUMN IF EXISTS id 'The hold''s id',
COMMENT COLUMN IF EXISTS org_id 'Whose events are held',
COMMENT COLUMN IF EXISTS user_id 'Whose in it; '''': the whole org',
COMMENT COLUMN IF EXISTS reason 'Why',
COMMENT COLUMN IF EXISTS added_by 'Who has added it',
COMMENT COLUMN IF EXISTS added_at 'When',
COMMENT COLUMN IF EXISTS removed_by 'Who has removed it; '''': it holds',
COMMENT COLUMN IF EXISTS removed_at 'When; NULL: it holds',
COMMENT COLUMN IF EXISTS updated_at 'When this row was written: the latest counts';
ALTER TABLE retention
MODIFY COMMENT 'How long an org''s events are kept where that is not what ACTIVITY_RETENTION_DAYS says.',
COMMENT COLUMN IF EXISTS org_id 'The organisation',
COMMENT COLUMN IF EXISTS days 'Days; 0: for ever; NULL: as the setting says',
COMMENT COLUMN IF EXISTS updated_at 'When this row was written: the latest counts';
ALTER TABLE erased_sequences
MODIFY COMMENT 'The numbers of events that were forgotten, so that event_gaps does not take them for lost.',
COMMENT COLUMN IF EXISTS producer_id 'The emitting process',
COMMENT COLUMN IF EXISTS seq 'The event''s number',
COMMENT COLUMN IF EXISTS expired 'By retention: nothing is said of the numbers beside it either',
COMMENT COLUMN IF EXISTS at 'The event''s time; 1970: not known';
ALTER TABLE erased_progress
MODIFY COMMENT 'What the youngest of the forgotten rows of a partition proved of the consumers'' progress.',
COMMENT COLUMN IF EXISTS topic 'The topic',
COMMENT COLUMN IF EXISTS partition 'The partition',
COMMENT COLUMN IF EXISTS base_offset 'All below was settled',
COMMENT COLUMN IF EXISTS last_offset 'The last offset that was forgotten';
ALTER TABLE event_gaps
MODIFY COMMENT 'Numbers that are missing: lost, still on the way, or among the dead letters. Of all orgs together only.',
COMMENT COLUMN IF EXISTS producer_id 'The emitting process',
COMMENT COLUMN IF EXISTS first_missing 'The first number that is missing',
COMMENT COLUMN IF EXISTS last_missing 'The last one in this gap',
COMMENT COLUMN IF EXISTS missing 'How many these are',
COMMENT COLUMN IF EXISTS lost_after 'Time of the event before the gap; NULL: there is none',
COMMENT COLUMN IF EXISTS lost_before 'Time of the event after it';
ALTER TABLE event_gap_metrics
MODIFY COMMENT 'event_gaps as a page of metrics: FORMAT Prometheus.',
COMMENT COLUMN IF EXISTS name 'The metric''s name',
COMMENT COLUMN IF EXISTS value 'Its value',
COMMENT COLUMN IF EXISTS help 'What it counts',
COMMENT COLUMN IF EXISTS type 'Its type',
COMMENT COLUMN IF EXISTS labels 'Its labels';
ALTER TABLE event_duplicates
MODIFY COMMENT 'Events that are in the table more than once: one id that was sent to several partitions at one moment.',
COMMENT COLUMN IF EXISTS org_id 'The organisation whose event it is',
COMMENT COLUMN IF EXISTS timestamp 'Start of the request, RFC 3339 with an offset, years 2000 to 2199; of the fraction, microseconds are kept',
COMMENT COLUMN IF EXISTS id 'UUIDv7, minted once at the source; the same id twice is the same event',
COMMENT COLUMN IF EXISTS copies 'How many rows it has',
COMMENT COLUMN IF EXISTS places 'Where each came from: topic, partition, offset';
ALTER TABLE event_duplicate_metrics
MODIFY COMMENT 'event_duplicates as a page of metrics: FORMAT Prometheus.',
COMMENT COLUMN IF EXISTS name 'The metric''s name',
COMMENT COLUMN IF EXISTS value 'Its value',
COMMENT COLUMN IF EXISTS help 'What it counts',
COMMENT COLUMN IF EXISTS type 'Its type',
COMMENT COLUMN IF EXISTS labels 'Its labels';
ALTER TABLE schema_migrations
MODIFY COMMENT 'The migrations that were applied.',
COMMENT COLUMN IF EXISTS version 'The migration''s number',
COMMENT COLUMN IF EXISTS name 'Its name',
COMMENT COLUMN IF EXISTS checksum 'SHA-256 of its file, in hex',
COMMENT COLUMN IF EXISTS applied_at 'When';
