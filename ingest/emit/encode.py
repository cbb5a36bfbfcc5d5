"""From facts to the Kafka message. Plain JSON of a dictionary: no model is built per request.

That whatever comes out here is a valid `schemas.event.ActivityEvent` is held by a property test.
"""

import json
import random
import time
from dataclasses import dataclass
from functools import lru_cache

from ingest.emit.types import Facts
from schemas.event import SCHEMA_VERSION, ActivityEvent

_FIELDS = frozenset(ActivityEvent.model_fields) - {
    *("schema_version", "id", "timestamp", "producer_id", "seq")
}
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Message:
    """One Kafka message. `value` is one line: JSON without a newline, in ASCII."""

    key: bytes
    value: bytes


def encode(facts: Facts, producer_id: str, seq: int) -> Message:
    """The message of cleaned facts (`redact.clean`); mints the event's id.

    `timestamp_us`: Unix microseconds. Fields the event does not have are left out.
    """
    timestamp_us: int = facts["timestamp_us"]
    status: int = facts["status_code"]
    event: Facts = {
        "schema_version": SCHEMA_VERSION,
        "id": _uuid7(timestamp_us // 1000),
        "timestamp": rfc3339(timestamp_us),
    }
    for name, value in facts.items():
        if value is not None and name in _FIELDS:
            event[name] = value
    event["producer_id"] = producer_id
    event["seq"] = seq
    event["success"] = status < 400
    return Message(facts["org_id"].encode("utf-8"), _to_json(event).encode("ascii"))


def _uuid7(now_ms: int) -> str:
    """`schemas.uuid7` as text, without the object and the system call: 1 µs and not 5.

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
