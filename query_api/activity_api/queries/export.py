"""An export's SQL: an org's events by time, oldest first, as lines or as Parquet."""

import re
from datetime import datetime
from uuid import UUID

from activity_api.queries.columns import METADATA_IS_OBJECT, is_optional, is_text, plain
from activity_api.queries.columns_json import BY_COLUMNS, ROW_END, SETTINGS, SQL_ROW_END, utf8
from activity_api.queries.cursor import Cursor
from activity_api.queries.filter import Parameters, micros
from activity_api.queries.history_filter import HistoryFilter
from activity_api.queries.query import Query
from activity_schemas.answers import Activity

_FIRST_FIELDS = re.compile(rb'^\{"id":"([^"]+)","timestamp":"([^"]+)"')
# What a spreadsheet takes for a formula when a cell begins with it (OWASP, CSV injection). A quote
# in front makes text of it.
_FORMULA = "('=', '+', '-', '@', '\\t', '\\r')"

AS_OF = "SELECT toUnixTimestamp64Milli(now64(3)) FORMAT TSV"


def rows_after(
    filter_: HistoryFilter, after: Cursor | None, as_of: datetime, limit: int, *, csv: bool
) -> Query:
    """The next rows, each ended by ROW_END. `after`: the last one that was given. `as_of`: what
    came in later stays out."""
    where, parameters = _within(filter_, after, as_of)
    row = _CSV_ROW if csv else BY_COLUMNS
    sql = f"""\
SELECT concat({row}, '{SQL_ROW_END}')
FROM events
WHERE {where}
ORDER BY timestamp, id
LIMIT {{rows:UInt32}}
SETTINGS format_csv_null_representation = '', {SETTINGS}
FORMAT RawBLOB"""  # noqa: S608 - no value is in the text, only placeholders
    return Query(sql, {**parameters, "rows": str(limit)})


def as_parquet(filter_: HistoryFilter, as_of: datetime) -> Query:
    """All of it in one file, which ends with its footer; a row group at a time in memory."""
    where, parameters = _within(filter_, None, as_of)
    sql = f"""\
SELECT {_parquet_columns()}
FROM events
WHERE {where}
ORDER BY timestamp, id
SETTINGS optimize_use_projections = 0, prefer_column_name_to_alias = 1,
    output_format_parquet_row_group_size = 20000, output_format_parquet_parallel_encoding = 0,
    output_format_parquet_string_as_string = 1, output_format_parquet_compression_method = 'zstd',
    max_threads = 2, max_block_size = 8192
FORMAT Parquet"""  # noqa: S608 - no value is in the text, only placeholders
    return Query(sql, parameters)


def _within(
    filter_: HistoryFilter, after: Cursor | None, as_of: datetime
) -> tuple[str, Parameters]:
    where = [filter_.where_in_time, "_ingested_at <= {as_of:DateTime64(3, 'UTC')}"]
    parameters: Parameters = {**filter_.parameters, "as_of": micros(as_of)[:-3]}
    if after is not None:
        # The first bound says nothing that the second does not, but only it prunes by the key.
        where.append("timestamp >= {after_time:DateTime64(6, 'UTC')}")
        position = "({after_time:DateTime64(6, 'UTC')}, {after_id:UUID})"
        where.append(f"(timestamp, id) > {position}")
        parameters["after_time"] = micros(after.timestamp)
        parameters["after_id"] = str(after.id)
    return "\nAND ".join(where), parameters


def last_of(body: bytes, *, csv: bool) -> tuple[datetime, UUID]:
    """Time and id of the last row of an answer that has some."""
    row = body[body.rfind(ROW_END, 0, -1) + 1 :]
    if csv:
        id_, time, _ = row.split(b",", 2)
        id_, time = id_.strip(b'"'), time.strip(b'"')
    else:
        id_, time = _FIRST_FIELDS.findall(row[:200])[0]
    return datetime.fromisoformat(time.decode()), UUID(id_.decode())


def as_lines(body: bytes, *, csv: bool) -> tuple[bytes, int]:
    """The answer with a row a line, and how many there are. A line break that was between the
    tokens of a service's metadata is a blank; within a cell of CSV it stays."""
    count = body.count(ROW_END)
    if not csv:
        body = body.replace(b"\r", b" ").replace(b"\n", b" ")
    return utf8(body.replace(ROW_END, b"\r\n" if csv else b"\n")), count


def _cell(name: str) -> str:
    """Without what ends a row."""
    if is_text(name):
        text = f"replaceAll({name}, '{SQL_ROW_END}', '')"
        return f"if(substring({name}, 1, 1) IN {_FORMULA}, concat('\\'', {text}), {text}) AS {name}"
    if name == "token_usage":
        return "toJSONString(token_usage) AS token_usage"
    if name == "metadata":
        return f"{_METADATA} AS metadata"
    return plain(name)


def _parquet_columns() -> str:
    columns = []
    for name in Activity.model_fields:
        if name == "id":
            columns.append("toString(id) AS id")
        elif name == "metadata":
            columns.append(f"{_METADATA} AS metadata")
        elif is_text(name):
            # Some are LowCardinality, which a reader sees as a dictionary; plain text is simpler.
            text = f"CAST({name}, 'String')"
            columns.append(
                f"nullIf({text}, '') AS {name}" if is_optional(name) else f"{text} AS {name}"
            )
        else:
            columns.append(plain(name))
    return ", ".join(columns)


_METADATA = f"if({METADATA_IS_OBJECT}, replaceAll(metadata, '{SQL_ROW_END}', ''), '{{}}')"
#: The first line.
CSV_HEAD = ",".join(Activity.model_fields).encode() + b"\r\n"
_CSV_ROW = f"formatRowNoNewline('CSV', {', '.join(map(_cell, Activity.model_fields))})"
