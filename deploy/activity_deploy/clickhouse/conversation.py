"""One statement for one client: run, answered while it runs, stopped where the client leaves."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

from activity_deploy.clickhouse.answer_pipe import AnswerPipe
from activity_deploy.clickhouse.encoding import with_tail
from activity_deploy.clickhouse.engine import Engine
from activity_deploy.clickhouse.errors import EngineError, refused
from activity_deploy.clickhouse.reply import Figures, Receive, Reply
from activity_deploy.clickhouse.request import QueryRequest
from activity_deploy.clickhouse.run import Answer, Run, answer_format_of

# Only a query slower than this is worth watching, its client and its progress.
_WATCH_AFTER_SECONDS = 0.1
# A KILL that came before the engine knew the query is said again.
_KILL_AGAIN_SECONDS = 0.5
# What takes longer to encode than a thread to start.
_LARGE_BYTES = 1 << 16
# Kept for the headers of progress: clients read some kilobytes of headers, and no more.
_MOST_PROGRESS = 16


class _Gone(Exception):  # noqa: N818 - nothing went wrong here
    """The client has left."""


@dataclass(slots=True)
class Conversation:
    """`start` runs the statement in a thread of its own; `readers`: threads for large answers."""

    engine: Engine
    readers: Executor
    asked: QueryRequest
    run: Run
    start: Callable[[], Future[Answer]]
    receive: Receive
    reply: Reply
    _progress: list[Figures] = field(default_factory=list)
    _left: "asyncio.Future[Any] | None" = None

    async def hold(self) -> bool:
        """Answer the request. False: the client has left, and its query was stopped. Raises
        EngineError if nothing was sent."""
        pipe = self.run.pipe = AnswerPipe() if self.asked.statement.selecting else None
        ended: asyncio.Future[Answer] | None = None
        try:
            if pipe is not None:
                pipe.collect(self.asked.buffer_bytes)
            future = self.start()
            ended = asyncio.wrap_future(future)
            await self._answer(future, ended, pipe)
        except _Gone:
            return False
        finally:
            if ended is not None and self.asked.statement.reading:
                await self._stop(ended, pipe)
            if pipe is not None:
                pipe.close()
            if self._left is not None:
                self._left.cancel()
        return True

    async def _answer(
        self, future: Future[Answer], ended: "asyncio.Future[Answer]", pipe: AnswerPipe | None
    ) -> None:
        await self._first_of({ended, pipe.filled} if pipe else {ended})
        if pipe is not None and not ended.done():
            await self._stream(future, pipe)
            return
        answer = ended.result()
        body = answer.body or (pipe.whole() if pipe else b"")
        summary = answer.summary
        if pipe is not None:
            summary = summary | {"result_bytes": str(len(body))}
        if self.asked.encoding.changes(answer.format):
            content = self._encoded(iter((body,) if body else ()), answer.format)
            packing = (b"".join, content)
            is_large = len(body) > _LARGE_BYTES or self.asked.encoding.revision  # it may ask
            body = await self._in_thread(*packing) if is_large else packing[0](packing[1])
        await self.reply.rows(body, answer.format, [summary, *self._progress])

    async def _stream(self, future: Future[Answer], pipe: AnswerPipe) -> None:
        pipe.detach()
        answer_format = answer_format_of(self.run)

        def error_block() -> bytes:
            """Blocks until the statement is over."""
            error = future.exception()
            return self.reply.error_block(_as_engine_error(error)) if error else b""

        content = self._encoded(pipe.pieces(), answer_format, error_block)
        piece = await self._in_thread(next, content, None)
        figures = await self._in_thread(self.engine.read_so_far, self.run)
        await self.reply.begin(answer_format, [figures, *self._progress])
        try:
            while piece is not None:
                await self.reply.piece(piece)
                piece = await self._fetched(content)
        except EngineError:
            self.reply.break_off()
            raise _Gone from None
        if future.exception() is not None:
            self.reply.break_off()
            await self._leaving()
        else:
            await self.reply.finish()

    def _encoded(
        self,
        pieces: Iterator[bytes],
        answer_format: str,
        tail: Callable[[], bytes] = bytes,
    ) -> Iterator[bytes]:
        encoding = self.asked.encoding
        content = encoding.encode(pieces, answer_format, lambda: self.engine.types_of(self.run))
        return encoding.pack(with_tail(content, tail))

    async def _fetched(self, content: Iterator[bytes]) -> bytes | None:
        fetching: asyncio.Future[bytes | None]
        fetching = asyncio.ensure_future(self._in_thread(next, content, None))
        left = self._leaving()
        await asyncio.wait({fetching, left}, return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            # The thread holds the pipe until there is something to read, or the end.
            while not fetching.done():
                await self._in_thread(self.engine.cancel, self.run)
                await asyncio.wait({fetching}, timeout=_KILL_AGAIN_SECONDS)
            fetching.exception()
            raise _Gone
        return fetching.result()

    async def _first_of(self, wanted: "set[asyncio.Future[Any]]") -> None:
        """Returns when one is done. Raises _Gone where the client leaves before that."""
        done, _ = await asyncio.wait(
            wanted, timeout=_WATCH_AFTER_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        pause = self.asked.progress_seconds
        is_watched = self.asked.statement.reading and self.asked.cancel_on_close
        left = {self._leaving()} if is_watched and not done else set()
        while not done & wanted:
            if done:
                raise _Gone
            if pause:
                self._progress = self._progress[1 - _MOST_PROGRESS :]
                self._progress.append(await self._in_thread(self.engine.read_so_far, self.run))
            done, _ = await asyncio.wait(
                wanted | left, timeout=pause or None, return_when=asyncio.FIRST_COMPLETED
            )

    async def _stop(self, ended: "asyncio.Future[Answer]", pipe: AnswerPipe | None) -> None:
        """Returns when the statement is over; does nothing if it is."""
        if not ended.done():
            draining = None
            if pipe is not None:
                pipe.detach()
                draining = asyncio.ensure_future(self._in_thread(pipe.drain))
            while not ended.done():
                await self._in_thread(self.engine.cancel, self.run)
                await asyncio.wait({ended}, timeout=_KILL_AGAIN_SECONDS)
            if pipe is not None and draining is not None:
                pipe.end()
                await draining
        ended.exception()

    def _leaving(self) -> "asyncio.Future[Any]":
        """Done when the client has left."""
        if self._left is None:
            self._left = asyncio.ensure_future(self.receive())
        return self._left

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.readers, work, *arguments)


def _as_engine_error(error: BaseException) -> EngineError:
    if isinstance(error, EngineError):
        return error
    return refused(1002, "UNKNOWN_EXCEPTION", type(error).__name__)
