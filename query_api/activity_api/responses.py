"""A 200 with JSON: compressed as the client asks for, and kept by nobody on the way."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import zstandard
from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

# Below it a header costs more than what is saved; it is also about a network packet.
_WORTH_IT_BYTES = 1000
# A page of 50 made-up events, 33 kB: zstd 4.2 kB in 0.03 ms, gzip 5.7 kB in 0.06 ms.
_ZSTD_LEVEL = 1
_GZIP_LEVEL = 1
_GZIP_WINDOW = 31  # zlib's way to ask for gzip's header

# Histories are personal data, which must be gone everywhere when they are erased here; and a first
# page is another one with each event. So no cache keeps an answer, and an ETag would save nothing.
NOT_KEPT = {"Cache-Control": "private, no-store"}


def json_answer(body: bytes, accept_encoding: str, headers: dict[str, str]) -> Response:
    """`accept_encoding`: the request's header of this name, '' without one."""
    coding = _coding(accept_encoding) if len(body) >= _WORTH_IT_BYTES else None
    more = {**headers, **NOT_KEPT, "Vary": "Accept-Encoding"}
    if coding == "zstd":
        body = zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(body)
    elif coding == "gzip":
        body = zlib.compress(body, _GZIP_LEVEL, _GZIP_WINDOW)
    if coding is not None:
        more["Content-Encoding"] = coding
    return Response(body, headers=more, media_type="application/json")


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the request's header of this name lets a file be sent with gzip."""
    return _weights(accept_encoding)["gzip"] > 0


def _coding(accept: str) -> str | None:
    """The one to use of zstd and gzip: the client's preference, zstd where it has none."""
    offered = _weights(accept)
    best = max(offered, key=lambda name: offered[name])
    return best if offered[best] > 0 else None


def _weights(accept: str) -> dict[str, float]:
    """How much a client wants each of the codings that we have."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, _, q = part.replace(" ", "").partition(";q=")
        try:
            weights[name] = float(q or 1)
        except ValueError:
            weights[name] = 0
    return {name: weights.get(name, weights.get("*", 0.0)) for name in ("zstd", "gzip")}


def compressed(
    pieces: AsyncIterator[bytes], accept_encoding: str
) -> tuple[AsyncIterator[bytes], dict[str, str]]:
    """A stream as the client asks for it, and the header that says so."""
    coding = _coding(accept_encoding)
    if coding is None:
        return pieces, {}
    return _compressed(pieces, coding), {"Content-Encoding": coding}


async def _compressed(pieces: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    packer: Any = (
        zstandard.ZstdCompressor(_ZSTD_LEVEL).compressobj()
        if coding == "zstd"
        else zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    )
    async for piece in pieces:
        # Beside the event loop: a piece of some MB takes many milliseconds.
        if packed := await asyncio.to_thread(packer.compress, piece):
            yield packed
    yield packer.flush()


class Streamed(StreamingResponse):
    """A long answer, and what is held for it until it has ended, however."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        headers: dict[str, str],
        media_type: str,
        held: AsyncExitStack,
    ) -> None:
        super().__init__(pieces, headers={**headers, **NOT_KEPT})
        self.headers["content-type"] = media_type
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


class EventStream(StreamingResponse):
    """Server-sent events (WHATWG HTML, 9.2): proxies are asked to pass them on at once."""

    def __init__(
        self, events: AsyncIterator[bytes], headers: dict[str, str], ended: Callable[[], None]
    ) -> None:
        """`ended`: called once, however it ends."""
        more = {"X-Accel-Buffering": "no", **headers}
        super().__init__(events, headers=more, media_type="text/event-stream")
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()
