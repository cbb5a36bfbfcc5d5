"""A row without an event as JSON, put together by the engine."""

import types
import typing

from activity_schemas.answers import NOT_FINITE, Activity


def _columns() -> str:
    """The contract's fields in their order; absent text is '' in the table, null in the answer."""
    names = []
    for name, field in Activity.model_fields.items():
        if name == "metadata":
            continue  # already JSON: put in as it is
        optional = isinstance(field.annotation, types.UnionType)
        text = str in typing.get_args(field.annotation)
        if field.annotation is float:
            names.append(f"if(isFinite({name}), {name}, {NOT_FINITE}) AS {name}")
        else:
            names.append(f"nullIf({name}, '') AS {name}" if optional and text else name)
    return ", ".join(names)


#: An Activity, as one text.
BY_COLUMNS = (
    f"concat(substring(formatRowNoNewline('JSONEachRow', {_columns()}) AS fields,"
    " 1, length(fields) - 1), "
    # A scalar is valid, too, and so is an object behind a byte order mark.
    """',"metadata":', if(startsWith(metadata, '{') AND isValidJSON(metadata), metadata, '{}'), """
    "'}')"
)
