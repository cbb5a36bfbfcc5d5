"""Facts of a route and of an application, told once; and facts from other threads."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio.to_thread
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient
from flask import Flask

from activity_emit import ActivityMiddleware, ActivityWSGIMiddleware, activity
from activity_emit.testing import RecordedEvents, recorded

ORG = "/orgs/{org_id}"


def app_of(router: APIRouter, **arguments: Any) -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    app.add_middleware(ActivityMiddleware, **arguments)
    return app


def test_decorators_and_dependencies(recorded_activity: RecordedEvents) -> None:
    router = APIRouter()

    @router.get(ORG + "/sync")
    @activity.action("execute")
    def sync(org_id: str) -> str:
        return org_id

    @router.get(ORG + "/async")
    @activity.with_facts(resource_type="report", metadata={"kind": "pdf"})
    async def with_async(org_id: str, count: int = 1) -> int:
        activity.set(metadata={"count": count})
        return count

    @router.get(ORG + "/depends", dependencies=[Depends(activity.action("trigger"))])
    async def depends() -> None: ...

    @router.get(ORG + "/wins")
    @activity.action("execute")
    async def wins() -> None:
        activity.set(action="delete")

    client = TestClient(app_of(router))
    assert client.get("/orgs/o1/sync").json() == "o1"
    assert client.get("/orgs/o1/async?count=3").json() == 3
    client.get("/orgs/o1/depends")
    client.get("/orgs/o1/wins")
    assert [event.action for event in recorded_activity] == ["execute", "read", "trigger", "delete"]
    assert recorded_activity[1].resource_type == "report"
    assert recorded_activity[1].metadata == {"kind": "pdf", "count": 3}
    # A mark is no part of the request: FastAPI documents no parameter for it.
    assert "requestBody" not in str(client.app.openapi())  # type: ignore[attr-defined]


def test_a_route_that_opts_out(recorded_activity: RecordedEvents) -> None:
    router = APIRouter()

    @router.get(ORG + "/decorated")
    @activity.ignore
    def decorated() -> None: ...

    @router.get(ORG + "/depends", dependencies=[Depends(activity.ignore)])
    def depends() -> None:
        raise HTTPException(409)

    @router.get(ORG + "/called")
    async def called(keep: bool) -> None:
        if not keep:
            activity.ignore()

    client = TestClient(app_of(router))
    for path in ("decorated", "depends", "called?keep=0", "called?keep=1"):
        client.get(f"/orgs/o1/{path}")
    assert recorded_activity.only().path == "/orgs/o1/called"
    assert recorded_activity.metrics.ignored == 3


def test_a_view_of_flask_opts_out(recorded_activity: RecordedEvents) -> None:
    app = Flask(__name__)

    @app.get("/orgs/<org_id>/quiet")
    @activity.ignore
    def quiet(org_id: str) -> str:
        return org_id

    @app.post("/orgs/<org_id>/run")
    @activity.action("execute")
    def run(org_id: str) -> str:
        return org_id

    app.wsgi_app = ActivityWSGIMiddleware(  # type: ignore[method-assign]
        app.wsgi_app, facts=lambda environ: {"metadata": {"agent": environ["HTTP_USER_AGENT"]}}
    )
    client = app.test_client()
    assert client.get("/orgs/o1/quiet").data == b"o1"
    client.post("/orgs/o1/run", headers={"User-Agent": "tests"})
    event = recorded_activity.only()
    assert (event.action, event.metadata) == ("execute", {"agent": "tests"})


def test_a_mark_outside_of_a_request_does_nothing() -> None:
    assert activity.action("execute")(len)("abc") == 3
    activity.ignore()


def test_a_resolver_of_each_application(recorded_activity: RecordedEvents) -> None:
    """The mounted one's is heard as well, and a handler's word wins over both."""
    inner_router, outer_router = APIRouter(), APIRouter()

    @inner_router.get("/orgs/{org_id}/parts/{part}")
    def part() -> None:
        activity.set(metadata={"by": "handler"})

    @outer_router.get("/orgs/{org_id}/plain")
    def plain() -> None: ...

    def of_part(scope: Any) -> dict[str, Any]:
        return {"resource_type": "part", "resource_id": scope["path_params"]["part"]}

    outer = app_of(
        outer_router,
        facts=lambda scope: {
            "resource_type": "thing",
            "metadata": {"by": "outer", "app": "outer"},
            "ignore": scope["path"].endswith("/never"),
        },
    )
    outer.mount("/inner", app_of(inner_router, facts=of_part))
    client = TestClient(outer)
    client.get("/orgs/o1/plain")
    client.get("/inner/orgs/o1/parts/p1")
    client.get("/orgs/o1/never")
    plainly, inside = recorded_activity
    assert (plainly.resource_type, plainly.metadata["by"]) == ("thing", "outer")
    assert (inside.resource_type, inside.resource_id) == ("part", "p1")
    assert inside.metadata == {"by": "handler", "app": "outer"}


def test_a_resolver_that_fails_costs_no_event(
    recorded_activity: RecordedEvents, caplog: pytest.LogCaptureFixture
) -> None:
    router = APIRouter()
    router.add_api_route(ORG, lambda: "ok")
    client = TestClient(app_of(router, facts=lambda scope: scope["no such key"]))
    assert client.get("/orgs/o1").status_code == 200
    assert recorded_activity.only().org_id == "o1"


def _work(name: str) -> None:
    activity.set(metadata={name: threading.get_ident()})


def test_facts_from_other_threads() -> None:
    router = APIRouter()
    own_threads = ThreadPoolExecutor(3)

    @router.get(ORG)
    async def every_way() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(_work, "to_thread")
        await anyio.to_thread.run_sync(_work, "anyio")
        await loop.run_in_executor(own_threads, _work, "unbound")
        await loop.run_in_executor(own_threads, activity.bind(_work), "bound")
        await loop.run_in_executor(own_threads, activity.copy_context().run, _work, "context")
        # One bound function in several threads at the same time.
        together = threading.Barrier(3, timeout=20)

        def meet(number: int) -> None:
            together.wait()
            _work(f"map{number}")

        await asyncio.to_thread(lambda: list(own_threads.map(activity.bind(meet), range(3))))
        thread = threading.Thread(target=activity.bind(_work), args=("thread",))
        thread.start()
        await asyncio.to_thread(thread.join)

        @activity.bind
        async def later() -> None:
            _work("async")

        await loop.run_in_executor(own_threads, lambda: asyncio.run(later()))

    with own_threads, recorded() as events:
        TestClient(app_of(router)).get("/orgs/o1")
    names = {"to_thread", "anyio", "bound", "context", "thread", "async", "map0", "map1", "map2"}
    assert set(events.only().metadata) == names
