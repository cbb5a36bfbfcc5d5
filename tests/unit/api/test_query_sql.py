"""The statements, word for word."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from activity_api.queries.columns_json import BY_COLUMNS
from activity_api.queries.cursor import Cursor
from activity_api.queries.event_rows import Key
from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page, next_page, rows_by_columns
from activity_api.queries.summary import last_hours, summary_of
from activity_api.queries.totals import total_of

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ORG = ActivityFilter(org_id="o")
WORKSPACE = ActivityFilter(org_id="o", workspace_id="w")

ROW = "toUnixTimestamp64Micro(timestamp), id, event"

SETTINGS = """\
SETTINGS optimize_use_projections = 0, enable_shared_storage_snapshot_in_query = 1
FORMAT RowBinary"""


def from_rollup(name: str) -> str:
    return f"SETTINGS optimize_use_projections = 1, preferred_optimize_projection_name = '{name}'"


def test_first_page() -> None:
    query = first_page(ORG, limit=50)
    assert query.sql == (
        "WITH (SELECT count() FROM events"
        " WHERE org_id = {org_id:String} AND timestamp >= toDateTime64(0, 6, 'UTC')"
        f" {from_rollup('by_org')}) AS seen\n"
        f"SELECT assumeNotNull(toUInt64(seen)), toUnixTimestamp64Milli(nowInBlock64(3)), {ROW}\n"
        "FROM events\n"
        "WHERE org_id = {org_id:String}\n"
        "ORDER BY timestamp DESC, id DESC\n"
        "LIMIT {rows:UInt16}\n" + SETTINGS
    )
    assert query.parameters == {"org_id": "o", "rows": "51"}


def test_first_page_of_what_a_rollup_knows_reads_the_newest_hours() -> None:
    query = first_page(replace(WORKSPACE, success=False), limit=50)
    assert query.sql == (
        "WITH (SELECT\n"
        "(\n"
        "    sum(n),\n"
        "    arrayFilter(\n"
        "        (hour, upto, n) -> upto - n < {rows:UInt16},\n"
        "        (arrayReverseSort(groupArrayIf((hour, n), n > 0)) AS known).1,\n"
        "        arrayCumSum(known.2),\n"
        "        known.2\n"
        "    )\n"
        ")\n"
        "FROM\n"
        "(\n"
        "    SELECT toStartOfHour(timestamp) AS hour, count() - countIf(success) AS n\n"
        "    FROM events\n"
        "    WHERE org_id = {org_id:String} AND workspace_id = {workspace_id:String}\n"
        "    GROUP BY hour\n"
        ")\n"
        f"{from_rollup('by_workspace')}) AS seen\n"
        f"SELECT assumeNotNull(toUInt64(seen.1)), toUnixTimestamp64Milli(nowInBlock64(3)), {ROW}\n"
        "FROM events\n"
        "WHERE org_id = {org_id:String} AND workspace_id = {workspace_id:String}"
        " AND success = {success:Bool}\n"
        "AND toStartOfHour(timestamp) IN seen.2\n"
        "ORDER BY timestamp DESC, id DESC\n"
        "LIMIT {rows:UInt16}\n" + SETTINGS
    )
    parameters = {"org_id": "o", "workspace_id": "w", "success": "false", "rows": "51"}
    assert query.parameters == parameters


def test_next_page() -> None:
    id_ = UUID("01a20d0f-2449-7190-b2a9-1b2b0629ccfc")
    after = Cursor(NOW, id_, total=9, as_of=NOW + timedelta(seconds=1))
    query = next_page(ORG, 50, after)
    assert query.sql == (
        f"SELECT {ROW}\n"
        "FROM events\n"
        "WHERE org_id = {org_id:String}\n"
        "AND timestamp <= {after_time:DateTime64(6, 'UTC')}\n"
        "AND (timestamp, id) < ({after_time:DateTime64(6, 'UTC')}, {after_id:UUID})\n"
        "AND _ingested_at <= {as_of:DateTime64(3, 'UTC')}\n"
        "ORDER BY timestamp DESC, id DESC\n"
        "LIMIT {rows:UInt16}\n" + SETTINGS
    )
    assert query.parameters == {
        "org_id": "o",
        "after_time": "2026-01-02 03:04:05.678901",
        "after_id": str(id_),
        "as_of": "2026-01-02 03:04:06.678",
        "rows": "51",
    }


def test_rows_without_an_event_are_asked_for_by_their_columns() -> None:
    keys = [Key(1_767_322_800_000_005, UUID(int=5)), Key(7, UUID(int=3))]
    query = rows_by_columns(ORG, keys)
    assert f"SELECT toUnixTimestamp64Micro(timestamp), id, concat({BY_COLUMNS})\n" in query.sql
    assert (
        BY_COLUMNS
        == """\
substring(formatRowNoNewline('JSONEachRow', id, timestamp, \
nullIf(trace_id, '') AS trace_id, \
nullIf(user_id, '') AS user_id, nullIf(workspace_id, '') AS workspace_id, \
nullIf(app_id, '') AS app_id, nullIf(principal_type, '') AS principal_type, \
nullIf(principal_id, '') AS principal_id, nullIf(token_id, '') AS token_id, \
nullIf(token_type, '') AS token_type, method, path, nullIf(resource_type, '') AS resource_type, \
nullIf(resource_id, '') AS resource_id, action, status_code, success, \
nullIf(error_code, '') AS error_code, \
if(isFinite(duration_ms), duration_ms, 1.7976931348623157e+308) AS duration_ms, \
nullIf(execution_id, '') AS execution_id, \
nullIf(augmentation_id, '') AS augmentation_id, stages_completed, total_stages, token_usage) \
AS fields, 1, length(fields) - 1), ',"metadata":', \
if(startsWith(metadata, '{') AND isValidJSON(metadata), metadata, '{}'), '}'"""
    )
    assert query.parameters == {
        "org_id": "o",
        "times": ["1970-01-01 00:00:00.000007", "2026-01-02 03:00:00.000005"],
        "ids": [str(UUID(int=3)), str(UUID(int=5))],
    }


def test_total_of_an_org_is_a_range_of_the_key() -> None:
    assert total_of(ORG).sql == (
        "SELECT count() FROM events WHERE org_id = {org_id:String}"
        f" AND timestamp >= toDateTime64(0, 6, 'UTC') {from_rollup('by_org')}"
    )


def test_total_of_a_range_is_hours_and_edges() -> None:
    filter_ = ActivityFilter(
        org_id="o", user_id="u", start_time=NOW - timedelta(hours=5), end_time=NOW
    )
    where = "WHERE org_id = {org_id:String} AND user_id = {user_id:String} AND "
    query = total_of(filter_)
    assert query.sql == (
        f"SELECT (SELECT count() FROM events {where}"
        "toStartOfHour(timestamp) >= {first_hour:DateTime('UTC')}"
        " AND toStartOfHour(timestamp) < {last_hour:DateTime('UTC')}"
        f" {from_rollup('by_user')})"
        f" + (SELECT count() FROM events {where}"
        "(timestamp >= {start_time:DateTime64(6, 'UTC')}"
        " AND timestamp < {first_hour:DateTime64(6, 'UTC')}"
        " OR timestamp >= {last_hour:DateTime64(6, 'UTC')}"
        " AND timestamp < {end_time:DateTime64(6, 'UTC')})"
        f" {from_rollup('by_user')})"
    )
    assert query.parameters == {
        "org_id": "o",
        "user_id": "u",
        "start_time": "2026-01-01 22:04:05.678901",
        "end_time": "2026-01-02 03:04:05.678901",
        "first_hour": "2026-01-01 23:00:00",
        "last_hour": "2026-01-02 03:00:00",
    }


def test_total_of_what_no_rollup_knows_is_counted() -> None:
    filter_ = ActivityFilter(org_id="o", resource_id="r", start_time=NOW - timedelta(hours=5))
    assert total_of(filter_).sql == (
        "SELECT count() FROM events WHERE org_id = {org_id:String}"
        " AND resource_id = {resource_id:String}"
        " AND timestamp >= {start_time:DateTime64(6, 'UTC')} SETTINGS optimize_use_projections = 0"
    )


def test_summary() -> None:
    sums = (
        "SELECT action, resource_type, count() AS requests, countIf(success) AS successful,"
        " toString(sum(toInt128(round(if(abs(duration_ms) <= 1e11, duration_ms, 0) * 1e6))))"
        " AS nanoseconds, toString(sum(tokens)) AS tokens_used\nFROM events\n"
        "WHERE org_id = {org_id:String} AND "
    )
    query = summary_of(last_hours(ORG, 24, NOW))
    assert query.sql == (
        sums + "toStartOfHour(timestamp) >= {first_hour:DateTime('UTC')}"
        " AND toStartOfHour(timestamp) < {last_hour:DateTime('UTC')}\n"
        "GROUP BY action, resource_type\n"
        "UNION ALL\n" + sums + "(timestamp >= {start_time:DateTime64(6, 'UTC')}"
        " AND timestamp < {first_hour:DateTime64(6, 'UTC')}"
        " OR timestamp >= {last_hour:DateTime64(6, 'UTC')}"
        " AND timestamp < {end_time:DateTime64(6, 'UTC')})\n"
        "GROUP BY action, resource_type\n" + from_rollup("by_org") + "\n"
        "FORMAT JSONCompactEachRow"
    )


def test_summary_without_a_whole_hour_reads_rows() -> None:
    query = summary_of(last_hours(ORG, 1, NOW))
    assert "toStartOfHour" not in query.sql
    assert "timestamp >= {start_time:DateTime64(6, 'UTC')}" in query.sql
