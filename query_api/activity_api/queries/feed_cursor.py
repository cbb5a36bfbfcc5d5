"""Where a reader of the feed stands: the last offset it was given of each partition."""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from activity_api.queries.cursor import NOT_OURS, CursorError
from activity_api.queries.sealed import seal, unseal

_VERSION = 2
_HEAD = struct.Struct(">BQ8s")  # version, seconds since 1970 when it was given, filter
_ENTRY = struct.Struct(">8sHQ")


class Place(NamedTuple):
    """A partition as the table names it, the topic by 8 bytes of its hash."""

    topic: bytes
    partition: int

    @classmethod
    def of(cls, topic: str, partition: int) -> "Place":
        digest = hashlib.blake2b(topic.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return cls(digest, partition)


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """No entry for a partition: nothing of it was given yet. `given_at`: seconds since 1970."""

    offsets: Mapping[Place, int] = field(default_factory=lambda: MappingProxyType({}))
    given_at: int = 0

    def last(self, place: Place) -> int:
        """The last offset that was given of a partition; -1: none."""
        return self.offsets.get(place, -1)

    def passes(self, place: Place, offset: int) -> bool:
        """What stands there was given, or passed over."""
        return offset <= self.last(place)

    def seal(self, key: bytes, fingerprint: bytes) -> str:
        """The text for `next_cursor`: signed, good for the filter with this fingerprint alone."""
        entries = (_ENTRY.pack(*place, offset) for place, offset in sorted(self.offsets.items()))
        return seal(_HEAD.pack(_VERSION, self.given_at, fingerprint) + b"".join(entries), key)

    @classmethod
    def open(cls, text: str, key: bytes, fingerprint: bytes) -> "FeedCursor":
        """Read what `seal` wrote. Raises CursorError."""
        payload = unseal(text, key)
        if payload is None or len(payload) < _HEAD.size or payload[0] != _VERSION:
            raise CursorError(NOT_OURS)
        _, given_at, of = _HEAD.unpack_from(payload)
        if of != fingerprint:
            raise CursorError(
                "The cursor belongs to another org or other filters: repeat those it was given for,"
                " or begin without it"
            )
        entries = _ENTRY.iter_unpack(payload[_HEAD.size :])
        return cls({Place(topic, number): offset for topic, number, offset in entries}, given_at)
