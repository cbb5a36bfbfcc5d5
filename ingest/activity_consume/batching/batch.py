"""What goes from one partition into the table by one insert, and to the dead letters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from activity_consume.batching.rows import Chunk, Record, Row
from activity_consume.validation.validate import Reason


@dataclass(frozen=True, slots=True)
class Source:
    """A partition of a topic; `label` and `partition` are the columns `_topic` and `_partition`."""

    topic: str
    partition: int
    #: How often another topic was accepted under this name (topic_guard.py). Of one process: the
    #: same for all partitions, so it tells no two of them apart.
    generation: int = field(default=0, compare=False)

    @property
    def label(self) -> str:
        """The topic as the tables name it: no row of a former topic of that name is meant."""
        return f"{self.topic}#{self.generation}" if self.generation else self.topic

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


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
    #: Events to be written as they came, and all others.
    chunks: list[Chunk] = field(default_factory=list)
    singles: list[Row] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    #: Ids of `singles` that ask; they are not in the window of ids.
    asking: set[str] = field(default_factory=set)
    #: Events that are here or in the batch before under the same id, by it: they are duplicates,
    #: unless that one is refused.
    copies: dict[str, list[Row]] = field(default_factory=dict)
    #: Events in `chunks` and `singles`.
    count: int = 0
    #: Bytes in memory, roughly.
    size: int = 0
    #: Events that were here already, under the same id.
    duplicates: int = 0

    @property
    def rows(self) -> list[Row]:
        """All events one by one, in the order of their offsets."""
        rows = [row for chunk in self.chunks for row in chunk.rows()]
        return sorted([*rows, *self.singles], key=lambda row: row.offset)


#: One piece of an insert's body, bytes.
_PIECE = 1 << 20


def json_each_row(
    source: Source, base_offset: int, lease_ms: int, rows: Iterable[Row | Chunk]
) -> Iterator[bytes]:
    """The body of `INSERT ... FORMAT JSONEachRow`, in pieces: the producer's bytes as they are,
    with the columns that say where they came from spliced in front."""
    head = (
        f'{{"_topic":"{source.label}","_partition":{source.partition},"_base_offset":{base_offset},'
        f'"_lease":{lease_ms / 1000:.3f},"_offset":'
    ).encode()
    piece: list[bytes] = []
    size = 0
    for one in rows:
        for offset, json in one.values():
            piece += (head, b"%d," % offset, json[1:], b"\n")
            size += len(json)
        if size > _PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)
