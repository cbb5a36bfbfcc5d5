"""What handlers add, who called, which rules apply, how the publisher is run."""

import asyncio
import gc
import subprocess
import sys
import weakref
from typing import Any

import pytest

from activity_emit import ActivityMiddleware, Principal, Rule, activity
from activity_emit.metrics import PublisherMetrics, prometheus
from activity_emit.middleware.types import Message, Receive, Scope, Send
from tests.unit.emit.harness import (
    END,
    START,
    Harness,
    Watched,
    answering,
    json_error,
)


async def test_handlers_add_facts_from_threads_and_tasks() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        activity.set(execution_id="x1", metadata={"a": 1}, token_usage={"in": 1})
        await asyncio.to_thread(activity.set, stages_completed=1, metadata={"b": 2})
        await asyncio.create_task(_later())
        activity.of(scope).set(augmentation_id="g1")
        await answering(START, END)(scope, receive, send)

    async def _later() -> None:
        activity.set(token_usage={"out": 2}, action="execute", total_stages=3)

    harness = Harness(app)
    await harness.request()
    event = harness.event()
    assert event["metadata"] == {"a": 1, "b": 2}
    assert event["token_usage"] == {"in": 1, "out": 2}
    assert (event["execution_id"], event["augmentation_id"]) == ("x1", "g1")
    assert (event["stages_completed"], event["total_stages"], event["action"]) == (1, 3, "execute")


async def test_outside_of_a_request_facts_go_nowhere() -> None:
    activity.set(execution_id="x1")
    harness = Harness(answering(START, END))
    await harness.request()
    assert "execution_id" not in harness.event()


async def test_two_requests_at_once_do_not_mix() -> None:
    meeting = asyncio.Barrier(2)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        activity.set(execution_id=scope["path"][-2:])
        await meeting.wait()
        await answering(START, END)(scope, receive, send)

    harness = Harness(app)
    await asyncio.gather(harness.request("/orgs/o1/apps/a1"), harness.request("/orgs/o1/apps/a2"))
    assert all(event["app_id"] == event["execution_id"] for event in harness.events())
    assert len(harness.events()) == 2


@pytest.mark.parametrize(
    "principal",
    [
        Principal(user_id="u1", token_id="t1"),
        {"user_id": "u1", "token_id": "t1", "password": "x"},
        type("User", (), {"user_id": "u1", "token_id": "t1"})(),
    ],
)
async def test_the_principal_is_what_the_service_verified(principal: Any) -> None:
    harness = Harness(answering(START, END))
    headers = [(b"authorization", b"Bearer unverified")]
    await harness.request(state={"principal": principal}, headers=headers)
    event = harness.event()
    assert (event["user_id"], event["token_id"]) == ("u1", "t1")
    await harness.request(headers=headers)
    assert "user_id" not in harness.events()[1]


async def test_starlettes_user_is_taken_only_if_authenticated() -> None:
    harness = Harness(answering(START, END))
    for authenticated in (True, False):
        user = type("User", (), {"is_authenticated": authenticated, "username": "u1"})()
        await harness.request(user=user)
    assert [event.get("user_id") for event in harness.events()] == ["u1", None]


async def test_a_resolver_that_raises_costs_the_principal_and_not_the_request() -> None:
    def resolver(scope: Scope) -> Principal:
        raise KeyError("swordfish")

    harness = Harness(answering(START, END))
    harness.app = ActivityMiddleware(
        answering(START, END), harness.publisher, settings=harness.settings, principal=resolver
    )
    await harness.request()
    assert harness.sent == [START, END]
    assert "user_id" not in harness.event()


async def test_rules_ignore_sample_and_name_but_never_sample_writes_or_errors() -> None:
    rules = (
        Rule(path="^/healthz$", ignore=True),
        Rule(methods=frozenset({"HEAD", "OPTIONS"}), ignore=True),
        Rule(path="/render$", methods=frozenset({"POST"}), action="execute"),
        Rule(path="/apps/", sample=0),
    )
    harness = Harness(answering(START, END), rules=rules)
    for method, path in [
        ("GET", "/healthz"),
        ("HEAD", "/orgs/o1/apps/a1"),
        ("OPTIONS", "/orgs/o1/apps/a1"),
        ("GET", "/orgs/o1/apps/a1"),
        ("DELETE", "/orgs/o1/apps/a1"),
        ("POST", "/orgs/o1/users/u1/render"),
    ]:
        await harness.request(path, method=method)
    assert [event["action"] for event in harness.events()] == ["delete", "execute"]
    failing_harness = Harness(json_error(404, b"{}"), rules=rules)
    await failing_harness.request()
    assert len(failing_harness.events()) == 1


async def test_a_second_middleware_further_in_records_nothing() -> None:
    harness = Harness(answering(START, END))
    harness.app = ActivityMiddleware(harness.app, harness.publisher, settings=harness.settings)
    await harness.request()
    assert len(harness.events()) == 1


async def test_the_router_may_change_the_scope() -> None:
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        scope.update(root_path="/orgs/o1/apps", path_params={"org_id": "o1", "app_id": 7})
        await answering(START, END)(scope, receive, send)

    harness = Harness(mounted)
    await harness.request("/orgs/o1/apps/7")
    assert (harness.event()["org_id"], harness.event()["app_id"]) == ("o1", "7")


async def test_the_last_byte_waits_for_the_commit_where_that_is_asked_for() -> None:
    harness = Harness(answering(START, END), before_response=True)
    published_before: list[int] = []
    harness.sent = Watched(lambda: published_before.append(len(harness.publisher.drafts)))
    await harness.request()
    assert published_before == [0, 1]
    assert len(harness.events()) == 1


async def test_a_websocket_is_one_event() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.send", "text": "swordfish"})
        await send({"type": "websocket.close", "code": 1000})

    harness = Harness(app)
    await harness.request(type="websocket", _message={"type": "websocket.receive", "text": "hi"})
    event = harness.event()
    assert event["status_code"] == 101
    assert event["metadata"] == {"websocket": True, "received": 1, "sent": 1, "close_code": 1000}
    silent = Harness(app, websockets=False)
    await silent.request(type="websocket", _message={"type": "websocket.receive"})
    assert silent.events() == []


async def test_lifespan_starts_and_stops_the_publisher() -> None:
    running: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        running.append(harness.publisher.running)
        await send({"type": "lifespan.shutdown.complete"})

    harness = Harness(app)
    await harness.request(type="lifespan")
    assert running == [True]
    assert not harness.publisher.running


def test_numbers_as_prometheus_text() -> None:
    text = prometheus(PublisherMetrics(published=3, spooled=9))
    assert "# TYPE activity_emit_published_events_total counter\n" in text
    assert "activity_emit_published_events_total 3\n" in text
    assert "activity_emit_spooled_bytes 9\n" in text


def test_the_import_needs_no_web_framework_and_no_clickhouse() -> None:
    program = (
        "import sys, activity_emit; unwanted = {'starlette', 'fastapi', 'faststream', 'orjson',"
        " 'clickhouse_connect', 'chdb', 'httpx', 'uvicorn'} & set(sys.modules);"
        " sys.exit(', '.join(sorted(unwanted)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.stderr == b""
    assert done.returncode == 0


async def test_a_request_that_the_server_does_not_wait_for_is_one_event() -> None:
    """granian says shutdown and ends with the tasks of such requests unfinished."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send(START)
        begun.set()
        await asyncio.Event().wait()

    begun = asyncio.Event()
    harness = Harness(app)
    serving = asyncio.create_task(harness.request())
    await begun.wait()
    await harness.request(type="lifespan")
    event = harness.event()
    assert (event["status_code"], event["error_code"]) == (200, "CANCELLED")
    serving.cancel()  # a server that cancels all the same makes no second event
    await asyncio.wait([serving])
    assert len(harness.events()) == 1


async def test_a_request_leaves_nothing_for_the_garbage_collector() -> None:
    """A cycle through the server's own object, which holds the scope, cost 4 ms of p99."""

    class Cycle:
        def __init__(self) -> None:
            self.scope: Scope = {"type": "http", "method": "GET", "path": "/orgs/o1", "headers": []}

        async def receive(self) -> Message:
            return {"type": "http.request"}

        async def send(self, message: Message) -> None:
            pass

    async def serve() -> "weakref.ref[Cycle]":
        cycle = Cycle()
        await harness.app(cycle.scope, cycle.receive, cycle.send)
        return weakref.ref(cycle)

    harness = Harness(answering(START, END))
    gc.disable()  # what is gone now went by its reference count
    try:
        assert (await serve())() is None
    finally:
        gc.enable()


async def test_a_second_last_byte_is_no_second_event() -> None:
    harness = Harness(answering(START, END, END))
    await harness.request()
    assert len(harness.events()) == 1
