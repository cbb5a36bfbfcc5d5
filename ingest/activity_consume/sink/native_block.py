"""The body of an insert: the producers' bytes as they are, and where they came from."""

import struct
import sys
from array import array
from collections.abc import Iterator, Sequence

from activity_consume.batching.rows import PackedRows, Row
from activity_consume.record import TopicPartition

#: What is inserted; the table takes its other columns out of `message` (docs/adr/0016).
COLUMNS = {
    "message": "String",
    "_offset": "UInt64",
    "_topic": "String",
    "_partition": "UInt16",
    "_base_offset": "UInt64",
    "_lease": "DateTime64(3, 'UTC')",
}

#: One piece of an insert's body, bytes.
_PIECE = 1 << 20


def native_block(
    partition: TopicPartition, base_offset: int, lease_ms: int, rows: Sequence[Row | PackedRows]
) -> Iterator[bytes]:
    """The body of `INSERT ... FORMAT Native`, in pieces: one block of COLUMNS. Column by column, so
    what is the same in all rows costs nothing. `rows`: at least one."""
    count = sum(len(one) if isinstance(one, PackedRows) else 1 for one in rows)
    yield _length(len(COLUMNS)) + _length(count)
    yield _head("message")
    offsets = array("Q")
    piece: list[bytes] = []
    size = 0
    for one in rows:
        for offset, message in one.values():
            offsets.append(offset)
            long = len(message)
            # Of up to 16 KiB, that is nearly any, it is looked up.
            piece += (_LENGTHS[long] if long < len(_LENGTHS) else _length(long), message)
            size += long
        if size > _PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    yield b"".join(piece)
    if sys.byteorder == "big":
        offsets.byteswap()
    yield _head("_offset") + offsets.tobytes()
    label = partition.label.encode()
    same = {
        "_topic": _length(len(label)) + label,
        "_partition": struct.pack("<H", partition.partition),
        "_base_offset": struct.pack("<Q", base_offset),
        "_lease": struct.pack("<q", lease_ms),
    }
    for name, value in same.items():
        yield _head(name) + value * count


def _length(number: int) -> bytes:
    """An unsigned number as LEB128, of which a text's length is."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _head(name: str) -> bytes:
    texts = (text.encode() for text in (name, COLUMNS[name]))
    return b"".join(_length(len(text)) + text for text in texts)


_LENGTHS = [_length(number) for number in range(1 << 14)]
