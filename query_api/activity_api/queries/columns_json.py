"""Rows as JSON, put together by the engine of their columns: an Activity each.

Of rows without an event.
"""

from activity_api.queries.columns import METADATA_IS_OBJECT, is_optional, is_text, plain
from activity_schemas.answers import Activity

#: What a statement with BY_COLUMNS has to set.
SETTINGS = """\
optimize_use_projections = 0, enable_shared_storage_snapshot_in_query = 1, \
prefer_column_name_to_alias = 1, date_time_output_format = 'iso', \
output_format_json_quote_64bit_integers = 0, output_format_json_escape_forward_slashes = 0"""


def utf8(text: bytes) -> bytes:
    """The table's text may be any bytes, past the consumer. The engine would see to it, too, but
    for 0.8 ms of CPU a page; this takes 0.01."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode()
    return text


def _columns() -> str:
    """The contract's fields in their order; absent text is '' in the table, null in the answer."""
    names = []
    for name in Activity.model_fields:
        if name == "metadata":
            continue  # already JSON: put in as it is
        absent = is_text(name) and is_optional(name)
        names.append(f"nullIf({name}, '') AS {name}" if absent else plain(name))
    return ", ".join(names)


#: An Activity: the pieces of a `concat`.
BY_COLUMNS = (
    f"substring(formatRowNoNewline('JSONEachRow', {_columns()}) AS fields,"
    " 1, length(fields) - 1),"
    f""" ',"metadata":', if({METADATA_IS_OBJECT}, metadata, '{{}}'), """
    "'}'"
)
