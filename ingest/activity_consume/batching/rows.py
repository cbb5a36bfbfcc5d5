"""Events on their way into the table: one by one, or many that are written as they came."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec
import zstandard

from activity_consume.validation.validate import Accepted

Headers = tuple[tuple[str, bytes | None], ...]


class Record(Protocol):
    """A message, as aiokafka hands it over: what is used of it. `timestamp`: Unix milliseconds."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Row(msgspec.Struct, frozen=True, gc=False):
    """An event, and the message it came in (a Record). `json`: what is written.
    `ask`: only the table knows whether it has been taken before; what it has to be asked with.
    """

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    id: str
    json: bytes
    ask: Accepted | None = None

    def values(self) -> list[tuple[int, bytes]]:
        """Offset and JSON, as of a Chunk."""
        return [(self.offset, self.json)]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events whose values are their JSON, each from `{` to `}` and on one line.

    Nearly all that waits in memory is in here: so there is no object for each event, and the lines
    are packed, to a fifth, for 1.6 us of an event's time. A batch can be several times as large for
    it, which saves the engine more than that in merges. The lists are as long as there are lines,
    `headers` also empty if nothing has any; `skipped` are the positions of those that are not of
    the chunk.
    """

    packed: bytes
    offsets: Sequence[int]
    timestamps: Sequence[int]
    keys: Sequence[bytes | None]
    headers: Sequence[Headers] = ()
    skipped: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.offsets) - len(self.skipped)

    def values(self) -> list[tuple[int, bytes]]:
        """Offset and JSON of each."""
        pairs = [*zip(self.offsets, _unpack(self.packed).split(b"\n"), strict=True)]
        for position in sorted(self.skipped, reverse=True):
            del pairs[position]
        return pairs

    def rows(self) -> list[Row]:
        """One by one, where that is needed."""
        lines = _unpack(self.packed).split(b"\n")
        headers = self.headers or [()] * len(lines)
        columns = zip(self.offsets, self.timestamps, self.keys, lines, headers, strict=True)
        return [
            Row(offset, timestamp, key, value, around, _read_id(value).id, value)
            for position, (offset, timestamp, key, value, around) in enumerate(columns)
            if position not in self.skipped
        ]

    def without(self, offsets: set[int]) -> "Chunk":
        """Without those that are in the table."""
        found = {place for place, offset in enumerate(self.offsets) if offset in offsets}
        return replace(self, skipped=self.skipped | found)


# Level 1 packs to an eighth, for 0.6 us more.
_compress = zstandard.ZstdCompressor(level=-3).compress
_unpack = zstandard.ZstdDecompressor().decompress


def pack(lines: bytes) -> bytes:
    """For a Chunk."""
    # zstandard's own result keeps the memory that incompressible bytes would have needed.
    return bytes(memoryview(_compress(lines)))


class _Id(msgspec.Struct, gc=False):
    id: str


_read_id = msgspec.json.Decoder(_Id).decode


def without(rows: Iterable[Row | Chunk], offsets: set[int]) -> list[Row | Chunk]:
    """The events that are not in the table."""
    left: list[Row | Chunk] = []
    for one in rows:
        if isinstance(one, Row):
            left += [one] if one.offset not in offsets else []
        elif len(chunk := one.without(offsets)):
            left.append(chunk)
    return left


def halves(rows: Sequence[Row | Chunk]) -> tuple[Sequence[Row | Chunk], Sequence[Row | Chunk]]:
    """Two parts that together are the whole; a chunk alone is taken apart into its rows."""
    if len(rows) == 1 and isinstance(rows[0], Chunk):
        rows = rows[0].rows()
    middle = len(rows) // 2
    return rows[:middle], rows[middle:]
