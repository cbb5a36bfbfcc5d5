"""Events as they came in the form of the answer: the contract's order, and each value as it is."""

import types
import typing
from collections.abc import Sequence
from typing import Any

import msgspec

from activity_schemas.answers import Activity

_NULL, _EMPTY_OBJECT, _EMPTY_TEXT = b"null", b"{}", b'""'
_LINE_BREAKS = bytes.maketrans(b"\n\r", b"  ")


def _is_optional_text(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType) and str in typing.get_args(annotation)


_OPTIONAL_TEXTS = [
    name for name, field in Activity.model_fields.items() if _is_optional_text(field.annotation)
]


def _fields() -> list[tuple[str, Any, Any]]:
    """Each is handed on as it is written, and only the status is read."""
    found: list[tuple[str, Any, Any]] = []
    for name, field in Activity.model_fields.items():
        if name == "status_code":
            found.append((name, int, msgspec.field()))
            continue
        is_object = typing.get_origin(field.annotation) is dict
        absent = _EMPTY_OBJECT if is_object else _NULL
        found.append((name, msgspec.Raw, msgspec.field(default=msgspec.Raw(absent))))
    return found


_Event: Any = msgspec.defstruct("_Event", _fields(), kw_only=True, gc=False)


class _Row(msgspec.Struct, gc=False):
    """Id and time are the row's: both are columns, and the event may have come without them."""

    id: msgspec.Raw
    timestamp: msgspec.Raw
    event: _Event


_decode = msgspec.json.Decoder(_Event).decode
_decode_rows = msgspec.json.Decoder(list[_Row]).decode
_encoder = msgspec.json.Encoder()
_NO_VALUE = msgspec.Raw(_NULL)
_SUCCESS = {True: msgspec.Raw(b"true"), False: msgspec.Raw(b"false")}


def activity_json(id_: str, timestamp: str, event: bytes) -> bytes | None:
    """An Activity. `timestamp`: as the answer shows it. None: the event cannot be read."""
    try:
        fields = _decode(event)
    except (msgspec.MsgspecError, RecursionError):
        return None
    fields.id, fields.timestamp = (msgspec.Raw(f'"{one}"'.encode()) for one in (id_, timestamp))
    _settle([fields], event)
    return _encoder.encode(fields)


def activity_lines(rows: Sequence[bytes]) -> bytes | None:
    """Activities, one a line, of `{"id":...,"timestamp":...,"event":...}` each; a line break
    between the tokens of an event becomes a blank. None: an event cannot be read. A thousand take
    some 3 ms, in which no other thread runs."""
    text = b"[%b]" % b",".join(rows)
    try:
        found = _decode_rows(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
    events = []
    for row in found:
        event = row.event
        event.id, event.timestamp = row.id, row.timestamp
        events.append(event)
    _settle(events, text)
    lines: bytes = _encoder.encode_lines(events)
    if b"\r" in lines or lines.count(b"\n") > len(rows):
        each = (_encoder.encode(event).translate(_LINE_BREAKS) for event in events)
        lines = b"".join(line + b"\n" for line in each)
    return lines


def _settle(events: Sequence[Any], text: bytes) -> None:
    """What is not as the event says it. `text`: what they were read of."""
    for event in events:
        # Of the status, as in the table: whatever the producer says.
        event.success = _SUCCESS[event.status_code < 400]
    if _EMPTY_TEXT in text:
        for event in events:
            for name in _OPTIONAL_TEXTS:
                if bytes(getattr(event, name)) == _EMPTY_TEXT:
                    setattr(event, name, _NO_VALUE)
