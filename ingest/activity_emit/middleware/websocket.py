"""One WebSocket connection, from the handshake to its end, as one exchange."""

from typing import Any

from activity_emit.middleware.exchange import CANCELLED, Exchange
from activity_emit.middleware.types import Message
from activity_schemas.errors import INTERNAL_SERVER_ERROR

SWITCHING_PROTOCOLS = 101
FORBIDDEN = 403  # what a server answers when the application does not accept


class Connection(Exchange):
    """Status 101 if accepted, else what the handshake was refused with; duration: its life."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ordinary = False
        self.close_code: int | None = None
        self.received = self.sent = 0

    async def receive(self) -> Message:
        """The server's next message; counts the client's."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self.received += 1
        elif message["type"] == "websocket.disconnect":
            self.close_code = message.get("code", 1005)
        return message

    async def send(self, message: Message) -> None:
        """Forward the application's message; counts them."""
        kind = message["type"]
        if kind == "websocket.accept":
            self.status = SWITCHING_PROTOCOLS
        elif kind == "websocket.send":
            self.sent += 1
        elif kind == "websocket.http.response.start":
            self.status = message["status"]
        elif kind == "websocket.close":
            self.status = self.status or FORBIDDEN
            self.close_code = message.get("code", 1000)
        await self._send(message)

    def outcome(self) -> tuple[int, str | None]:
        """A client that leaves is how a connection ends, and no error."""
        if self.error is None or self.close_code is not None:
            return self.status or FORBIDDEN, None
        if isinstance(self.error, Exception):
            return self.status or 500, INTERNAL_SERVER_ERROR
        return self.status or FORBIDDEN, CANCELLED

    def noted(self) -> dict[str, Any]:
        """Messages both ways and how it was closed."""
        noted: dict[str, Any] = {"websocket": True, "received": self.received, "sent": self.sent}
        if self.close_code is not None:
            noted["close_code"] = self.close_code
        elif isinstance(self.error, Exception):
            noted["exception"] = type(self.error).__name__
        return noted
