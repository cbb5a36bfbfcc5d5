"""The table that a tutorial would make: sorted by org and time, by month, without projections."""

from activity_schemas.event import ActivityEvent

TABLE = "tutorial_events"

_TYPES = {
    "id": "UUID",
    "timestamp": "DateTime64(6, 'UTC')",
    "status_code": "UInt16",
    "duration_ms": "Float64",
    "stages_completed": "Nullable(UInt16)",
    "total_stages": "Nullable(UInt16)",
    "token_usage": "Map(String, UInt64)",
    "seq": "UInt64",
    "schema_version": "UInt8",
}
COLUMNS = [*ActivityEvent.model_fields]

CREATE = f"""\
CREATE TABLE IF NOT EXISTS {TABLE}
(
    {", ".join(f"{name} {_TYPES.get(name, 'String')}" for name in COLUMNS)},
    success Bool MATERIALIZED status_code < 400,
    tokens UInt64 MATERIALIZED arraySum(mapValues(token_usage))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (org_id, timestamp)"""

#: All rows of `events`.
FILL = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) SELECT {', '.join(COLUMNS)} FROM events"
