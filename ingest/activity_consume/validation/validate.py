"""Is this message an event? Cheaply on the good path, with the exact reason on the bad one.

The good path reads the JSON once with msgspec, which makes almost no Python objects, and hands the
producer's own bytes on. Whatever is not plainly right goes through the event's model, which has the
last word, and is written anew: the good path may refuse what the model accepts, never the other way
round (tests/unit/consume/test_consume_validate.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import ValidationError

from activity_consume.validation import strict_json
from activity_consume.validation.same_bytes import is_all, names_all
from activity_schemas.event import MAX_COUNT, MAX_DURATION_MS, MAX_TOKEN_NAMES, ActivityEvent

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
Stage = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Duration = Annotated[float, msgspec.Meta(ge=0, le=MAX_DURATION_MS)]
# Only the canonical forms: ids are compared as text, and so are times. (`$` and `\d` would let a
# line end and other scripts' digits pass.)
is_uuid7 = re.compile(
    r"\A[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z"
).match
is_utc = re.compile(
    r"\A2[01][0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z\Z"
).match

_SPACE = b" \t\n\r"  # JSON's own; Python knows more
_METADATA = b'"metadata":'

# Deeper metadata take the slow path: the model's JSON parser ends at a depth of 200, msgspec at
# Python's 1000, and to look at the depth afterwards would take half as long as reading the whole.
_Depth0 = str | int | float | bool | None
_Depth1 = _Depth0 | list[_Depth0] | dict[str, _Depth0]
_Depth2 = _Depth0 | list[_Depth1] | dict[str, _Depth1]
Metadata = dict[str, _Depth0 | list[_Depth2] | dict[str, _Depth2]]
TokenUsage = Annotated[dict[Word, Count], msgspec.Meta(max_length=MAX_TOKEN_NAMES)]


class FastEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`ActivityEvent`, as strict or stricter. What was not there is UNSET: so it can be written as
    it was read (same_bytes.py).

    A field it does not know costs the slow path: msgspec does not look into it (bytes that are no
    text, depth), and the engine may take it for a column (`_offset`, `Org_Id`).
    """

    #: `validate` looks at their forms: a pattern is slow in msgspec.
    id: str
    timestamp: str
    org_id: Id
    method: Word
    path: Annotated[str, msgspec.Meta(max_length=4096)]
    action: Literal["create", "read", "update", "delete", "execute", "trigger"]
    status_code: Annotated[int, msgspec.Meta(ge=100, le=599)]
    #: A number, written as it was read; `are_plain` looks at it, and at `metadata`.
    duration_ms: msgspec.Raw
    producer_id: Id
    seq: Count
    # Required, unlike the model's: the engine would put 0 for it.
    schema_version: Literal[1]
    workspace_id: Id | UnsetType | None = UNSET
    user_id: Id | UnsetType | None = UNSET
    app_id: Id | UnsetType | None = UNSET
    endpoint_id: Id | UnsetType | None = UNSET
    trace_id: Word | UnsetType | None = UNSET
    principal_type: Word | UnsetType | None = UNSET
    principal_id: Id | UnsetType | None = UNSET
    token_id: Id | UnsetType | None = UNSET
    token_type: Word | UnsetType | None = UNSET
    resource_type: Word | UnsetType | None = UNSET
    resource_id: Id | UnsetType | None = UNSET
    error_code: Word | UnsetType | None = UNSET
    execution_id: Id | UnsetType | None = UNSET
    augmentation_id: Id | UnsetType | None = UNSET
    stages_completed: Stage | UnsetType | None = UNSET
    total_stages: Stage | UnsetType | None = UNSET
    token_usage: TokenUsage | UnsetType = UNSET
    metadata: msgspec.Raw | UnsetType = UNSET
    success: bool | UnsetType = UNSET


class _Metadata(msgspec.Struct):
    """As it was sent: no number of it is to become another one."""

    metadata: msgspec.Raw = msgspec.Raw(b"{}")


_decode = msgspec.json.Decoder(FastEvent).decode
_decode_metadata = msgspec.json.Decoder(_Metadata).decode
_decode_durations = msgspec.json.Decoder(list[Duration]).decode
_decode_all_metadata = msgspec.json.Decoder(list[Metadata]).decode
_encode, _encode_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines


def are_plain(events: Sequence[FastEvent], lines: bytes) -> bool:
    """What the decoder has not looked at is right, too. Raises MsgspecError where it is not.
    `lines`: what they were read of, one a line."""
    _decode_durations(b"[%b]" % b",".join([event.duration_ms for event in events]))
    found = [event.metadata for event in events if event.metadata is not UNSET]
    metadata = b"[%b]" % b",".join(found)
    return names_all(metadata, _encode(_decode_all_metadata(metadata))) and is_all(
        lines, _encode_lines(events)
    )


def finds_metadata(value: bytes, event: FastEvent) -> bool:
    """The table takes for `metadata` what stands behind the first of its name (docs/adr/0016), byte
    for byte. Whether that is the event's own: a count in `token_usage` may be called so, too."""
    at = value.find(_METADATA)
    if event.metadata is UNSET:
        return at < 0
    end = at + len(_METADATA)
    if at >= 0 and value.startswith(event.metadata, end):
        return True
    # Only the event's own is an object, or is in it and therefore shorter.
    return at >= 0 and value[end:].lstrip(_SPACE).startswith(event.metadata)


class Reason(StrEnum):
    """Why a message is in the dead letters."""

    NULL_VALUE = "null_value"
    INVALID_UTF8 = "invalid_utf8"
    MALFORMED_JSON = "malformed_json"
    UNSUPPORTED_SCHEMA_VERSION = "unsupported_schema_version"
    INVALID_EVENT = "invalid_event"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"
    REFUSED_BY_CLICKHOUSE = "refused_by_clickhouse"
    #: Not a verdict: the client library could not read it, and the consumer stands before it.
    UNREADABLE = "unreadable"


class ValidEvent(msgspec.Struct, frozen=True, gc=False):
    """An event. `value`: its JSON object, as bytes; `id` and `timestamp` canonical."""

    id: str
    org_id: str
    timestamp: str
    value: bytes


@dataclass(frozen=True, slots=True)
class InvalidMessage:
    """Not an event. `detail` is for people."""

    reason: Reason
    detail: str


def validate(value: bytes | None, latest: datetime) -> ValidEvent | InvalidMessage:
    """`latest`: a timestamp after this one is a broken clock.

    Key and headers are not looked at: a key says where a message goes, its event says whose it is,
    and headers are a tracer's or a proxy's.
    """
    if value is None:
        return InvalidMessage(Reason.NULL_VALUE, "the message has no value")
    try:
        event = _decode(value)
        stamp = event.timestamp
        born = datetime.fromisoformat(stamp)
        value = value.strip(_SPACE)
        plain = (
            is_uuid7(event.id) is not None
            and is_utc(stamp) is not None
            and are_plain([event], value)
            and finds_metadata(value, event)
        )
    except (msgspec.MsgspecError, ValueError, RecursionError):
        plain = False
    if not plain:
        return _validate_slowly(value, latest)
    if born > latest:
        return _in_future(stamp)
    return ValidEvent(event.id, event.org_id, stamp, value)


def _validate_slowly(value: bytes, latest: datetime) -> ValidEvent | InvalidMessage:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return InvalidMessage(Reason.INVALID_UTF8, f"value: {error.reason} at byte {error.start}")
    try:
        event = ActivityEvent.model_validate_json(value)
        strict_json.check(value.decode())
    except ValidationError as error:
        return _rejected(error)
    except strict_json.NoNumberError as error:
        return InvalidMessage(Reason.MALFORMED_JSON, str(error))
    except strict_json.TwiceError as error:
        return InvalidMessage(Reason.INVALID_EVENT, _printable(error, 1000))
    if event.timestamp > latest:
        return _in_future(event.timestamp.isoformat())
    # Written anew: a number, the id or the time is not in the form that the engine reads, or that
    # is compared as text.
    stamp = event.timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    # `metadata` as it was sent, and first: so the table finds it.
    kept = bytes(_decode_metadata(value).metadata)
    others = event.model_copy(update={"metadata": {}}).to_json()
    # In a text these quotes would be escaped, and a count is no object: it stands there once.
    json = b"{%b%b,%b" % (_METADATA, kept, others.replace(_METADATA + b"{},", b"")[1:])
    return ValidEvent(str(event.id), event.org_id, stamp, json)


def _in_future(timestamp: str) -> InvalidMessage:
    return InvalidMessage(Reason.TIMESTAMP_IN_FUTURE, f"timestamp {timestamp} is too far ahead")


def _rejected(error: ValidationError) -> InvalidMessage:
    problems = error.errors(include_url=False, include_context=False)
    for problem in problems:
        if problem["type"] == "json_invalid":
            return InvalidMessage(Reason.MALFORMED_JSON, _printable(problem["msg"], 1000))
        if problem["loc"] == ("schema_version",):
            given = _printable(problem["input"], 40)
            return InvalidMessage(Reason.UNSUPPORTED_SCHEMA_VERSION, f"schema_version {given}")
    texts = [f"{'.'.join(map(str, p['loc'])) or 'event'}: {p['msg']}" for p in problems[:5]]
    return InvalidMessage(Reason.INVALID_EVENT, _printable("; ".join(texts), 1000))


def _printable(given: object, length: int) -> str:
    """What a producer wrote, fit for a log line and a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(given)[:length])
