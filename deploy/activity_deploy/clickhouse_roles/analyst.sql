-- People with SQL, each for one org: analyst_org.sql gives the org. Without it they see no rows.
CREATE ROLE IF NOT EXISTS activity_analyst;
GRANT SELECT ON {database}.events TO activity_analyst;
CREATE ROW POLICY IF NOT EXISTS activity_analyst_none ON {database}.events FOR SELECT USING 0 TO activity_analyst;
-- Nothing may be set, so the limits hold; file(), url(), remote() and the like need grants that are not here.
CREATE SETTINGS PROFILE IF NOT EXISTS activity_analyst SETTINGS readonly = 1, max_execution_time = 60, max_memory_usage = 4294967296, max_rows_to_read = 1000000000, max_result_rows = 1000000, result_overflow_mode = 'break', max_threads = 4, max_concurrent_queries_for_user = 4 TO activity_analyst;
CREATE QUOTA IF NOT EXISTS activity_analyst KEYED BY user_name FOR INTERVAL 1 hour MAX queries = 1000, execution_time = 1800 TO activity_analyst;
-- Views that read as who asks: the row policies hold. Not event_gaps, where other orgs' events would be missing.
GRANT SELECT ON {database}.activity TO activity_analyst;
GRANT SELECT ON {database}.activity_hourly TO activity_analyst;
GRANT SELECT ON {database}.sessions TO activity_analyst;
GRANT SELECT ON {database}.event_duplicates TO activity_analyst;
GRANT SELECT ON {database}.model_prices TO activity_analyst;
