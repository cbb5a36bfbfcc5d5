"""Bytes on their way through: they are counted and read, and something is put between them."""

import contextlib
from collections.abc import Iterator

_VARINT_BYTES = 10


class Passing:
    """What is read of `pieces` goes on to `out`, in order, with what is inserted."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._data = b""
        self._at = 0  # what is next
        self._sent = 0  # of `_data`, that has gone on
        self.out: list[bytes] = []

    @property
    def at_end(self) -> bool:
        """Nothing more comes."""
        while self._at >= len(self._data):
            if not self._next():
                return self._at == len(self._data)
        return False

    def comes(self, data: bytes) -> bool:
        """It comes next; what comes is not passed."""
        with contextlib.suppress(EOFError):
            self._have(len(data))
        return self._data.startswith(data, self._at)

    def swap(self, old: bytes, new: bytes) -> None:
        """Put `new` in the place of `old`, which comes next."""
        self.insert(new)
        self._at += len(old)
        self._sent = self._at

    def insert(self, data: bytes) -> None:
        """Put it between what has been read and what comes next."""
        self._pass()
        self.out.append(data)

    def drain(self) -> list[bytes]:
        """All that has been read and inserted since the last time."""
        self._pass()
        out, self.out = self.out, []
        return out

    def rest(self) -> Iterator[bytes]:
        """What comes, as it comes, from the last byte on that was passed whole."""
        yield self._data[self._sent :]
        self._data, self._at, self._sent = b"", 0, 0
        yield from self._pieces

    def skip(self, count: int) -> None:
        """So many bytes. Raises EOFError."""
        self._at += count
        self._catch_up()

    def take(self, count: int) -> bytes:
        """The same, to be looked at."""
        self._have(count)
        start, self._at = self._at, self._at + count
        return self._data[start : self._at]

    def number(self, size: int) -> int:
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def varint(self) -> int:
        """ClickHouse's VarUInt."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def string(self) -> bytes:
        """One that has its length before it."""
        return self.take(self.varint())

    def strings(self, count: int) -> None:
        """So many of them, unread. The one loop that takes time: it runs once per value."""
        data, at, end = self._data, self._at, len(self._data)
        for _ in range(count):
            if at + _VARINT_BYTES > end:
                self._at = at
                self._catch_up()
                length = self.varint()
                data, at, end = self._data, self._at, len(self._data)
                at += length
                continue
            length = data[at]
            at += 1
            if length > 0x7F:
                length &= 0x7F
                shift = 7
                while data[at] > 0x7F:
                    length |= (data[at] & 0x7F) << shift
                    shift += 7
                    at += 1
                length |= data[at] << shift
                at += 1
            at += length
        self._at = at
        self._catch_up()

    def _have(self, count: int) -> None:
        while len(self._data) - self._at < count:
            if not self._next():
                raise EOFError

    def _catch_up(self) -> None:
        while self._at > len(self._data):
            if not self._next():
                raise EOFError

    def _next(self) -> bool:
        """Read on; what has been passed of the old piece goes on."""
        piece = next(self._pieces, b"")
        if not piece:
            return False
        passed = min(self._at, len(self._data))
        if passed > self._sent:
            self.out.append(self._data[self._sent : passed])
        self._at -= passed
        self._data = self._data[passed:] + piece
        self._sent = 0
        return True

    def _pass(self) -> None:
        self.out.append(self._data[self._sent : self._at])
        self._sent = self._at
