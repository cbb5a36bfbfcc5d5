"""From fields to the Kafka record. Plain JSON of a dictionary: no model is built per request.

A property test holds that whatever comes out here is a valid `ActivityEvent`.
"""

import json
import math
import random
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from activity_emit.event.fields import EventFields
from activity_schemas.event import SCHEMA_VERSION, ActivityEvent

# The head of an event's JSON: these differ from event to event. The tail repeats where requests do.
_HEAD = ("schema_version", "id", "timestamp", "trace_id", "duration_ms", "producer_id", "seq")
_TAIL = frozenset(ActivityEvent.model_fields) - frozenset(_HEAD)
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class ProducerRecord(NamedTuple):
    """One Kafka message. `value` is one line: JSON without a newline, in ASCII."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class EncodedTail:
    """What the events of equal requests have in common: the record's key, the JSON's end."""

    key: bytes
    json: str


#: The JSON's beginning, up to the place of `producer_id`.
EventHead = str


class EncodedEvent(NamedTuple):
    """An event that lacks nothing but its number: from here on nothing can fail."""

    head: EventHead
    tail: EncodedTail


def encode_tail(fields: EventFields) -> EncodedTail:
    """Of cleaned fields (`fields.clean`). Raises ValueError for what JSON does not have."""
    event = {name: value for name, value in fields.items() if value is not None and name in _TAIL}
    event["success"] = fields["status_code"] < 400
    return EncodedTail(fields["org_id"].encode("utf-8"), _to_json(event)[1:])


def encode_head(timestamp_us: int, duration_ms: float, trace_id: str | None) -> EventHead:
    """Mints the event's id. Unix microseconds, milliseconds, 32 hex digits.

    Raises ValueError or OverflowError for a time that is none.
    """
    if not math.isfinite(duration_ms):
        raise ValueError("duration_ms is no number")
    trace = "" if trace_id is None else f'"trace_id":{_to_json(trace_id)},'
    return (
        f'{{"schema_version":{SCHEMA_VERSION},"id":"{_uuid7(timestamp_us // 1000)}"'
        f',"timestamp":"{rfc3339(timestamp_us)}",{trace}"duration_ms":{duration_ms!r}'
    )


def to_record(event: EncodedEvent, producer_id: str, seq: int) -> ProducerRecord:
    """The event with its number."""
    head, tail = event
    value = f'{head},"producer_id":{_quoted(producer_id)},"seq":{seq},{tail.json}'
    return ProducerRecord(tail.key, value.encode("ascii"))


@lru_cache(maxsize=16)
def _quoted(producer_id: str) -> str:
    return _to_json(producer_id)


def _uuid7(now_ms: int) -> str:
    """`activity_schemas.uuid7` as text, without the object and the system call: 1 µs and not 5.

    Python seeds `random` from the system's, anew in each forked child.
    """
    noise = random.getrandbits(74)
    front = f"{now_ms & 0xFFFFFFFFFFFF:012x}"
    back = f"{0x8000_000000000000 | noise & (1 << 62) - 1:016x}"
    return f"{front[:8]}-{front[8:]}-7{noise >> 62:03x}-{back[:4]}-{back[4:]}"


def rfc3339(timestamp_us: int) -> str:
    """Unix microseconds as `2026-01-02T03:04:05.000006Z`."""
    seconds, micros = divmod(timestamp_us, 1_000_000)
    return f"{_to_the_second(seconds)}.{micros:06d}Z"


@lru_cache(maxsize=16)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
