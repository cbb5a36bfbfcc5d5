-- `activity migrate`, without `--roles`: that takes a user who may make roles.
CREATE ROLE IF NOT EXISTS activity_migrate;
GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW, ALTER TABLE, SELECT, INSERT ON {database}.* TO activity_migrate;
