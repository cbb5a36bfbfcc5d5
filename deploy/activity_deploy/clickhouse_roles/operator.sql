-- A person with `activity keys`, `activity dlq`, `activity topic`.
CREATE ROLE IF NOT EXISTS activity_operator;
GRANT SELECT, INSERT ON {database}.api_keys TO activity_operator;
GRANT SELECT ON {database}.api_key_uses TO activity_operator;
GRANT SELECT, INSERT ON {database}.dead_letters TO activity_operator;
GRANT SELECT, INSERT ON {database}.poison_stops TO activity_operator;
GRANT SELECT, INSERT ON {database}.topic_incarnations TO activity_operator;
GRANT SELECT ON {database}.progress TO activity_operator;
GRANT SELECT ON {database}.erased_sequences TO activity_operator;
GRANT SELECT ON {database}.retention TO activity_operator;
GRANT SELECT ON {database}.event_gaps TO activity_operator;
GRANT SELECT ON {database}.event_gap_metrics TO activity_operator;
GRANT SELECT ON {database}.event_duplicates TO activity_operator;
GRANT SELECT ON {database}.event_duplicate_metrics TO activity_operator;
-- Those are views, which read as who asks.
GRANT SELECT(id, timestamp, org_id, producer_id, seq, _topic, _partition, _offset) ON {database}.events TO activity_operator;
GRANT SELECT ON {database}.dead_letters_current TO activity_operator;
GRANT SELECT, INSERT ON {database}.model_prices TO activity_operator;
