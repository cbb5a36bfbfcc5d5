-- The read API: `activity serve`. It sets `readonly` itself, so its user's profile must not.
CREATE ROLE IF NOT EXISTS activity_api;
GRANT SELECT ON {database}.events TO activity_api;
GRANT SELECT ON {database}.progress TO activity_api;
GRANT SELECT ON {database}.settled_offsets TO activity_api;
GRANT SELECT ON {database}.retention TO activity_api;
GRANT SELECT ON {database}.api_keys TO activity_api;
GRANT INSERT ON {database}.api_key_uses TO activity_api;
