"""A TCP proxy that knows the steps of what passes through it, and can be told to break one."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

HOST = "127.0.0.1"


@dataclass(slots=True)
class Piece:
    """Bytes to hand on together; `before`, `after`: the step that handing them on is about."""

    data: bytes
    before: str = ""
    after: str = ""


class Wire(Protocol):
    """Cuts one connection's streams into pieces."""

    def from_client(self, data: bytes) -> list[Piece]: ...

    def from_server(self, data: bytes) -> list[Piece]: ...


@dataclass(slots=True)
class Connection:
    """Both ends. After `cut` nothing passes any more."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_cut: bool = False

    def cut(self) -> None:
        """Reset both sides: what was not handed on is lost."""
        self.is_cut = True
        for writer in (self.client, self.server):
            writer.transport.abort()


@dataclass(slots=True)
class Trap:
    """At the `nth` time of `step`, on any connection, `action` runs; the piece waits for it."""

    step: str
    action: Callable[[Connection], Awaitable[None]]
    nth: int = 1
    sprung: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_by(self, step: str, connection: Connection) -> None:
        if step != self.step or self.sprung.is_set():
            return
        self.nth -= 1
        if self.nth == 0:
            self.sprung.set()
            await self.action(connection)


class Proxy:
    """Listens on a port of its own; each connection goes to `target_port`, while that is there."""

    def __init__(self, target_port: Callable[[], int], protocol: Callable[[], Wire]) -> None:
        self._target_port = target_port
        self._protocol = protocol
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.traps: list[Trap] = []
        #: What each piece waits for at a step.
        self.drags: dict[str, Callable[[], Awaitable[object]]] = {}
        #: How often each step was passed.
        self.passed: Counter[str] = Counter()

    async def start(self, port: int) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def arm(self, trap: Trap) -> Trap:
        self.traps.append(trap)
        return trap

    def drag(self, step: str, wait: Callable[[], Awaitable[object]]) -> None:
        """From now on every piece waits at `step`, each connection's in their order."""
        self.drags[step] = wait

    def slow(self, step: str, seconds: Callable[[], float]) -> None:
        """`drag` for a time."""
        self.drag(step, lambda: asyncio.sleep(seconds()))

    def disarm(self) -> None:
        self.traps.clear()
        self.drags.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._connect(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # either side has gone, or the test is over
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(HOST, self._target_port())
        connection = Connection(writer, server_writer)
        protocol = self._protocol()
        pumps = [
            asyncio.create_task(
                self._pump(reader, server_writer, protocol.from_client, connection)
            ),
            asyncio.create_task(
                self._pump(server_reader, writer, protocol.from_server, connection)
            ),
        ]
        try:
            # One side's end is not the other's: a held request still goes to the server after its
            # client has given up, as it may in a real network.
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            server_writer.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cut_up: Callable[[bytes], list[Piece]],
        connection: Connection,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 18):
                for piece in cut_up(data):
                    await self._pass(piece.before, connection)
                    if connection.is_cut:
                        return
                    writer.write(piece.data)
                    await writer.drain()
                    await self._pass(piece.after, connection)
        if not connection.is_cut and not writer.is_closing():
            with contextlib.suppress(OSError):
                writer.write_eof()

    async def _pass(self, step: str, connection: Connection) -> None:
        if step:
            if step in self.drags:
                await self.drags[step]()
            self.passed[step] += 1
            for trap in self.traps:
                await trap.pass_by(step, connection)
