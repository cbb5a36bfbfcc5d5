"""A page of the list: its SQL, and the answer built from the engine's own JSON."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from activity_api.queries.columns import METADATA_IS_OBJECT, is_optional, is_text, plain
from activity_api.queries.cursor import Cursor
from activity_api.queries.filter import ActivityFilter, Parameters, micros
from activity_api.queries.query import Query
from activity_api.queries.totals import IN_NEWEST_HOURS, Counted, total_of
from activity_schemas.answers import Activity

# JSON knows no unescaped control character in a string, so this one splits rows safely even where
# a service's metadata came with line breaks in it.
ROW_END = b"\x1e"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SETTINGS = """\
SETTINGS optimize_use_projections = 0, enable_shared_storage_snapshot_in_query = 1, \
prefer_column_name_to_alias = 1, date_time_output_format = 'iso', \
output_format_json_quote_64bit_integers = 0, output_format_json_escape_forward_slashes = 0
FORMAT RawBLOB"""


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
SELECT concat(toString({total}), ' ', {_NOW}, ' ', {ROW})
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
SELECT concat({ROW})
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


@dataclass(frozen=True, slots=True)
class Rows:
    """What a page's query brought: each row as JSON; of the first page also total and time."""

    rows: list[bytes]
    total: int
    as_of: datetime

    @classmethod
    def of_first_page(cls, body: bytes) -> "Rows":
        """No row at all means a total of 0: both were asked of one snapshot."""
        pieces = [piece.split(b" ", 2) for piece in body.split(ROW_END)[:-1]]
        if not pieces:
            return cls([], 0, _EPOCH)
        total, millis, _ = pieces[0]
        as_of = _EPOCH + timedelta(milliseconds=int(millis))
        return cls([piece[2] for piece in pieces], int(total), as_of)

    @classmethod
    def of_next_page(cls, body: bytes, after: Cursor) -> "Rows":
        """Total and time are those of the first page."""
        return cls(body.split(ROW_END)[:-1], after.total, after.as_of)

    def to_json(
        self,
        limit: int,
        key: bytes,
        filter_: ActivityFilter,
        complete_through: datetime | None = None,
    ) -> bytes:
        """The body of an ActivityPage; the rows go in as they came."""
        shown, has_more = self.rows[:limit], len(self.rows) > limit
        next_cursor = b"null"
        if has_more:
            # Not parsed as a whole: a service's metadata may hold numbers that no parser takes.
            id_, timestamp = FIRST_FIELDS.findall(shown[-1][:200])[0]
            position = datetime.fromisoformat(timestamp.decode()), UUID(id_.decode())
            cursor = Cursor(*position, self.total, self.as_of, complete_through)
            sealed = cursor.seal(key, filter_)
            next_cursor = b'"' + sealed.encode() + b'"'
        return b'{"total":%d,"has_more":%s,"next_cursor":%s,"activities":[%s]}' % (
            self.total,
            b"true" if has_more else b"false",
            next_cursor,
            utf8(b",".join(shown)),
        )


def utf8(text: bytes) -> bytes:
    """The table's text may be any bytes, past the consumer. The engine would see to it, too, but
    for 0.8 ms of CPU a page; this takes 0.01."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode()
    return text


FIRST_FIELDS = re.compile(rb'^\{"id":"([^"]+)","timestamp":"([^"]+)"')


def _columns() -> str:
    """The contract's fields in their order; absent text is '' in the table, null in the answer."""
    names = []
    for name in Activity.model_fields:
        if name == "metadata":
            continue  # already JSON: put in as it is
        absent = is_text(name) and is_optional(name)
        names.append(f"nullIf({name}, '') AS {name}" if absent else plain(name))
    return ", ".join(names)


_NOW = "toString(toUnixTimestamp64Milli(nowInBlock64(3)))"
ROW = (
    f"substring(formatRowNoNewline('JSONEachRow', {_columns()}) AS fields, 1, length(fields) - 1), "
    f"""',"metadata":', if({METADATA_IS_OBJECT}, metadata, '{{}}'), """
    """'}\\x1e'"""
)
