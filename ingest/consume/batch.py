"""What goes from one partition into the table by one insert, and to the dead letters."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from ingest.consume.judge import Accepted, Reason


@dataclass(frozen=True, slots=True)
class Source:
    """A partition of a topic, as ClickHouse's columns `_topic` and `_partition` name it."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


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
    def headers(self) -> tuple[tuple[str, bytes | None], ...]: ...


class Row(msgspec.Struct, frozen=True, gc=False):
    """An event, and the message it came in (a Record): without aiokafka's own, which is larger, so
    that more rows have room. `json`: what is written, most often the very bytes of `value`.
    `ask`: only the table knows whether it has been taken before; what it has to be asked with.
    """

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    id: str
    json: bytes
    ask: Accepted | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that is no event, and why. `detail` is for people."""

    source: Source
    record: Record
    reason: Reason
    detail: str


@dataclass(slots=True)
class Batch:
    """Every offset in `[base_offset, next_offset)`: a row, a dead letter, or settled already."""

    base_offset: int
    next_offset: int
    rows: list[Row] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    #: Ids of `rows` that ask; they are not in the window of ids.
    asking: set[str] = field(default_factory=set)
    size: int = 0
    #: Events that were here already, under the same id.
    duplicates: int = 0


#: One piece of an insert's body, bytes.
_PIECE = 1 << 20


def json_each_row(
    source: Source, base_offset: int, lease_ms: int, rows: list[Row]
) -> Iterator[bytes]:
    """The body of `INSERT ... FORMAT JSONEachRow`, in pieces: the producer's bytes as they are,
    with the columns that say where they came from spliced in front."""
    head = (
        f'{{"_topic":"{source.topic}","_partition":{source.partition},"_base_offset":{base_offset},'
        f'"_lease":{lease_ms / 1000:.3f},"_offset":'
    ).encode()
    piece: list[bytes] = []
    size = 0
    for row in rows:
        piece += (head, b"%d," % row.offset, row.json[1:], b"\n")
        size += len(row.json)
        if size > _PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)
