"""The facts of an exchange, told to the middleware message by message."""

import asyncio
import json

import pytest

from activity_emit.middleware.types import ASGIApp, Message, Receive, Scope, Send
from tests.unit.emit.harness import (
    END,
    START,
    Harness,
    Watched,
    answering,
    failing,
    json_error,
)


async def test_messages_pass_unchanged_and_one_event_is_recorded() -> None:
    harness = Harness(answering(START, END))
    await harness.request()
    assert harness.sent == [START, END]
    event = harness.event()
    assert (event["status_code"], event["success"], event["action"]) == (200, True, "read")
    assert event["duration_ms"] >= 0
    assert "metadata" not in event


async def test_the_duration_ends_with_the_last_byte_and_not_with_background_work() -> None:
    handed_over_by = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(START, END)(scope, receive, send)
        handed_over_by.append(len(harness.publisher.drafts))
        raise RuntimeError("a background task failed")

    harness = Harness(app)
    with pytest.raises(RuntimeError):
        await harness.request()
    assert handed_over_by == [1]
    assert "error_code" not in harness.event()


async def test_a_stream_tells_its_first_byte_and_its_size() -> None:
    chunk = {"type": "http.response.body", "body": b"12345", "more_body": True}
    harness = Harness(answering(START, chunk, chunk, {"type": "http.response.body"}))
    await harness.request()
    event = harness.event()
    assert event["metadata"]["response_bytes"] == 10
    assert 0 <= event["metadata"]["first_byte_ms"] <= event["duration_ms"]


@pytest.mark.parametrize(
    ("app", "status", "code"),
    [
        (
            json_error(404, b'{"error": "NOT_FOUND", "message": "x"}'),
            404,
            "NOT_FOUND",
        ),
        (json_error(409, b'{"message": "x", "error": "CONFLICT"}'), 409, "CONFLICT"),
        (json_error(400, b'{"error": "BAD", "x": "' + b"y" * 5000 + b'"}'), 400, "BAD"),
        (json_error(400, b'{"x": "' + b"y" * 5000 + b'", "error": "BAD"}'), 400, None),
        (json_error(422, b'{"detail": []}'), 422, "UNPROCESSABLE_ENTITY"),
        (json_error(422, b'{"detail": [' + b"1," * 5000 + b"1]}"), 422, "UNPROCESSABLE_ENTITY"),
        (json_error(404, b'{"detail": "Not Found"}'), 404, "NOT_FOUND"),
        (json_error(409, b'{"detail": {"code": "TAKEN"}}'), 409, "TAKEN"),
        (json_error(409, b'{"error": {"code": "TAKEN"}}'), 409, "TAKEN"),
        (json_error(599, b'{"detail": "?"}'), 599, None),
        (json_error(403, b'{"type": "https://x.org/p/out-of-credit?a=1"}'), 403, "out-of-credit"),
        (json_error(403, b'{"type": "urn:problem:credit", "title": "X"}'), 403, "credit"),
        (json_error(403, b'{"type": "about:blank", "title": "X"}'), 403, "FORBIDDEN"),
        (json_error(403, b'{"title": "Not enough credit"}'), 403, "NOT_ENOUGH_CREDIT"),
        (json_error(400, b'{"error": "the password is hunter2"}'), 400, None),
        (json_error(400, b'{"error": {"a": 1}}'), 400, None),
        (json_error(400, b"[1]"), 400, None),
        (json_error(400, b"{"), 400, None),
        (json_error(200, b'{"error": "NOT_ONE"}'), 200, None),
        (json_error(400, b'{"error": "BAD"}', (b"content-encoding", b"br")), 400, None),
    ],
)
async def test_error_code_from_the_documented_body(
    app: ASGIApp, status: int, code: str | None
) -> None:
    harness = Harness(app)
    await harness.request()
    event = harness.event()
    assert (event["status_code"], event.get("error_code")) == (status, code)


@pytest.mark.parametrize(
    ("error", "before", "status", "code"),
    [
        (ValueError("swordfish"), [], 500, "INTERNAL_SERVER_ERROR"),
        (ValueError("swordfish"), [START], 200, "INTERNAL_SERVER_ERROR"),
        (asyncio.CancelledError(), [], 499, "CANCELLED"),
        (asyncio.CancelledError(), [START], 200, "CANCELLED"),
        (FileNotFoundError("swordfish"), [], 500, "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_an_exception_is_a_fact_and_goes_on(
    error: BaseException, before: list[Message], status: int, code: str
) -> None:
    harness = Harness(failing(error, *before))
    with pytest.raises(type(error)):
        await harness.request()
    event = harness.event()
    assert (event["status_code"], event["error_code"]) == (status, code)
    assert "swordfish" not in json.dumps(event)


async def test_an_application_that_never_answers_is_an_error() -> None:
    harness = Harness(answering())
    await harness.request()
    assert harness.event()["status_code"] == 500


async def test_a_client_that_leaves_before_the_last_byte() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        assert (await receive())["type"] == "http.disconnect"

    harness = Harness(app)
    await harness.request(_message={"type": "http.disconnect"})
    assert harness.event()["error_code"] == "CLIENT_DISCONNECTED"


async def test_a_server_that_cannot_send_has_no_client() -> None:
    harness = Harness(answering(START, END))
    harness.sent = Watched(_refuse)
    with pytest.raises(ConnectionResetError):
        await harness.request()
    assert (harness.event()["status_code"], harness.event()["error_code"]) == (
        (200, "CLIENT_DISCONNECTED")
    )


def _refuse() -> None:
    raise ConnectionResetError


async def test_a_client_that_leaves_after_the_last_byte_is_no_error() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(START, END)(scope, receive, send)
        await receive()

    harness = Harness(app)
    await harness.request(_message={"type": "http.disconnect"})
    assert "error_code" not in harness.event()
