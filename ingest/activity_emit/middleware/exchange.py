"""One request and its response, as they go by."""

import json
import re
from collections.abc import Awaitable, Callable
from time import perf_counter, time_ns
from typing import Any

from activity_emit.middleware.context import ActivityContext
from activity_emit.middleware.types import Message, Receive, Scope, Send
from activity_schemas.errors import INTERNAL_SERVER_ERROR

CLIENT_DISCONNECTED = "CLIENT_DISCONNECTED"
CANCELLED = "CANCELLED"
CLIENT_CLOSED_REQUEST = 499  # nginx's number for: nobody was there to take the answer

_PEEK = 4096  # bytes of a JSON error body that are looked at
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
_ERROR_FIRST = re.compile(rb'\s*\{\s*"error"\s*:\s*"([A-Za-z0-9_.\-]{1,128})"')


class Exchange:
    """Stands between server and application, forwards every message, keeps only facts.

    Times: `started_at` Unix nanoseconds; the others `time.perf_counter` seconds. `done` is called
    once, when the response's last byte is handed to the server, or when the application ends
    without it. `before_last`: awaited before the last byte is sent, in place of `done`.
    """

    # What most requests do not have is the class's, and not set for each.
    response_bytes = 0
    first_byte_at = finished_at = 0.0
    streamed = client_gone = finished = False
    error: BaseException | None = None
    _peeked: bytes | None = None
    _before_last: Callable[["Exchange"], Awaitable[None]] | None = None

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        done: Callable[["Exchange"], None],
        before_last: Callable[["Exchange"], Awaitable[None]] | None = None,
    ) -> None:
        self.started_at = time_ns()
        self.started = perf_counter()
        self.scope = scope
        # Routers write into the scope: a Mount extends `root_path`.
        self.path: str = scope["path"]
        self.root_path: str = scope.get("root_path", "")
        self.context = ActivityContext()
        self._receive, self._send, self._done = receive, send, done
        self.status = 0
        self.ordinary = True  # so far there is no more to tell than the status
        if before_last is not None:
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
        last = False
        if kind == "http.response.start":
            self.status = message["status"]
            if self.status >= 400:
                self.begin(self.status, message.get("headers", ()))
        elif kind == "http.response.body" and self.ordinary and not message.get("more_body", False):
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
            self.finished_at, self.finished = perf_counter(), True
            self._done(self)

    async def _send_part(self, kind: str, message: Message) -> None:
        """Of a stream, an error or a file, or what a server's extension knows."""
        self.ordinary = False
        more = True  # of the response is to come
        body = b""
        if kind == "http.response.body":
            body = message.get("body", b"")
            more = message.get("more_body", False)
            if self._peeked is not None:
                self.peek(body)
            if not more:
                self.response_bytes += len(body)
                if self._before_last is not None:
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
            self.finish()
        elif kind == "http.response.body":
            self.chunk(body)

    def _nobody_there(self) -> None:
        self.client_gone = not self.finished
        self.ordinary = False

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
            if _is_plain_json(headers):
                self._peeked = b""

    def peek(self, body: bytes) -> None:
        """Keep the start of a JSON error body, and of no other."""
        if self._peeked is not None and len(self._peeked) < _PEEK:
            self._peeked += bytes(body[: _PEEK - len(self._peeked)])

    def fail(self, error: BaseException) -> None:
        """The application raised `error`; after the last byte that is no fact of the request."""
        if not self.finished:
            self.error, self.ordinary = error, False

    def finish(self) -> None:
        """The last byte is out, or the application has ended. Only the first call counts."""
        if not self.finished:
            self.finished_at = perf_counter()
            self.finished = True
            self._done(self)

    def outcome(self) -> tuple[int, str | None]:
        """Status code and error code: as sent; else what the server will send in its place."""
        cancelled = self.error is not None and not isinstance(self.error, Exception)
        if self.client_gone:
            return self.status or CLIENT_CLOSED_REQUEST, CLIENT_DISCONNECTED
        if cancelled:
            return self.status or CLIENT_CLOSED_REQUEST, CANCELLED
        if self.error is not None or self.status == 0:
            return self.status or 500, INTERNAL_SERVER_ERROR
        return self.status, _error_code(self._peeked, self.response_bytes)

    def noted(self) -> dict[str, Any]:
        """What `metadata` tells of the exchange itself."""
        noted: dict[str, Any] = {}
        if self.streamed:
            noted["response_bytes"] = self.response_bytes
            if self.first_byte_at:
                noted["first_byte_ms"] = round((self.first_byte_at - self.started) * 1000, 3)
        if isinstance(self.error, Exception):
            # The class and never the text: texts quote values.
            noted["exception"] = type(self.error).__name__
        return noted


def _error_code(body: bytes | None, length: int) -> str | None:
    """The `error` of the documented error body, if there is one that looks like a code."""
    if not body:
        return None
    if length > _PEEK:
        match = _ERROR_FIRST.match(body)
        return match[1].decode("ascii") if match else None
    try:
        code = json.loads(body).get("error")
    except (ValueError, AttributeError, RecursionError):
        return None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _is_plain_json(headers: Any) -> bool:
    json_body = False
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-encoding":
            return False
        if lower == b"content-type":
            json_body = b"json" in value.lower()
    return json_body
