"""Drafts: what a request hands over, as bytes.

Bytes, because a thousand waiting objects make the garbage collector look at all of the service's
every few thousand requests, and because they go to the forwarder as they are. `marshal` writes them
in a microsecond; only this very interpreter and code read them again.
"""

import marshal
from collections.abc import Callable
from typing import Any, NamedTuple

from ingest.emit.encode import Message
from ingest.emit.types import Facts

Draft = bytes


class Snapshot(NamedTuple):
    """One finished exchange in plain values."""

    timestamp_us: int
    method: str
    path: str
    root_path: str
    path_params: dict[str, Any]
    traceparents: list[bytes]
    query_string: bytes
    status_code: int
    error_code: str | None
    duration_ms: float
    noted: Facts  # facts of the exchange that go to `metadata`
    principal: tuple[Any, ...] | None
    added: Facts  # by the handler


class Committed:
    """A draft whose sender waits: `stored` is called from the publisher's thread."""

    __slots__ = ("draft", "stored")

    def __init__(self, draft: Draft, stored: Callable[[], None]) -> None:
        self.draft, self.stored = draft, stored


def pack(value: tuple[Any, ...] | Facts) -> Draft:
    """Of a snapshot's fields, a job's facts, or a message's key and value.

    Raises ValueError for objects other than plain values.
    """
    return marshal.dumps(value)


def unpack(draft: Draft) -> Snapshot | Facts | Message:
    """What `pack` was given."""
    value = marshal.loads(draft)  # noqa: S302 - written by `pack`, by us or by our own parent
    if isinstance(value, dict):
        return value
    return Message(*value) if len(value) == len(Message.__slots__) else Snapshot(*value)
