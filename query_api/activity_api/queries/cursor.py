"""The opaque cursor: where a pagination stands, and what it keeps from its first page."""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from activity_api.queries.sealed import seal, unseal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)
# Version; position: microseconds and id; total; milliseconds of the pagination's start, and of what
# the table was complete through (0: unknown); fingerprint.
_FIELDS = struct.Struct(">Bq16sQqq8s")
_VERSION = 1

NOT_OURS = "Not a cursor of this API: pass next_cursor on as it was given"


class Fingerprinted(Protocol):
    """A filter."""

    def fingerprint(self) -> bytes:
        """8 bytes that another filter does not have."""


class CursorError(ValueError):
    """The cursor is not this API's, or of another filter; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row shown, as `(timestamp, id)`; the next page begins below it.

    `total` was counted on the first page. `as_of`: the engine's time then, to the millisecond; rows
    that came in later stay out of its pages, wherever in time they belong. `complete_through`: all
    that Kafka had accepted by then is in them; None where that was not known.
    """

    timestamp: datetime
    id: UUID
    total: int
    as_of: datetime
    complete_through: datetime | None = None

    def seal(self, key: bytes, filter_: Fingerprinted) -> str:
        """The text for `next_cursor`: URL-safe, signed, good for this filter alone."""
        payload = _FIELDS.pack(
            _VERSION,
            (self.timestamp - _EPOCH) // _MICROSECOND,
            self.id.bytes,
            self.total,
            (self.as_of - _EPOCH) // _MILLISECOND,
            ((self.complete_through or _EPOCH) - _EPOCH) // _MILLISECOND,
            filter_.fingerprint(),
        )
        return seal(payload, key)

    @classmethod
    def open(cls, text: str, key: bytes, filter_: Fingerprinted) -> "Cursor":
        """Read what `seal` wrote. Raises CursorError."""
        payload = unseal(text, key)
        # The feed's cursors are signed with the same key.
        if payload is None or len(payload) != _FIELDS.size or payload[0] != _VERSION:
            raise CursorError(NOT_OURS)
        _, micros, id_, total, as_of, through, fingerprint = _FIELDS.unpack(payload)
        if fingerprint != filter_.fingerprint():
            raise CursorError(
                "The cursor belongs to other filters: repeat those of its page, or begin without it"
            )
        return cls(
            timestamp=_EPOCH + timedelta(microseconds=micros),
            id=UUID(bytes=id_),
            total=total,
            as_of=_EPOCH + timedelta(milliseconds=as_of),
            complete_through=_EPOCH + timedelta(milliseconds=through) if through else None,
        )
