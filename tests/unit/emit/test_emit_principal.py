"""What a service's own `principal=` may be and return; what goes wrong in it is counted."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from activity_emit import ActivityMiddleware, ActivityWSGIMiddleware, EmitSettings, Principal
from activity_emit.event.draft import Draft
from activity_emit.metrics import PublisherMetrics
from tests.unit.emit.harness import END, START, Collected, Harness, answering, built, failing


def _raise(error: BaseException) -> Any:
    raise error


def asynchronous(found: Any, *, suspends: bool = True) -> Callable[[Any], Awaitable[Any]]:
    async def resolver(_: Any) -> Any:
        if suspends:
            await asyncio.sleep(0)
        return found() if callable(found) else found

    return resolver


WELL: list[Any] = [
    Principal(user_id="u1"),
    {"user_id": "u1"},
    SimpleNamespace(user_id="u1"),
]
ILL: list[Any] = ["u1", object(), {"name": "u1"}, lambda: _raise(KeyError("swordfish"))]


async def play(resolver: Any, *, before_response: bool = False, app: Any = None) -> Collected:
    harness = Harness(app or answering(START, END), before_response=before_response)
    harness.app = ActivityMiddleware(
        app or answering(START, END), harness.publisher, settings=EmitSettings(), principal=resolver
    )
    try:
        await harness.request()
    except ValueError:
        assert app is not None
    assert app is not None or harness.sent == [START, END]
    return harness.publisher


def told(drafts: list[Draft]) -> tuple[dict[str, Any], PublisherMetrics]:
    counts = PublisherMetrics()
    (record,) = built(deque(drafts), counts=counts)
    return json.loads(record.value), counts


@pytest.mark.parametrize("before_response", [False, True])
@pytest.mark.parametrize("found", WELL)
async def test_a_principal_a_mapping_and_an_object_sync_and_async(
    found: Any, before_response: bool
) -> None:
    for resolver in (lambda _: found, asynchronous(found), asynchronous(found, suspends=False)):
        publisher = await play(resolver, before_response=before_response)
        event, counts = told(publisher.drafts)
        assert (event["user_id"], event["org_id"]) == ("u1", "o1")
        assert "metadata" not in event
        assert (counts.principal_errors, counts.failed) == (0, 0)


@pytest.mark.parametrize("found", [None, {}, Principal()])
async def test_nobody(found: Any) -> None:
    for resolver in (lambda _: found, asynchronous(found)):
        event, counts = told((await play(resolver)).drafts)
        assert "user_id" not in event
        assert counts.principal_errors == 0


@pytest.mark.parametrize("found", ILL)
async def test_what_fails_is_counted_and_the_event_arrives_without_it(
    found: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sync: Any = (lambda _: found()) if callable(found) else (lambda _: found)
    for resolver in (sync, asynchronous(found)):
        event, counts = told((await play(resolver)).drafts)
        assert "user_id" not in event
        assert event["metadata"]["principal_error"] in ("TypeError", "KeyError")
        assert counts.principal_errors == 1
    assert "swordfish" not in caplog.text


async def test_an_async_one_after_a_crash() -> None:
    app = failing(ValueError())
    event, _ = told((await play(asynchronous(WELL[0]), app=app)).drafts)
    assert (event["user_id"], event["status_code"]) == ("u1", 500)


async def test_a_request_that_is_cancelled_while_its_caller_is_asked_for() -> None:
    asked = asyncio.Event()

    async def never(_: Any) -> Principal:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    harness = Harness(answering(START, END))
    harness.app = ActivityMiddleware(answering(START, END), harness.publisher, principal=never)
    task = asyncio.create_task(harness.request())
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    event, counts = told(harness.publisher.drafts)
    assert (event["org_id"], counts.principal_errors) == ("o1", 1)


@pytest.mark.parametrize("found", WELL)
def test_the_wsgi_twin(found: Any) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"ok"]

    publisher = Collected()
    for resolver in (lambda _: found, asynchronous(found)):
        wrapped = ActivityWSGIMiddleware(app, publisher, principal=resolver)
        body: Any = wrapped({"PATH_INFO": "/orgs/o1"}, lambda *_: None)
        assert list(body) == [b"ok"]
        event, _ = told([publisher.drafts.pop()])
        assert event["user_id"] == "u1"
