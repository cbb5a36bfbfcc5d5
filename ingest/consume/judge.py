"""Is this message an event? Cheaply on the good path, with the exact reason on the bad one.

The good path reads the JSON once with msgspec, which makes almost no Python objects, and hands the
producer's own bytes on. Whatever is not plainly right goes through the event's model, which has the
last word, and is written anew: the good path may refuse what the model accepts, never the other way
round (tests/unit/test_consume_judge.py).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from pydantic import ValidationError

from schemas.event import ActivityEvent

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Stage = Annotated[int, msgspec.Meta(ge=0, le=65535)]
# Only the canonical forms: ids are compared as text, and so are times. (`$` and `\d` would let a
# line end and other scripts' digits pass.)
is_uuid7 = re.compile(
    r"\A[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z"
).match
is_utc = re.compile(
    r"\A2[01][0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z\Z"
).match

# Deeper metadata take the slow path: the model's JSON parser ends at a depth of 200, msgspec at
# Python's 1000, and to look at the depth afterwards would take half as long as reading the whole.
_Depth0 = str | int | float | bool | None
_Depth1 = _Depth0 | list[_Depth0] | dict[str, _Depth0]
_Depth2 = _Depth0 | list[_Depth1] | dict[str, _Depth1]
Metadata = dict[str, _Depth0 | list[_Depth2] | dict[str, _Depth2]]

_NO_USAGE = msgspec.Raw(b"{}")


class FastEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ActivityEvent`, as strict or stricter.

    A field it does not know costs the slow path: msgspec does not look into it (bytes that are no
    text, depth), and the engine may take it for a column (`_offset`, `Org_Id`).
    """

    #: `judge` looks at their forms: a pattern is slow in msgspec.
    id: str
    timestamp: str
    org_id: Id
    method: Word
    path: Annotated[str, msgspec.Meta(max_length=4096)]
    action: Literal["create", "read", "update", "delete", "execute", "trigger"]
    status_code: Annotated[int, msgspec.Meta(ge=100, le=599)]
    duration_ms: Annotated[float, msgspec.Meta(ge=0, le=1e15)]
    producer_id: Id
    seq: Count
    # Required, unlike the model's: the engine would put 0 for it.
    schema_version: Literal[1]
    workspace_id: Id | None = None
    user_id: Id | None = None
    app_id: Id | None = None
    endpoint_id: Id | None = None
    trace_id: Word | None = None
    principal_type: Word | None = None
    principal_id: Id | None = None
    token_id: Id | None = None
    token_type: Word | None = None
    resource_type: Word | None = None
    resource_id: Id | None = None
    error_code: Word | None = None
    execution_id: Id | None = None
    augmentation_id: Id | None = None
    stages_completed: Stage | None = None
    total_stages: Stage | None = None
    # Read by itself: a key that stands there twice is twice in the engine's Map, and in its sum.
    token_usage: msgspec.Raw = _NO_USAGE
    metadata: Metadata = {}
    success: bool = True


TokenUsage = dict[Word, Count]

_decode = msgspec.json.Decoder(FastEvent).decode
_decode_usage = msgspec.json.Decoder(TokenUsage).decode


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


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """An event. `value`: its JSON object, as bytes; `id` and `timestamp` canonical."""

    id: str
    org_id: str
    timestamp: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not an event. `detail` is for people."""

    reason: Reason
    detail: str


def judge(value: bytes | None, latest: datetime) -> Accepted | Rejected:
    """`latest`: a timestamp after this one is a broken clock.

    Key and headers are not looked at: a key says where a message goes, its event says whose it is,
    and headers are a tracer's or a proxy's.
    """
    if value is None:
        return Rejected(Reason.NULL_VALUE, "the message has no value")
    try:
        event = _decode(value)
        stamp = event.timestamp
        born = datetime.fromisoformat(stamp)
        plain = bool(is_uuid7(event.id) and is_utc(stamp)) and usage_is_plain(event)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        plain = False
    if not plain:
        return _judge_slowly(value, latest)
    if born > latest:
        return _in_future(stamp)
    return Accepted(event.id, event.org_id, stamp, value.strip())


def usage_is_plain(event: FastEvent) -> bool:
    """Each name is there once: there are as many colons as names. Raises MsgspecError."""
    if event.token_usage is _NO_USAGE:
        return True
    usage = bytes(event.token_usage)
    return usage.count(b":") == len(_decode_usage(usage))


def _judge_slowly(value: bytes, latest: datetime) -> Accepted | Rejected:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return Rejected(Reason.INVALID_UTF8, f"value: {error.reason} at byte {error.start}")
    try:
        event = ActivityEvent.model_validate_json(value)
    except ValidationError as error:
        return _rejected(error)
    if event.timestamp > latest:
        return _in_future(event.timestamp.isoformat())
    # Written anew, because its id or its time is not in the form that is compared as text.
    stamp = event.timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Accepted(str(event.id), event.org_id, stamp, event.to_json())


def _in_future(timestamp: str) -> Rejected:
    return Rejected(Reason.TIMESTAMP_IN_FUTURE, f"timestamp {timestamp} is too far ahead")


def _rejected(error: ValidationError) -> Rejected:
    problems = error.errors(include_url=False, include_context=False)
    for problem in problems:
        if problem["type"] == "json_invalid":
            return Rejected(Reason.MALFORMED_JSON, _printable(problem["msg"], 1000))
        if problem["loc"] == ("schema_version",):
            given = _printable(problem["input"], 40)
            return Rejected(Reason.UNSUPPORTED_SCHEMA_VERSION, f"schema_version {given}")
    texts = [f"{'.'.join(map(str, p['loc'])) or 'event'}: {p['msg']}" for p in problems[:5]]
    return Rejected(Reason.INVALID_EVENT, _printable("; ".join(texts), 1000))


def _printable(given: object, length: int) -> str:
    """What a producer wrote, fit for a log line and a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(given)[:length])
