"""The body of an insert: the producers' bytes as they are, and where they came from."""

from collections.abc import Iterable, Iterator

from activity_consume.batching.rows import PackedRows, Row
from activity_consume.record import TopicPartition

#: One piece of an insert's body, bytes.
_PIECE = 1 << 20


def json_each_row(
    partition: TopicPartition, base_offset: int, lease_ms: int, rows: Iterable[Row | PackedRows]
) -> Iterator[bytes]:
    """The body of `INSERT ... FORMAT JSONEachRow`, in pieces: each event's own bytes, with the
    columns that say where it came from put in front."""
    head = (
        f'{{"_topic":"{partition.label}","_partition":{partition.partition},'
        f'"_base_offset":{base_offset},"_lease":{lease_ms / 1000:.3f},"_offset":'
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
