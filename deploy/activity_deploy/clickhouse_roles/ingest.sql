-- The consumer: `activity consume`.
CREATE ROLE IF NOT EXISTS activity_ingest;
GRANT SELECT, INSERT ON {database}.events TO activity_ingest;
GRANT SELECT, INSERT ON {database}.dead_letters TO activity_ingest;
GRANT SELECT, INSERT ON {database}.progress TO activity_ingest;
GRANT INSERT ON {database}.settled_offsets TO activity_ingest;
GRANT SELECT, INSERT ON {database}.poison_stops TO activity_ingest;
GRANT SELECT, INSERT ON {database}.topic_incarnations TO activity_ingest;
-- What is not let in again, and the proof of what was.
GRANT SELECT ON {database}.erasures TO activity_ingest;
GRANT SELECT ON {database}.holds TO activity_ingest;
GRANT SELECT ON {database}.erased_progress TO activity_ingest;
GRANT SELECT, INSERT ON {database}.erased_sequences TO activity_ingest;
-- Is an insert of ours still under way? Others' queries are not shown.
GRANT SELECT ON system.processes TO activity_ingest;
-- For the table function input(): what a narrowed table refuses is left out by a SELECT. Those that read
-- files or other servers need grants that are not here.
GRANT CREATE TEMPORARY TABLE ON *.* TO activity_ingest;
