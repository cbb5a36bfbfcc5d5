"""uvicorn's HTTP protocol with limits: bytes of a head and a body, seconds for each stage.

Of the servers that were measured (docs/measurements/http-limits.md) none has them all; this one's
parser is the fastest of them, and all that is added happens once a request or once a packet.
"""

import asyncio
from enum import Enum, auto
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from activity_http.limits import LEAST_BODY_RATE, HttpLimits
from activity_http.refusal import Body, as_bytes, plain, refusal_of

# A refused client is read on for so long: closed at once, it would see a reset and no answer.
_LINGER_S = 3.0
# Method, version and blanks, which count only where a header comes in many pieces.
_LINE_REST = 1024


class Stage(Enum):
    """What is expected of the client."""

    IDLE = auto()  # nothing: no request has begun
    HEAD = auto()
    BODY = auto()
    REFUSED = auto()  # to leave


class LimitedProtocol(HttpToolsProtocol):
    """One connection. Whatever is wrong is answered after the answers to what came before."""

    def __init__(
        self, *args: Any, limits: HttpLimits, refusal_body: Body = plain, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self._limits = limits
        self._refusal_body = refusal_body
        self._stage = Stage.IDLE
        self._since = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._messages = 0  # that were read to their end
        self._received = 0  # bytes of this stage, but for the piece in which it began
        self._size = 0  # bytes of this stage that the parser has handed over
        self._refused: int | None = None
        self._unsent = 0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(self._limits.idle_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # uvicorn leaves it set where the connection broke.
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused is not None:
            return
        if self._stage is Stage.IDLE:
            self._enter(Stage.HEAD)
        began = self._messages, self._stage
        super().data_received(data)
        if began == (self._messages, self._stage):
            self._received += len(data)
        if self._stage is Stage.HEAD:
            if self._received > self._limits.max_header_bytes + _LINE_REST:
                self._refuse(431)
            else:
                self._arm(self._limits.header_timeout_s)
        elif self._stage is Stage.BODY:
            most = self._limits.max_body_bytes
            # Trailers and the lengths of chunks are no body, and may be as long as a head.
            if most and self._received > most + self._limits.max_header_bytes:
                self._refuse(413)
            else:
                self._arm(self._limits.body_timeout_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unsent = 0

    # What the parser calls.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # For an answer that must not look complete: what was sent is sent, and then it ends.
        self.scope["extensions"] = {"activity.close": {"call": self.transport.close}}
        if self._stage is Stage.IDLE:  # behind another one in the same piece
            self._enter(Stage.HEAD)

    def on_url(self, url: bytes) -> None:
        if self._refused is None:
            super().on_url(url)
            if len(self.url) > self._limits.max_request_line_bytes:
                self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer is not read as a header: what a proxy has checked, nobody may change afterwards.
        if self._stage is not Stage.HEAD:
            return
        self._size += len(name) + len(value) + 4
        if self._size + len(self.url) > self._limits.max_header_bytes:
            self._refuse(431)
            return
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._refused is not None:
            return
        most = self._limits.max_body_bytes
        for name, value in self.headers if most else ():
            if name == b"content-length" and int(value) > most:
                self._refuse(413)
                return
        super().on_headers_complete()
        self._enter(Stage.BODY)

    def on_body(self, body: bytes) -> None:
        if self._refused is not None:
            return
        self._size += len(body)
        if 0 < self._limits.max_body_bytes < self._size:
            self._refuse(413)
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused is None:
            super().on_message_complete()
            self._messages += 1
            self._enter(Stage.IDLE)

    # What uvicorn calls.

    def on_response_complete(self) -> None:
        is_last = not self.pipeline
        super().on_response_complete()
        if self._refused is not None:
            if is_last:
                self._answer_refusal()
        elif self._stage is Stage.IDLE:
            self._since = self.loop.time()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400)

    def _unsupported_upgrade_warning(self) -> None:
        """Nobody's fault, and the request is answered as it is (RFC 9110 §7.8)."""

    # Time.

    def _enter(self, stage: Stage) -> None:
        self._stage, self._received, self._size = stage, 0, 0
        self._since = self.loop.time()

    def _arm(self, seconds: float) -> None:
        """Look after so many seconds, or before: a timer that is set is only moved forward."""
        if self._timer is not None:
            if self._timer.when() <= self.loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        left = self._deadline() - self.loop.time()
        if left > 0 and self._is_taken():
            self._arm(min(left, self._limits.write_timeout_s))
        elif left > 0 or self._stage is Stage.REFUSED:
            self.transport.abort()
        elif self._stage is Stage.IDLE:
            self.transport.close()
            self._arm(self._limits.write_timeout_s)
        else:
            self._refuse(408)

    def _deadline(self) -> float:
        limits = self._limits
        match self._stage:
            case Stage.HEAD:
                return self._since + limits.header_timeout_s
            case Stage.BODY:
                slack = max(self._received, self._size) / LEAST_BODY_RATE
                return self._since + limits.body_timeout_s + slack
            case Stage.REFUSED if self._is_answered:
                return self._since + _LINGER_S
            case Stage.IDLE if self._is_answered and not self.transport.is_closing():
                return self._since + limits.idle_timeout_s
        # An answer is made, which has limits of its own; or sent, which `_is_taken` sees to.
        return self.loop.time() + limits.write_timeout_s

    def _is_taken(self) -> bool:
        """The client has taken some of its answer since this was last asked."""
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        return not self._unsent or self._unsent != before

    # Refusing.

    @property
    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, status: int) -> None:
        own = self._stage is Stage.BODY
        self._refused = status
        self._enter(Stage.REFUSED)
        if own:
            self._drop_request()
        if self._is_answered:
            self._answer_refusal()

    def _drop_request(self) -> None:
        """The request whose body it is gets no answer of the application any more."""
        cycle = self.cycle
        if self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()  # it has not begun
            return
        if cycle.response_started:
            self.transport.close()
            self._arm(self._limits.write_timeout_s)
            return
        cycle.disconnected = cycle.response_complete = True
        cycle.message_event.set()

    def _answer_refusal(self) -> None:
        if self.transport.is_closing() or self._refused is None:
            return
        self._unset_keepalive_if_required()
        refusal = refusal_of(self._refused, self._limits)
        headers = self.server_state.default_headers
        self.transport.write(as_bytes(refusal, self._refusal_body, headers))
        self.transport.write_eof()
        self._since = self.loop.time()
        self._arm(_LINGER_S)
