"""The columns of an Activity in SQL: what absent and odd values are read as."""

import types
import typing

from activity_schemas.answers import NOT_FINITE, Activity

#: A scalar is valid JSON, too, and so is an object behind a byte order mark.
METADATA_IS_OBJECT = "startsWith(metadata, '{') AND isValidJSON(metadata)"
_NO_TEXT = frozenset({"id", "timestamp", "token_usage", "metadata"})


def is_text(name: str) -> bool:
    """A column of text, where '' stands for what an event has not."""
    annotation = _annotation(name)
    return name not in _NO_TEXT and (annotation is str or str in typing.get_args(annotation))


def is_optional(name: str) -> bool:
    """Null in the answer where the event has none."""
    return isinstance(_annotation(name), types.UnionType)


def plain(name: str) -> str:
    """A column as it is; of a number one that JSON knows."""
    if _annotation(name) is float:
        return f"if(isFinite({name}), {name}, {NOT_FINITE}) AS {name}"
    return name


def _annotation(name: str) -> object:
    return Activity.model_fields[name].annotation
