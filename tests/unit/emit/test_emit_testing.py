"""`recorded()`: a block's events in every kind of test, and nothing that is started for them."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from flask import Flask, Response

from activity_emit import (
    ActivityMiddleware,
    ActivityWSGIMiddleware,
    EmitSettings,
    KafkaPublisher,
    SpoolSettings,
    activity,
)
from activity_emit.testing import RecordedEvents, recorded

PATH = "/orgs/{org_id}/apps/{app_id}"


def service(**arguments: Any) -> FastAPI:
    app = FastAPI()

    @app.get(PATH)
    def read(app_id: str) -> dict[str, str]:
        activity.set(metadata={"password": "swordfish", "plan": "pro"})
        return {"id": app_id}

    @app.post(PATH)
    async def write() -> None:
        raise HTTPException(409, "swordfish")

    @app.get(PATH + "/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"one", b"two"]))

    app.add_middleware(ActivityMiddleware, **arguments)
    return app


# As in every service: at import, before any test has begun.
APP = service()


def test_a_test_client_under_its_lifespan_starts_and_waits_for_nothing() -> None:
    threads = set(threading.enumerate())
    with recorded() as events, TestClient(APP) as client:
        client.get("/orgs/o1/apps/a1")
        assert {
            one.name for one in {*threading.enumerate()} - threads if "activity" in one.name
        } == set()
        event = events.only()
    assert (event.org_id, event.app_id, event.status_code, event.success) == ("o1", "a1", 200, True)
    # Redacted and encoded by the same code as in production.
    assert event.metadata == {"password": "[redacted]", "plan": "pro"}


async def test_an_async_client() -> None:
    transport = httpx.ASGITransport(APP)
    with recorded() as events:
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            await asyncio.gather(*(client.post(f"/orgs/o1/apps/a{n}") for n in range(5)))
            await client.get("/orgs/o1/apps/a1/stream")
    assert [event.status_code for event in events] == [409] * 5 + [200]
    assert [event.seq for event in events] == list(range(6))
    assert events[-1].metadata["response_bytes"] == 6


def test_a_flask_client_that_reads_no_body() -> None:
    app = Flask(__name__)
    app.add_url_rule("/orgs/<org_id>", view_func=lambda org_id: f"hello {org_id}")
    app.add_url_rule("/orgs/<org_id>/chunks", "chunks", lambda org_id: Response(iter("ab")))
    app.wsgi_app = ActivityWSGIMiddleware(app.wsgi_app)  # type: ignore[method-assign]
    with recorded() as events:
        client = app.test_client()
        client.get("/orgs/o1")
        assert (events.only().status_code, events.only().path) == (200, "/orgs/o1")
        client.head("/orgs/o1")
        client.get("/orgs/o1/none/at-all")
        assert [event.status_code for event in events] == [200, 200]
        assert events.metrics.ignored_stranger == 1  # no route of the org took it
        stream = client.get("/orgs/o1/chunks")
        assert len(events) == 2  # a stream ends when it is read
        assert stream.data == b"ab"
        assert len(events) == 3


def test_events_without_http() -> None:
    with recorded() as events:
        KafkaPublisher().record(org_id="o2", action="create")
    ready = events.only()
    with recorded() as events, KafkaPublisher() as publisher:
        assert publisher.record(org_id="o1", action="execute", execution_id="x1")
        assert publisher.publish(ready)
        stored: list[bool] = []
        publisher.publish(ready, lambda: stored.append(True))
        assert publisher.forwarder_pid is None
    assert [event.execution_id for event in events] == ["x1", None, None]
    assert events[1] == ready
    assert stored == [True]


def test_nested_blocks_and_what_is_outside_of_them() -> None:
    publisher = KafkaPublisher()
    with recorded() as outer:
        publisher.record(org_id="o1", action="read")
        with recorded() as inner:
            publisher.record(org_id="o2", action="read")
            publisher.record(org_id="", action="read")  # ignored: no org
        publisher.record(org_id="o3", action="read")
    assert [event.org_id for event in inner] == ["o2"]
    assert [event.org_id for event in outer] == ["o1", "o2", "o3"]
    assert (inner.metrics.accepted, inner.metrics.ignored) == (2, 1)
    assert (outer.metrics.accepted, outer.metrics.ignored) == (4, 1)
    assert publisher.metrics().accepted == 0
    with recorded() as later:
        pass
    assert later == []


def test_what_is_lost_in_production_is_lost_here_and_counted() -> None:
    def hook(fields: dict[str, Any]) -> dict[str, Any]:
        if fields["org_id"] == "bad":
            raise ValueError("swordfish")
        return {**fields, "org_id": "hooked"}

    publisher = KafkaPublisher(hook=hook)
    with recorded() as events:
        assert publisher.record(org_id="bad", action="read")
        assert publisher.record(org_id="good", action="read")
    assert [event.org_id for event in events] == ["hooked"]
    assert events.metrics.failed == 1


def test_before_response_waits_for_nothing() -> None:
    app = service(publisher=KafkaPublisher(spool=SpoolSettings(before_response=True)))
    with recorded() as events:
        assert TestClient(app).get("/orgs/o1/apps/a1").status_code == 200
    assert events.only().app_id == "a1"


def test_only_says_what_there_was_instead() -> None:
    with recorded() as events:
        TestClient(APP).get("/no/org")
        with pytest.raises(AssertionError, match="one event expected, 0 recorded; 1 ignored"):
            events.only()
        for number in (1, 2):
            TestClient(APP).get(f"/orgs/o1/apps/a{number}")
    with pytest.raises(AssertionError, match=r"2 recorded(?s:.*)GET /orgs/o1/apps/a2 200"):
        events.only()


def test_many_threads() -> None:
    publisher = KafkaPublisher()
    with recorded() as events:
        work: Callable[[], list[bool]] = lambda: [  # noqa: E731
            publisher.record(org_id="o1", action="read") for _ in range(200)
        ]
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(event.seq or 0 for event in events) == list(range(800))


def test_the_fixture_comes_with_the_package(recorded_activity: RecordedEvents) -> None:
    TestClient(APP).get("/orgs/o1/apps/a1")
    assert recorded_activity.only().app_id == "a1"


def test_rules_and_settings_are_the_application_s_own() -> None:
    quiet = service(settings=EmitSettings.model_validate({"rules": [{"ignore": True}]}))
    with recorded() as events:
        TestClient(quiet).get("/orgs/o1/apps/a1")
        TestClient(APP).get("/orgs/o1/apps/a2")
    assert (events.only().app_id, events.metrics.ignored) == ("a2", 1)


def test_the_enums_and_objects_of_a_handler() -> None:
    class Kind(StrEnum):
        REPORT = "report"

    app = FastAPI()

    @app.get(PATH)
    def read(request: Request) -> None:
        activity.set(resource_type=Kind.REPORT, resource_id="r1", metadata={"path": Path("/x")})

    app.add_middleware(ActivityMiddleware)
    with recorded() as events:
        TestClient(app).get("/orgs/o1/apps/a1")
    assert (events.only().resource_type, events.only().resource_id) == ("report", "r1")


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    from activity_emit.interception import INTERCEPTORS

    before = len(INTERCEPTORS)
    yield
    assert len(INTERCEPTORS) == before
