"""One WebSocket connection, from the handshake to its end, as one exchange."""

from typing import Any

from activity_emit.event.plain import as_number, as_status
from activity_emit.middleware.exchange import CANCELLED, Exchange
from activity_emit.middleware.types import Message
from activity_schemas.errors import INTERNAL_SERVER_ERROR

SWITCHING_PROTOCOLS = 101
FORBIDDEN = 403  # what a server answers when the application does not accept
INTERNAL_ERROR = 1011  # RFC 6455's close code of an application that cannot go on


class Connection(Exchange):
    """Status 101 if accepted, else what the handshake was refused with, 500 if the application
    crashed; duration: its life."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ordinary = False
        self.close_code: int | None = None
        self.failed = False  # says the application
        self.received = self.sent = 0

    async def receive(self) -> Message:
        """The server's next message; counts the client's."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self.received += 1
        elif message["type"] == "websocket.disconnect":
            self.close_code = message.get("code") or 1005
        return message

    async def send(self, message: Message) -> None:
        """Forward the application's message; counts them."""
        kind = message["type"]
        if kind == "websocket.accept":
            self.status = SWITCHING_PROTOCOLS
        elif kind == "websocket.send":
            await self._send_text(message)
            return
        elif kind == "websocket.http.response.start":
            self.begin(as_status(message.get("status")), message.get("headers", ()))
        elif kind == "websocket.http.response.body":
            body = message.get("body") or b""
            self.response_bytes += len(body)
            self.peek(body)
        elif kind == "websocket.close":
            self.status = self.status or FORBIDDEN
            self.close_code = as_number(message.get("code", 1000))
            self.failed = self.close_code == INTERNAL_ERROR
        await self._send(message)

    async def _send_text(self, message: Message) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError):
            # OSError is ASGI's word for a client that has left. Some servers have another one for
            # what comes after the client's close; the application has not closed it.
            self.client_gone = self.status == SWITCHING_PROTOCOLS and self.close_code is None
            raise
        self.sent += 1

    def outcome(self) -> tuple[int, str | None]:
        """A client that leaves is how a connection ends, and no error. An application that fails
        is one, also after 101: the status is what it would have been."""
        if self.failed:
            return 500, INTERNAL_SERVER_ERROR
        if self.error is None or self.close_code is not None or self.client_gone:
            return self.status or FORBIDDEN, self.body_code()
        if isinstance(self.error, Exception):
            refused = self.status if self.status >= 400 else 500
            return refused, INTERNAL_SERVER_ERROR
        return self.status or FORBIDDEN, CANCELLED

    def noted(self) -> dict[str, Any]:
        """Messages both ways and how it was closed."""
        noted: dict[str, Any] = {"websocket": True, "received": self.received, "sent": self.sent}
        if self.close_code is not None:
            noted["close_code"] = self.close_code
        elif isinstance(self.error, Exception) and not self.client_gone:
            noted["exception"] = type(self.error).__name__
        return noted
