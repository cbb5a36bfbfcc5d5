"""The WSGI twin gives the same events."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from activity_emit import ActivityWSGIMiddleware, Principal, activity
from activity_emit.event.draft import Draft
from activity_emit.middleware.wsgi import Environ, StartResponse, WSGIApp
from tests.unit.emit.harness import built


class Collected:
    """A publisher that keeps what it is given."""

    before_response = False

    def __init__(self) -> None:
        self.drafts: deque[Any] = deque()

    def publish(self, draft: Draft, stored: Callable[[], None] | None = None) -> bool:
        self.drafts.append(draft)
        return True

    def start(self) -> None:
        """Nothing to start."""

    def stop(self, timeout_s: float | None = None) -> None:
        """Nothing to stop."""

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(message.value) for message in built(self.drafts)]


def call(app: WSGIApp, publisher: Collected, *, chunks: int = 1000, **environ: Any) -> list[bytes]:
    """Serve one request as a server does; `chunks`: after how many the client leaves."""
    full: Environ = {
        "PATH_INFO": "/orgs/o1/apps/a1",
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        **environ,
    }
    setup_testing_defaults(full)
    wrapped = validator(ActivityWSGIMiddleware(app, publisher))  # of PEP 3333, both ways
    sent: list[bytes] = []
    body = wrapped(full, lambda status, headers, exc_info=None: sent.append)
    try:
        for chunk in body:
            sent.append(chunk)
            if len(sent) >= chunks:
                break
    finally:
        body.close()  # type: ignore[attr-defined]
    return sent


def answering(status: str, body: Iterable[bytes], kind: str = "application/json") -> WSGIApp:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        activity.set(execution_id="x1")
        environ["activity.principal"] = Principal(user_id="u1")
        start_response(status, [("Content-Type", kind)])
        return body

    return app


def test_one_request_is_one_event_with_the_handlers_facts() -> None:
    publisher = Collected()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert call(answering("200 OK", [b"ok"]), publisher, HTTP_TRACEPARENT=trace) == [b"ok"]
    (event,) = publisher.events()
    assert (event["org_id"], event["app_id"], event["status_code"]) == ("o1", "a1", 200)
    assert (event["execution_id"], event["user_id"]) == ("x1", "u1")
    assert event["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert "metadata" not in event


def test_error_code_and_stream() -> None:
    publisher = Collected()
    route: dict[str, Any] = {"wsgiorg.routing_args": ((), {"org_id": "o1", "app_id": "a1"})}
    call(answering("404 Not Found", [b'{"error":', b' "GONE"}']), publisher, **route)
    (event,) = publisher.events()
    assert (event["status_code"], event["error_code"]) == (404, "GONE")
    assert event["metadata"]["response_bytes"] == 17


def test_a_client_that_leaves_in_the_middle() -> None:
    publisher = Collected()
    call(answering("200 OK", [b"a", b"b", b"c"]), publisher, chunks=1)
    (event,) = publisher.events()
    assert (event["status_code"], event["error_code"]) == (200, "CLIENT_DISCONNECTED")


def test_exceptions_before_and_after_the_start() -> None:
    def before(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise ValueError("swordfish")

    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("swordfish")

    publisher = Collected()
    for app in (before, answering("200 OK", chunks())):
        with pytest.raises(ValueError, match="swordfish"):
            call(app, publisher)
    events = publisher.events()
    assert [event["status_code"] for event in events] == [500, 200]
    assert [event["error_code"] for event in events] == ["INTERNAL_SERVER_ERROR"] * 2
    assert "swordfish" not in json.dumps(events)


@pytest.mark.parametrize("prefix", ["/svc", "/d\u00fc".encode().decode("latin-1")])
def test_health_checks_and_orgs_below_a_prefix(prefix: str) -> None:
    publisher = Collected()
    for path in ("/healthz", "/orgs/o1"):
        call(answering("200 OK", [b"ok"]), publisher, SCRIPT_NAME=prefix, PATH_INFO=path)
    (event,) = publisher.events()
    assert event["org_id"] == "o1"
    assert event["path"] == prefix.encode("latin-1").decode() + "/orgs/o1"


def test_head_has_no_body_whoever_counts_it() -> None:
    publisher = Collected()
    call(answering("200 OK", [b"", b""]), publisher, REQUEST_METHOD="HEAD")
    (event,) = publisher.events()
    assert "metadata" not in event


def test_an_environ_that_no_server_gives_is_the_applications_alone() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return [b"ok"]

    publisher = Collected()
    body = ActivityWSGIMiddleware(app, publisher)({"PATH_INFO": 3}, lambda *_: None)
    assert list(body) == [b"ok"]
    assert publisher.events() == []


def test_a_status_and_headers_that_the_server_will_refuse() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("weird", [("x", "\u20ac")])
        return [b"ok"]

    publisher = Collected()
    body = ActivityWSGIMiddleware(app, publisher)({"PATH_INFO": "/orgs/o1"}, lambda *_: None)
    assert list(body) == [b"ok"]
    (event,) = publisher.events()
    assert event["status_code"] == 500
