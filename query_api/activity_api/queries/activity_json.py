"""An event as it came in the form of the answer: the contract's order, and each value as it is."""

import types
import typing
from typing import Any

import msgspec

from activity_schemas.answers import Activity

_NULL, _EMPTY_OBJECT, _EMPTY_TEXT = b"null", b"{}", b'""'
# Of the row and not of the event: both are columns of their own, and the event may have come
# without them.
_OF_THE_ROW = ("id", "timestamp")


def _is_optional_text(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType) and str in typing.get_args(annotation)


_OPTIONAL_TEXTS = [
    name for name, field in Activity.model_fields.items() if _is_optional_text(field.annotation)
]


def _fields() -> list[tuple[str, Any, Any]]:
    """Each is handed on as it is written, and only the status is read."""
    found: list[tuple[str, Any, Any]] = []
    for name, field in Activity.model_fields.items():
        if name in _OF_THE_ROW:
            continue
        if name == "status_code":
            found.append((name, int, msgspec.field()))
            continue
        is_object = typing.get_origin(field.annotation) is dict
        absent = _EMPTY_OBJECT if is_object else _NULL
        found.append((name, msgspec.Raw, msgspec.field(default=msgspec.Raw(absent))))
    return found


_Event = msgspec.defstruct("_Event", _fields(), kw_only=True, gc=False)
_decode = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.Encoder().encode
_NO_VALUE = msgspec.Raw(_NULL)
_SUCCESS = {True: msgspec.Raw(b"true"), False: msgspec.Raw(b"false")}


def activity_json(id_: str, timestamp: str, event: bytes) -> bytes | None:
    """An Activity. `timestamp`: as the answer shows it. None: the event cannot be read."""
    try:
        fields: Any = _decode(event)
    except (msgspec.MsgspecError, RecursionError):
        return None
    # Of the status, as in the table: whatever the producer says.
    fields.success = _SUCCESS[fields.status_code < 400]
    if _EMPTY_TEXT in event:
        for name in _OPTIONAL_TEXTS:
            if bytes(getattr(fields, name, _NO_VALUE)) == _EMPTY_TEXT:
                setattr(fields, name, _NO_VALUE)
    head = f'{{"id":"{id_}","timestamp":"{timestamp}",'
    return head.encode() + _encode(fields)[1:]
