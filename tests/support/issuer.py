"""An issuer of tokens for tests: a real HTTP server on loopback that hangs, drips, lies, leaves."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def rsa(bits: int = 2048) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=bits)


def jwk(private: Any, kid: str | None, **members: Any) -> dict[str, Any]:
    """Its public key, as an issuer shows it."""
    is_rsa = isinstance(private, RSAPrivateKey)
    algorithm = jwt.algorithms.RSAAlgorithm if is_rsa else jwt.algorithms.ECAlgorithm
    named = {} if kid is None else {"kid": kid}
    return {**algorithm.to_jwk(private.public_key(), as_dict=True), **named, **members}


def plain(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    """A whole answer."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = [
            f"HTTP/1.1 {status}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *headers,
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


def key_set(*keys: dict[str, Any]) -> Answer:
    return plain(json.dumps({"keys": keys}).encode())


async def hangs(writer: asyncio.StreamWriter) -> None:
    """Takes the request and never answers."""
    await asyncio.Event().wait()


async def drips(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, so that no read alone takes long."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def resets(writer: asyncio.StreamWriter) -> None:
    """Half of what was promised, then a reset."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"keys": [')
    await writer.drain()
    writer.transport.abort()


async def is_no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff SSH-2.0 whatever\r\n\r\n")
    await writer.drain()


class FakeIssuer:
    """`answers`: by path; `requests`: the paths asked for, in their order."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/jwks.json"

    def answer(self, answer: Answer, path: str = "/jwks.json") -> None:
        """From now on."""
        self.answers[path] = answer

    async def come(self) -> None:
        """Listen, at the address it had before."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        """Nobody listens any more, and every connection is cut."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        await self._server.wait_closed()
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split()[1].decode()
            self.requests.append(path)
            await self.answers.get(path, plain(b"", "404 Not Found"))(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def issuing() -> AsyncIterator[FakeIssuer]:
    """Gone at the end."""
    issuer = FakeIssuer()
    await issuer.come()
    try:
        yield issuer
    finally:
        await issuer.leave()
