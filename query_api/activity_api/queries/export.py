"""An export's SQL: an org's events by time, oldest first, as lines or as Parquet."""

from datetime import datetime

from activity_api.queries.columns import METADATA_IS_OBJECT, is_optional, is_text, plain
from activity_api.queries.cursor import Cursor
from activity_api.queries.export_page import COLUMN_NAMES, ColumnsPage, CsvPage, EventPage, Page
from activity_api.queries.filter import Parameters, micros
from activity_api.queries.history_filter import HistoryFilter
from activity_api.queries.query import Query
from activity_schemas.answers import Activity

# A query of an export has one thread: reading in order, each further one reads rows that another
# page reads again, and beside it others' queries have the other cores.
_SETTINGS = """\
SETTINGS optimize_use_projections = 0, prefer_column_name_to_alias = 1, max_threads = 1, \
date_time_output_format = 'iso', """

AS_OF = "SELECT toUnixTimestamp64Milli(now64(3)) FORMAT TSV"


def rows_after(
    filter_: HistoryFilter, after: Cursor | None, as_of: datetime, limit: int, page: type[Page]
) -> Query:
    """The next rows, for this kind of page. `after`: the last row that was given. `as_of`: what
    came in later stays out."""
    where, parameters = _within(filter_, after, as_of)
    # Without an end in time a page reads the begin of each later part, too, in all columns.
    last = f"SELECT timestamp FROM events WHERE {where} ORDER BY timestamp LIMIT {{rows:UInt32}}"  # noqa: S608
    columns, form = _WAYS[page]
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

# Of rows without an event. Written by the engine as a list has it, with metadata as it is: no other
# format can say both.
_JSON_ROW = ",".join(f'"{name}":${{{name}:JSON}}' for name in COLUMN_NAMES[:-1])
_JSON_COLUMNS = ", ".join(map(_json_column, COLUMN_NAMES))
_JSON = f"""\
output_format_json_quote_64bit_integers = 0, output_format_json_escape_forward_slashes = 0, \
format_template_row_format = '{{{_JSON_ROW},"metadata":${{metadata:Raw}}}}\\n', \
format_template_rows_between_delimiter = ''
FORMAT Template"""
# Absent is empty in CSV.
_CSV_COLUMNS = ", ".join(map(_csv_column, COLUMN_NAMES))
_CSV = """\
format_csv_null_representation = '', output_format_csv_crlf_end_of_line = 1
FORMAT CSV"""

# The event as it is: of its columns the engine would have to put it together.
_EVENT_ROW = """\
concat('{"id":"', toString(id),
    '","timestamp":"', formatDateTime(timestamp, '%Y-%m-%dT%H:%i:%S.%fZ'),
    '","event":', if(event = '', 'null', event), '}')"""
_WAYS: dict[type[Page], tuple[str, str]] = {
    EventPage: (_EVENT_ROW, "max_block_size = 8192\nFORMAT RowBinary"),
    ColumnsPage: (_JSON_COLUMNS, _JSON),
    CsvPage: (_CSV_COLUMNS, _CSV),
}
