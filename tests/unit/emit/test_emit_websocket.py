"""How a WebSocket connection may end, as one event."""

import contextlib
import json
from collections import deque
from typing import Any

import pytest

from activity_emit import ActivityMiddleware
from activity_emit.middleware.types import ASGIApp, Message, Receive, Scope, Send
from tests.unit.emit.harness import Collected, answering, built

ACCEPT = {"type": "websocket.accept"}
TEXT = {"type": "websocket.send", "text": "hello"}


async def event_of(
    app: ASGIApp, *received: Message, refuses: BaseException | None = None
) -> dict[str, Any]:
    """Serve one connection; `refuses`: what the server raises where it is to send a text."""
    publisher, messages = Collected(), deque([{"type": "websocket.connect"}, *received])

    async def receive() -> Message:
        return messages.popleft()

    async def send(message: Message) -> None:
        if refuses is not None and message["type"] == "websocket.send":
            raise refuses

    scope = {"type": "websocket", "path": "/orgs/o1", "headers": [], "state": {}}
    scope["path_params"] = {"org_id": "o1"}
    with contextlib.suppress(ValueError, OSError, RuntimeError):
        await ActivityMiddleware(app, publisher)(scope, receive, send)
    (record,) = built(deque(publisher.drafts))
    event: dict[str, Any] = json.loads(record.value)
    return event


def crashing(*messages: Message) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(*messages)(scope, receive, send)
        raise ValueError("swordfish")

    return app


@pytest.mark.parametrize("messages", [(), (ACCEPT,), (ACCEPT, TEXT)])
async def test_a_crash_is_an_error(messages: tuple[Message, ...]) -> None:
    event = await event_of(crashing(*messages))
    assert (event["status_code"], event["success"]) == (500, False)
    assert event["error_code"] == "INTERNAL_SERVER_ERROR"
    assert event["metadata"]["exception"] == "ValueError"


async def test_an_application_that_closes_because_it_cannot_go_on() -> None:
    event = await event_of(answering(ACCEPT, {"type": "websocket.close", "code": 1011}))
    assert (event["status_code"], event["success"]) == (500, False)
    assert (event["error_code"], event["metadata"]["close_code"]) == ("INTERNAL_SERVER_ERROR", 1011)


@pytest.mark.parametrize(
    "refuses",
    [
        ConnectionResetError(),
        # uvicorn, of what comes after the client's close
        RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'."),
    ],
)
async def test_a_client_that_leaves_a_connection_that_only_sends(refuses: Exception) -> None:
    event = await event_of(answering(ACCEPT, TEXT), refuses=refuses)
    assert (event["status_code"], event["success"]) == (101, True)
    assert "error_code" not in event
    assert event["metadata"] == {"websocket": True, "received": 0, "sent": 0}


async def test_what_is_sent_after_its_own_close_is_the_applications_mistake() -> None:
    app = answering({"type": "websocket.close"}, TEXT)
    event = await event_of(app, refuses=RuntimeError("closed"))
    assert event["status_code"] == 403


async def test_a_client_that_closes_while_it_is_listened_to() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        raise OSError  # as Starlette's `WebSocketDisconnect`

    event = await event_of(app, {"type": "websocket.disconnect", "code": 1001})
    assert (event["status_code"], event["metadata"]["close_code"]) == (101, 1001)
    assert "error_code" not in event


async def test_a_handshake_that_is_refused_with_a_body() -> None:
    headers = [(b"content-type", b"application/json")]
    start = {"type": "websocket.http.response.start", "status": 401, "headers": headers}
    body = {"type": "websocket.http.response.body", "body": b'{"detail": "Not authenticated"}'}
    event = await event_of(answering(start, body))
    assert (event["status_code"], event["error_code"]) == (401, "UNAUTHORIZED")
