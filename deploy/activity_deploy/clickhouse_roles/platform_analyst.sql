-- People with SQL who see all orgs: what an analyst may, on every row, and what only makes sense of all together.
CREATE ROLE IF NOT EXISTS activity_platform_analyst;
GRANT activity_analyst TO activity_platform_analyst;
CREATE ROW POLICY IF NOT EXISTS activity_platform_analyst ON {database}.events FOR SELECT USING 1 TO activity_platform_analyst;
GRANT SELECT ON {database}.event_gaps TO activity_platform_analyst;
GRANT SELECT ON {database}.erased_sequences TO activity_platform_analyst;
GRANT SELECT ON {database}.dead_letters_current TO activity_platform_analyst;
GRANT SELECT ON {database}.dead_letters TO activity_platform_analyst;
