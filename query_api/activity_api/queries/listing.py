"""The statements of a page of the list."""

from collections.abc import Sequence

from activity_api.queries.columns_json import BY_COLUMNS
from activity_api.queries.columns_json import SETTINGS as BY_COLUMNS_SETTINGS
from activity_api.queries.cursor import Cursor
from activity_api.queries.event_rows import ROW, SETTINGS, Key
from activity_api.queries.filter import ActivityFilter, Parameters, micros
from activity_api.queries.history_filter import HistoryFilter
from activity_api.queries.query import Query
from activity_api.queries.totals import IN_NEWEST_HOURS, Counted, total_of

_NOW = "toUnixTimestamp64Milli(nowInBlock64(3))"


def first_page(filter_: ActivityFilter, limit: int) -> Query:
    """The newest rows and the total, counted in the same round trip on the same snapshot."""
    if filter_.by_key_only:
        counted = total_of(filter_)
        seen, parameters = counted.sql, counted.parameters
        total, where = "seen", filter_.where_in_time
    else:
        parts = Counted.of(filter_)
        seen, parameters = parts.with_newest_hours, parts.parameters
        total, where = "seen.1", f"{filter_.where_in_time}\nAND {IN_NEWEST_HOURS}"
    sql = f"""\
WITH ({seen}) AS seen
SELECT assumeNotNull(toUInt64({total})), {_NOW}, {ROW}
FROM events
WHERE {where}
ORDER BY timestamp DESC, id DESC
LIMIT {{rows:UInt16}}
{SETTINGS}"""  # noqa: S608 - no value is in the text, only placeholders
    return Query(sql, {**parameters, "rows": str(limit + 1)})


def next_page(filter_: ActivityFilter, limit: int, after: Cursor) -> Query:
    """The rows below the cursor, of those that were in when the first page was read."""
    # The first bound says nothing that the second does not, but only it prunes by the key:
    # without it all newer rows of the org are read (docs/adr/0002).
    sql = f"""\
SELECT {ROW}
FROM events
WHERE {filter_.where_in_time}
AND timestamp <= {{after_time:DateTime64(6, 'UTC')}}
AND (timestamp, id) < ({{after_time:DateTime64(6, 'UTC')}}, {{after_id:UUID}})
AND _ingested_at <= {{as_of:DateTime64(3, 'UTC')}}
ORDER BY timestamp DESC, id DESC
LIMIT {{rows:UInt16}}
{SETTINGS}"""  # noqa: S608 - no value is in the text, only placeholders
    position: Parameters = {
        "after_time": micros(after.timestamp),
        "after_id": str(after.id),
        "as_of": micros(after.as_of)[:-3],
        "rows": str(limit + 1),
    }
    return Query(sql, {**filter_.parameters, **position})


def rows_by_columns(filter_: ActivityFilter | HistoryFilter, keys: Sequence[Key]) -> Query:
    """Rows by their keys, each as an Activity that the engine puts together of columns:
    for those without an event, which are older than migration 0017, or came column by column."""
    sql = f"""\
SELECT toUnixTimestamp64Micro(timestamp), id, concat({BY_COLUMNS})
FROM events
WHERE {filter_.where_in_time}
AND timestamp IN {{times:Array(DateTime64(6, 'UTC'))}} AND id IN {{ids:Array(UUID)}}
SETTINGS {BY_COLUMNS_SETTINGS}
FORMAT RowBinary"""  # noqa: S608 - no value is in the text, only placeholders
    asked: Parameters = {
        # By time: that is what the table's key finds.
        "times": sorted({micros(key.timestamp) for key in keys}),
        "ids": sorted({str(key.id) for key in keys}),
    }
    return Query(sql, {**filter_.parameters, **asked})
