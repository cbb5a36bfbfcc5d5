"""One request and its response, as they go by."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter, time_ns
from typing import Any

from activity_emit.event.plain import as_status
from activity_emit.middleware.context import NO_FACTS, ActivityContext
from activity_emit.middleware.error_body import PEEK, error_code, is_read
from activity_emit.middleware.types import Message, Receive, Scope, Send
from activity_schemas.errors import INTERNAL_SERVER_ERROR

CLIENT_DISCONNECTED = "CLIENT_DISCONNECTED"
CANCELLED = "CANCELLED"
CLIENT_CLOSED_REQUEST = 499  # nginx's number for: nobody was there to take the answer

#: A client that leaves takes at least so long to do it: seconds. Others are not asked after.
_PATIENCE = 0.05


_new = object.__new__


class Exchange:
    """Stands between server and application, forwards every message, keeps only facts.

    Times: `started_at` Unix nanoseconds; the others `time.perf_counter` seconds. `done` is called
    once, when the response's last byte is handed to the server, or when the application ends
    without it; what it returns is awaited.
    """

    # What most requests do not have is the class's, and not set for each.
    response_bytes = 0
    first_byte_at = finished_at = 0.0
    streamed = client_gone = False
    error: BaseException | None = None
    answers: BaseException | None = None  # the exception that the response was made of
    _peeked: bytes | None = None
    _before_last: Callable[["Exchange"], Awaitable[None]] | None = None

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        done: Callable[["Exchange"], Coroutine[Any, Any, None] | None],
    ) -> None:
        self.started_at = time_ns()
        self.started = perf_counter()
        self.scope = scope
        # Routers write into the scope: a Mount extends `root_path`.
        self.path: str = scope["path"]
        self.root_path: str = scope["root_path"] if "root_path" in scope else ""  # noqa: SIM401
        # As its `__init__` does, without the call.
        context = self.context = _new(ActivityContext)
        context.facts = NO_FACTS
        context.routed = context.host = context.span = None
        context.resolvers = ()
        self.finished = False
        self._receive, self._send, self._done = receive, send, done
        self.status = 0
        self.ordinary = True  # so far there is no more to tell than the status

    def commit(self, before_last: Callable[["Exchange"], Awaitable[None]]) -> None:
        """`before_last`: awaited before the last byte is sent, in place of `done`."""
        self._before_last, self.ordinary = before_last, False

    async def receive(self) -> Message:
        """The server's next message; notices a client that leaves before the last byte."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.finished:
            self._nobody_there()
        return message

    async def send(self, message: Message) -> None:
        """Forward the application's message. What the server raises goes to the application."""
        kind = message["type"]
        if kind == "http.response.start":
            try:
                status = self.status = +message["status"]  # of an enum its number
                failed = status >= 400
            except Exception:  # noqa: BLE001 - the server may say what it thinks of it
                status = self.status = as_status(message.get("status"))
                failed = status >= 400
            if failed:
                self.begin(as_status(status), message.get("headers", ()))
            last = False
        elif kind == "http.response.body" and self.ordinary and not message.get("more_body"):
            last = True  # the response of most requests ends here
        else:
            await self._send_part(kind, message)
            return
        try:
            await self._send(message)
        except OSError:  # ASGI's word for: nobody is there any more
            self._nobody_there()
            raise
        if last and not self.finished:
            now = self.finished_at = perf_counter()
            if now - self.started > _PATIENCE:
                self._look_for_client()  # which uvicorn tells afterwards as well
            self.finished = True
            owed = self._done(self)
            if owed is not None:
                await owed

    async def _send_part(self, kind: str, message: Message) -> None:
        """Of a stream, an error or a file, or what a server's extension knows."""
        self.ordinary = False
        more = True  # of the response is to come
        body = b""
        if kind == "http.response.body":
            body = message.get("body") or b""
            more = message.get("more_body", False)
            if self._peeked is not None:
                self.peek(body)
            if not more:
                self.response_bytes += len(body)
                self._look_for_client()
                if self._before_last is not None and not self.finished:
                    self.finished_at, self.finished = perf_counter(), True
                    await self._before_last(self)
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
            more = message.get("more_body", False)
        try:
            await self._send(message)
        except OSError:  # ASGI's word for: nobody is there any more
            self._nobody_there()
            raise
        if not more:
            owed = self.finish()
            if owed is not None:
                await owed
        elif kind == "http.response.body":
            self.chunk(body)

    def _nobody_there(self) -> None:
        self.client_gone = not self.finished
        self.ordinary = False

    def _look_for_client(self) -> None:
        """Before the last byte: servers drop what is sent to nobody without a word. uvicorn and
        hypercorn know it where we see, as long as no other middleware is between them and us."""
        if self.finished:
            return
        server = getattr(self._receive, "__self__", None)
        if self.finished_at == 0.0 and isinstance(server, asyncio.Queue):  # hypercorn
            gone = self._is_queued(server)
        else:  # uvicorn
            gone = getattr(server, "disconnected", False) is True
        if gone:
            self.client_gone, self.ordinary = True, False

    @staticmethod
    def _is_queued(server: "asyncio.Queue[Message]") -> bool:
        """Whether it is among what the application has not received yet."""
        waiting = getattr(server, "_queue", ())
        return any(message.get("type") == "http.disconnect" for message in tuple(waiting))

    def chunk(self, body: bytes) -> None:
        """One of several is out."""
        self.streamed = True
        self.response_bytes += len(body)
        if body and not self.first_byte_at:
            self.first_byte_at = perf_counter()

    def begin(self, status: int, headers: Any) -> None:
        """The response starts; `headers`: pairs of bytes."""
        self.status = status
        if status >= 400:
            self.ordinary = False
            if status >= 500:
                # Its handler answers while it is being handled; it goes on, or ends, after that.
                self.answers = sys.exception()
            if is_read(headers):
                self._peeked = b""

    def peek(self, body: bytes) -> None:
        """Keep the start of an error body that may have a code, and of no other."""
        if self._peeked is not None and len(self._peeked) < PEEK:
            self._peeked += bytes(body[: PEEK - len(self._peeked)])

    def fail(self, error: BaseException) -> None:
        """The application raised `error`; after the last byte that is no fact of the request."""
        if not self.finished:
            self.error, self.ordinary = error, False

    def finish(self) -> Coroutine[Any, Any, None] | None:
        """The last byte is out, or the application has ended. Only the first call counts; what it
        returns is to be awaited."""
        if self.finished:
            return None
        self.finished_at, self.finished = perf_counter(), True
        return self._done(self)

    def outcome(self) -> tuple[int, str | None]:
        """Status code and error code: as sent; else what the server will send in its place."""
        cancelled = self.error is not None and not isinstance(self.error, Exception)
        if self.client_gone:
            return self.status or CLIENT_CLOSED_REQUEST, CLIENT_DISCONNECTED
        if cancelled:
            return self.status or CLIENT_CLOSED_REQUEST, CANCELLED
        if self.error is not None or self.status == 0:
            return self.status or 500, INTERNAL_SERVER_ERROR
        return self.status, self.body_code()

    def body_code(self) -> str | None:
        """What the error body says, see `error_body.error_code`."""
        return error_code(self._peeked, self.response_bytes, self.status)

    def noted(self) -> dict[str, Any]:
        """What `metadata` tells of the exchange itself."""
        noted: dict[str, Any] = {}
        # The answer to HEAD has no body, whatever the application hands over.
        if self.streamed and self.scope.get("method") != "HEAD":
            noted["response_bytes"] = self.response_bytes
            if self.first_byte_at:
                noted["first_byte_ms"] = round((self.first_byte_at - self.started) * 1000, 3)
        error = self.error or self.answers
        if isinstance(error, Exception):
            # The class and never the text: texts quote values.
            noted["exception"] = type(error).__name__
        return noted


class QueueExchange(Exchange):
    """Under hypercorn, where the client's leaving is queued for the application, but only up to
    the response's last byte: after that it is there always."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ordinary = False
