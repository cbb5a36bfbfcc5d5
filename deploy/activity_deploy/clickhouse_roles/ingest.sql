-- The consumer: `activity consume`.
CREATE ROLE IF NOT EXISTS activity_ingest;
GRANT SELECT, INSERT ON {database}.events TO activity_ingest;
GRANT SELECT, INSERT ON {database}.dead_letters TO activity_ingest;
GRANT SELECT, INSERT ON {database}.progress TO activity_ingest;
GRANT SELECT, INSERT ON {database}.poison_stops TO activity_ingest;
GRANT SELECT, INSERT ON {database}.topic_incarnations TO activity_ingest;
-- Is an insert of ours still under way? Others' queries are not shown.
GRANT SELECT ON system.processes TO activity_ingest;
