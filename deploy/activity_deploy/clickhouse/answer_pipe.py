"""A statement's answer while it is made: the engine writes it into a pipe, as it would into a file.

chDB has a streaming result of its own, in which each block is a whole document: only formats
without a head, a foot or a comma between rows can be put together from those. What goes INTO
OUTFILE is the answer as a server makes it, in any format, and a pipe holds 64 KiB of it.
"""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Iterator

from activity_deploy.clickhouse.errors import refused

_PIECE_BYTES = 1 << 18
# Of a server, before its first byte is sent: until then an error has a status of its own.
BUFFER_BYTES = 1 << 20


class AnswerPipe:
    """It is read by the event loop up to its first `limit` bytes, and by a thread from there on."""

    def __init__(self) -> None:
        """Raises EngineError where no more files can be open."""
        try:
            self._reader, self._writer = os.pipe()
        except OSError as error:
            raise refused(71, "CANNOT_PIPE", f"Cannot create a pipe: {error.strerror}") from None
        os.set_blocking(self._reader, False)
        self._lock = threading.Lock()
        self._head = bytearray()
        self._limit = 0
        self._loop = asyncio.get_running_loop()
        #: Set when there is more than is waited for.
        self.filled: asyncio.Future[None] = self._loop.create_future()

    @property
    def path(self) -> str:
        """Where the engine can open it."""
        folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
        return f"{folder}/{self._writer}"

    def collect(self, limit: int) -> None:
        """Read on until there are `limit` bytes; 0: until the end."""
        self._limit = limit
        self._loop.add_reader(self._reader, self._read)

    def end(self) -> None:
        """The statement is over; by the thread that ran it."""
        with self._lock:
            writer, self._writer = self._writer, -1
        if writer >= 0:
            os.close(writer)

    def whole(self) -> bytes:
        """All of it, once the statement is over."""
        self.end()
        self._loop.remove_reader(self._reader)
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self._reader, _PIECE_BYTES):
                self._head += piece
        head, self._head = self._head, bytearray()
        return bytes(head)

    def detach(self) -> None:
        """From here on `pieces` is read, by another thread."""
        self._loop.remove_reader(self._reader)
        os.set_blocking(self._reader, True)

    def pieces(self) -> Iterator[bytes]:
        """What was collected and what comes, in pieces of some size. Blocks; after `detach`."""
        waiting, self._head = [bytes(self._head)], bytearray()
        size = len(waiting[0])
        while True:
            if size >= _PIECE_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
            piece = os.read(self._reader, _PIECE_BYTES)
            if not piece:
                break
            waiting.append(piece)
            size += len(piece)
        if size:
            yield b"".join(waiting)

    def drain(self) -> None:
        """Take the rest, so that a stopped statement comes to its end. Blocks; after `detach`."""
        while os.read(self._reader, _PIECE_BYTES):
            pass

    def close(self) -> None:
        """When nobody reads or writes it any more."""
        self._loop.remove_reader(self._reader)
        self.end()
        os.close(self._reader)

    def _read(self) -> None:
        piece = b""
        with contextlib.suppress(BlockingIOError):
            piece = os.read(self._reader, _PIECE_BYTES)
            if not piece:
                self._loop.remove_reader(self._reader)
        self._head += piece
        if 0 < self._limit <= len(self._head):
            self._loop.remove_reader(self._reader)
            if not self.filled.done():
                self.filled.set_result(None)
