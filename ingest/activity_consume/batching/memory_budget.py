"""What all partitions together may keep in memory, and how many of them insert at a time."""

import asyncio


class Room:
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
