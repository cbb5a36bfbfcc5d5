"""An export's SQL: an org's events by time, oldest first, as lines or as Parquet."""

import re
from datetime import datetime
from uuid import UUID

from activity_api.queries.columns import METADATA_IS_OBJECT, is_optional, is_text, plain
from activity_api.queries.columns_json import utf8
from activity_api.queries.cursor import Cursor
from activity_api.queries.filter import Parameters, micros
from activity_api.queries.history_filter import HistoryFilter
from activity_api.queries.query import Query
from activity_schemas.answers import Activity

_FIRST_FIELDS = re.compile(rb'^\{"id":"([^"]+)","timestamp":"([^"]+)"')
# A query of an export has one thread: reading in order, each further one reads rows that another
# page reads again, and beside it others' queries have the other cores.
_SETTINGS = """\
SETTINGS optimize_use_projections = 0, prefer_column_name_to_alias = 1, max_threads = 1, \
date_time_output_format = 'iso', """

AS_OF = "SELECT toUnixTimestamp64Milli(now64(3)) FORMAT TSV"


def rows_after(
    filter_: HistoryFilter, after: Cursor | None, as_of: datetime, limit: int, *, csv: bool
) -> Query:
    """The next rows, as lines. `after`: the last row that was given. `as_of`: what came in later
    stays out."""
    where, parameters = _within(filter_, after, as_of)
    # Without an end in time a page reads the begin of each later part, too, in all columns.
    last = f"SELECT timestamp FROM events WHERE {where} ORDER BY timestamp LIMIT {{rows:UInt32}}"  # noqa: S608
    columns, form = (_CSV_COLUMNS, _CSV) if csv else (_JSON_COLUMNS, _JSON)
    sql = f"""\
SELECT {columns}
FROM events
WHERE {where}
AND timestamp <= (SELECT max(timestamp) FROM ({last}))
ORDER BY timestamp, id
LIMIT {{rows:UInt32}}
{_SETTINGS}{form}"""  # noqa: S608 - no value is in the text, only placeholders
    return Query(sql, {**parameters, "rows": str(limit)})


def count_of(filter_: HistoryFilter) -> Query:
    """How many rows there are about; without other filters than time the index knows."""
    sql = f"""\
SELECT count() FROM events WHERE {filter_.where_in_time}
SETTINGS optimize_use_projections = 0 FORMAT TSV"""  # noqa: S608 - only placeholders
    return Query(sql, filter_.parameters)


def as_parquet(filter_: HistoryFilter, as_of: datetime) -> Query:
    """All of it in one file, which ends with its footer; a row group at a time in memory. Its rows
    are bounded, not its time: that is its reader's, too, who may be slow."""
    where, parameters = _within(filter_, None, as_of)
    sql = f"""\
SELECT {_parquet_columns()}
FROM events
WHERE {where}
ORDER BY timestamp, id
SETTINGS optimize_use_projections = 0, prefer_column_name_to_alias = 1,
    output_format_parquet_row_group_size = 20000, output_format_parquet_parallel_encoding = 0,
    output_format_parquet_string_as_string = 1, output_format_parquet_compression_method = 'zstd',
    max_threads = 2, max_block_size = 8192, max_execution_time = 0
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


def rows_of(body: bytes, *, csv: bool) -> tuple[int, datetime, UUID]:
    """How many rows an answer has, which has some, and time and id of the last one."""
    end = CSV_ROW_END if csv else _JSON_ROW_END
    before = body.rfind(end, 0, -len(end))
    row = body[before + len(end) if before >= 0 else 0 :][:200]
    if csv:
        id_, time, _ = row.replace(b'"', b"").split(b",", 2)
    else:
        id_, time = _FIRST_FIELDS.findall(row)[0]
    return body.count(end), datetime.fromisoformat(time.decode()), UUID(id_.decode())


def as_lines(body: bytes, *, csv: bool) -> bytes:
    """What is sent of an answer."""
    return utf8(_FORMULA.sub(b",\"'", body) if csv else body)


def _csv_column(name: str) -> str:
    if name == "token_usage":
        return "toJSONString(token_usage) AS token_usage"
    return f"{_METADATA} AS metadata" if name == "metadata" else plain(name)


def _json_column(name: str) -> str:
    if name == "metadata":
        return f"{_METADATA_ON_ONE_LINE} AS metadata"
    return f"nullIf({name}, '') AS {name}" if is_text(name) and is_optional(name) else plain(name)


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


_NAMES = tuple(Activity.model_fields)
# The last of a row ends with its brace in every format: blanks behind it are none of the object's.
_BLANKS = "'[ \\t\\r\\n]+$'"
_METADATA = (
    f"if({METADATA_IS_OBJECT}, if(endsWith(metadata, '}}'), metadata,"
    f" replaceRegexpOne(metadata, {_BLANKS}, '')), '{{}}')"
)
# A line break between the tokens of a service's metadata becomes a blank.
_METADATA_ON_ONE_LINE = (
    f"if(multiSearchAny(metadata, ['\\n', '\\r']), translate({_METADATA}, '\\n\\r', '  '),"
    f" {_METADATA})"
)

# Written by the engine as a list has it, with metadata as it is: no other format can say both.
_JSON_ROW = ",".join(f'"{name}":${{{name}:JSON}}' for name in _NAMES[:-1])
_JSON_COLUMNS = ", ".join(map(_json_column, _NAMES))
_JSON = f"""\
output_format_json_quote_64bit_integers = 0, output_format_json_escape_forward_slashes = 0, \
format_template_row_format = '{{{_JSON_ROW},"metadata":${{metadata:Raw}}}}\\n', \
format_template_rows_between_delimiter = ''
FORMAT Template"""
# Within a string of JSON it is escaped.
_JSON_ROW_END = b"\n"

# Absent is empty in CSV.
_CSV_COLUMNS = ", ".join(map(_csv_column, _NAMES))
_CSV = """\
format_csv_null_representation = '', output_format_csv_crlf_end_of_line = 1
FORMAT CSV"""
#: The first line.
CSV_HEAD = ",".join(_NAMES).encode() + b"\r\n"
#: Ends a row, and is nowhere else: a quote within a cell is doubled, so behind a brace come none,
#: two, four, ... but at the end of a cell.
CSV_ROW_END = b'}"\r\n'
# Text that a spreadsheet takes for a formula (OWASP, CSV injection), by the begin of its cell: not
# within one, for the same reason. A quote in front makes text of it.
_FORMULA = re.compile(rb',"(?=[=+\-@\t\r])')
