"""What all partitions together may keep in memory, and how many of them insert at a time."""

import asyncio

from activity_consume.batching.rows import PackedRows
from activity_consume.record import Headers, Record


class MemoryBudget:
    """Bytes that wait, packed, from when they are taken until they are settled."""

    def __init__(self, limit: int, turns: int) -> None:
        """`limit`: bytes. `turns`: inserts on the way at a time."""
        self._limit = limit
        self._used = 0
        self._free = asyncio.Event()
        self._free.set()
        #: Held from when a batch is closed until its insert is confirmed, or is in trouble.
        self.turns = asyncio.Semaphore(turns)

    @property
    def used(self) -> int:
        """Bytes that wait."""
        return self._used

    @property
    def is_full(self) -> bool:
        """Nothing more should be taken."""
        return self._used > self._limit

    async def wait(self) -> None:
        """Until it is not full."""
        await self._free.wait()

    def take(self, size: int) -> None:
        """Bytes that have come."""
        self._used += size
        if self.is_full:
            self._free.clear()

    def give_back(self, size: int) -> None:
        """Bytes that have gone."""
        self._used -= size
        if not self.is_full:
            self._free.set()

    def empty(self) -> None:
        """All has gone: whoever waits goes on."""
        self._used = 0
        self._free.set()


def size_of_packed(rows: PackedRows) -> int:
    """What they cost in memory, roughly: nearly always a few short keys, and no headers."""
    size = len(rows.frame) + len(rows) * _PACKED_OVERHEAD
    size += sum(map(len, filter(None, {*rows.keys})))
    return size + sum(map(_size_of_headers, filter(None, rows.headers)))


def size_around(record: Record) -> int:
    """What a record by itself costs in memory beside its value, roughly."""
    return _ROW_OVERHEAD + len(record.key or b"") + _size_of_headers(record.headers)


def _size_of_headers(headers: Headers) -> int:
    return sum(len(name) + len(content or b"") + _HEADER_OVERHEAD for name, content in headers)


# Packed: an event's id in the window, and its numbers. Else also itself, and its message.
_PACKED_OVERHEAD = 200
_HEADER_OVERHEAD = 150
_ROW_OVERHEAD = 1000
