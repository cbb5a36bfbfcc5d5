-- API keys of services and scripts (`activity keys`). The key itself is nowhere: `hash` is its
-- SHA-256, in hex. A change, such as a revocation, is a later row of the same id.
CREATE TABLE IF NOT EXISTS api_keys
(
    id             String,
    hash           String,
    org_id         String,
    name           String,
    permissions    Array(LowCardinality(String)),
    all_workspaces Bool,
    -- What it may see where `all_workspaces` is false.
    workspaces     Array(String),
    created_at     DateTime64(3, 'UTC'),
    expires_at     Nullable(DateTime('UTC')),
    revoked_at     Nullable(DateTime('UTC')),
    updated_at     DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY id;

-- When each was last used, to the minute: the read API's only write.
CREATE TABLE IF NOT EXISTS api_key_uses
(
    id      String,
    used_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(used_at)
ORDER BY id;
