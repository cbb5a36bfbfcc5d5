"""Clients that mean no good: too large, too slow, never ending. Each on a connection of its own."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

_PIECE = 1 << 16
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`statuses`: of all answers, in their order. `closed_s`: seconds until the server had ended
    the connection; None: it had not when we gave up."""

    statuses: tuple[int, ...]
    answer: bytes
    closed_s: float | None

    @property
    def status(self) -> int | None:
        return self.statuses[0] if self.statuses else None


class Client:
    """One connection. What comes is read while it writes, as browsers and proxies do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.started = time.monotonic()
        self.answer = b""
        self._reader = reader
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> float:
        with contextlib.suppress(ConnectionError):
            while piece := await self._reader.read(_PIECE):
                self.answer += piece
        return time.monotonic() - self.started

    async def send(self, data: bytes) -> None:
        """All of it, or as much as the server takes."""
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(data), _PIECE):
                self.writer.write(data[at : at + _PIECE])
                await self.writer.drain()

    async def drip(self, data: bytes, every_s: float) -> None:
        """Byte by byte, until the server ends it."""
        for byte in data:
            if self._reading.done():
                return
            await self.send(bytes((byte,)))
            await asyncio.wait((self._reading,), timeout=every_s)

    async def until_closed(self, patience_s: float) -> Outcome:
        await asyncio.wait((self._reading,), timeout=patience_s)
        closed = self._reading.result() if self._reading.done() else None
        statuses = tuple(map(int, _STATUS.findall(self.answer)))
        return Outcome(statuses, self.answer, closed)

    async def close(self) -> None:
        self._reading.cancel()
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield client
    finally:
        await client.close()


async def attack(
    port: int, data: bytes, patience_s: float, *, drip: bytes = b"", every_s: float = 1
) -> Outcome:
    """Send `data`, then drip, then wait."""
    async with connected(port) as client:
        await client.send(data)
        await client.drip(drip, every_s)
        left = patience_s - (time.monotonic() - client.started)
        return await client.until_closed(max(left, 0))


class Neighbour:
    """Somebody who asks for a page again and again, and notes how long each answer took."""

    def __init__(self, port: int, request: bytes, is_good: Callable[[bytes], bool]) -> None:
        self._port = port
        self._request = request
        self._is_good = is_good
        self.seconds: list[float] = []
        self.failures = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    while True:
                        await self._ask(reader, writer)
                        await asyncio.sleep(0.005)
                finally:
                    writer.close()
            self.failures += 1

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started = time.monotonic()
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        self.seconds.append(time.monotonic() - started)
        self.failures += not self._is_good(head)
