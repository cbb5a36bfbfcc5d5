-- `activity migrate`, without `--roles`: that takes a user who may make roles.
CREATE ROLE IF NOT EXISTS activity_migrate;
GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP VIEW, ALTER TABLE, SELECT, INSERT ON {database}.* TO activity_migrate;
-- The lock of one migration at a time is a table that comes and goes.
GRANT DROP TABLE ON {database}.schema_migrations_lock* TO activity_migrate;
