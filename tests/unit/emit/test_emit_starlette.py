"""FastAPI's and Starlette's own ways: handlers of exceptions, copied scopes, prefixes, HEAD."""

import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount, Route, Router

from activity_emit import ActivityMiddleware, EmitSettings, activity, observe, prometheus
from activity_emit.metrics import PublisherMetrics
from activity_emit.middleware.types import ASGIApp, Receive, Scope, Send
from tests.unit.emit.harness import Collected, built


class Failure(HTTPException):
    """An application's own."""


class Copies:
    """A middleware that hands on a copy of the scope."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


class SignsIn(Copies):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = {"principal": {"user_id": "u1"}}
        await self.app({**scope, "state": state}, receive, send)


async def play(app: Any, path: str, method: str = "GET", root_path: str = "") -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path)


def events_of(publisher: Collected, counts: PublisherMetrics | None = None) -> list[dict[str, Any]]:
    return [json.loads(one.value) for one in built(deque(publisher.drafts), counts=counts)]


def handled(kind: Any, status: int) -> FastAPI:
    app = FastAPI()

    @app.exception_handler(kind)
    async def handler(request: Request, error: Exception) -> JSONResponse:
        activity.set(execution_id="x1", metadata={"by": "handler"})
        return JSONResponse({"error": "DB_DOWN"}, status_code=status)

    @app.get("/orgs/{org_id}/boom")
    def boom(org_id: str) -> None:
        raise Failure(409) if kind is Failure else ValueError("swordfish")

    return app


@pytest.mark.parametrize(("kind", "status"), [(Exception, 503), (500, 503), (Failure, 409)])
async def test_an_applications_own_handler_is_seen(kind: Any, status: int) -> None:
    publisher = Collected()
    app = handled(kind, status)
    assert observe(app, publisher=publisher) is app
    answer = await play(app, "/orgs/o1/boom")
    assert (answer.status_code, answer.json()) == (status, {"error": "DB_DOWN"})
    (event,) = events_of(publisher)
    assert (event["status_code"], event["error_code"]) == (status, "DB_DOWN")
    assert (event["execution_id"], event["metadata"]["by"]) == ("x1", "handler")
    exception = {} if kind is Failure else {"exception": "ValueError"}
    assert event["metadata"] == {"by": "handler", **exception}


async def test_a_sync_handler_and_a_crash_without_one() -> None:
    publisher = Collected()
    app = FastAPI()

    @app.get("/orgs/{org_id}/boom")
    def boom(org_id: str) -> None:
        raise ValueError("swordfish")

    observe(app, publisher=publisher)
    assert (await play(app, "/orgs/o1/boom")).status_code == 500

    def handler(request: Request, error: Exception) -> PlainTextResponse:
        activity.set(execution_id="x1")
        return PlainTextResponse("later", status_code=503)

    app = FastAPI(routes=app.routes)
    app.add_exception_handler(Exception, handler)
    await play(observe(app, publisher=publisher), "/orgs/o1/boom")
    crashed, answered = events_of(publisher)
    assert (crashed["status_code"], crashed["error_code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert crashed["metadata"] == {"exception": "ValueError"}
    assert (answered["status_code"], answered["execution_id"]) == (503, "x1")


async def test_added_like_any_other_middleware_it_guesses_and_says_how_to_do_better(
    caplog: pytest.LogCaptureFixture,
) -> None:
    publisher = Collected()
    app = handled(Exception, 503)
    app.add_middleware(ActivityMiddleware, publisher)
    with caplog.at_level(logging.WARNING, "activity.emit"):
        assert (await play(app, "/orgs/o1/boom")).status_code == 503
    (event,) = events_of(publisher)
    assert (event["status_code"], event["error_code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "activity_emit.observe(app)" in caplog.text


async def test_both_lines_are_one_event_and_an_application_that_has_served_can_be_observed() -> (
    None
):
    publisher = Collected()
    app = handled(Failure, 409)
    app.add_middleware(ActivityMiddleware, publisher)
    await play(app, "/orgs/o1/boom")
    observe(app, publisher=publisher)
    await play(app, "/orgs/o1/boom")
    assert len(events_of(publisher)) == 2


def test_observe_knows_what_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="app = ActivityMiddleware"):
        observe(object())


async def _thing(request: Request) -> PlainTextResponse:
    return PlainTextResponse("a thing")


def _starlette() -> Starlette:
    return Starlette(routes=[Route("/v1/{org_id}/things/{app_id}", _thing)])


def _fastapi() -> Starlette:
    from fastapi import APIRouter

    router = APIRouter(prefix="/v1/{org_id}")
    router.add_api_route("/things/{app_id}", _thing, methods=["GET"])
    app = FastAPI()
    app.include_router(router)
    return app


def _mounted() -> Starlette:
    inner = Starlette(routes=[Route("/things/{app_id}", _thing)], middleware=[Middleware(Copies)])
    return Starlette(routes=[Mount("/v1/{org_id}", inner)])


def _nested() -> Starlette:
    inner = Mount("/{org_id}", app=Copies(Router([Route("/things/{app_id}", _thing)])))
    return Starlette(routes=[Mount("/v1", routes=[inner], middleware=[Middleware(Copies)])])


@pytest.mark.parametrize("outside", [True, False])
@pytest.mark.parametrize("make", [_starlette, _fastapi, _mounted, _nested])
async def test_a_middleware_that_copies_the_scope_hides_nothing(
    make: Callable[[], Starlette], outside: bool
) -> None:
    publisher = Collected()
    app = make()
    app.add_middleware(Copies)
    app.add_middleware(SignsIn)
    if outside:
        observe(app, publisher=publisher)
    else:
        app.add_middleware(ActivityMiddleware, publisher)
    for _ in range(2):
        assert (await play(app, "/v1/o1/things/a1")).text == "a thing"
    for event in events_of(publisher):
        assert (event["org_id"], event["app_id"], event["user_id"]) == ("o1", "a1", "u1")
    assert len(publisher.drafts) == 2


@pytest.mark.parametrize("path", ["/v1/organizations/o1/things", "/v1/tenants/o1", "/org/o1"])
async def test_what_is_ignored_has_a_reason_and_the_first_that_names_an_org_a_warning(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    publisher, counts = Collected(), PublisherMetrics()
    app = observe(_starlette(), publisher=publisher)
    for target in ("/about", "/healthz", path, path):
        await play(app, target)
    with caplog.at_level(logging.WARNING, "activity.emit"):
        assert events_of(publisher, counts) == []
    assert (counts.ignored, counts.ignored_rule, counts.ignored_no_org) == (4, 1, 3)
    assert caplog.text.count("seems to name an org") == 1
    page = prometheus(counts)
    assert "activity_emit_ignored_events_total 4\n" in page
    assert 'activity_emit_ignored_total{reason="no_org"} 3\n' in page
    assert 'activity_emit_ignored_total{reason="rule"} 1\n' in page


async def test_head_has_no_body_whoever_counts_it() -> None:
    class Passes(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            return await call_next(request)

    publisher = Collected()
    app = Starlette(routes=[Route("/orgs/{org_id}", _thing)], middleware=[Middleware(Passes)])
    observe(app, publisher=publisher)
    for method in ("HEAD", "GET"):
        await play(app, "/orgs/o1", method)
    head, get = events_of(publisher)
    assert "metadata" not in head
    assert get["metadata"]["response_bytes"] == 7


@pytest.mark.parametrize(
    ("path", "root_path", "recorded"),
    [
        ("/svc/healthz", "/svc", False),  # uvicorn: the prefix is part of the path
        ("/healthz", "/svc", False),  # hypercorn, and behind a proxy that takes it off
        ("/svc/healthz", "/svc/", False),
        ("/api/healthz", "", False),  # of a mounted application
        ("/svc/api/healthz", "/svc", False),
        ("/svcs/healthz", "/svc", True),  # another word
        ("/orgs/o1/metrics", "", True),
        ("/orgs/o1/metrics", "/orgs", True),
        ("/things", "/svc", True),
    ],
)
async def test_health_checks_below_a_prefix(path: str, root_path: str, recorded: bool) -> None:
    publisher, counts = Collected(), PublisherMetrics()
    routes = [
        Route("/healthz", _thing),
        Mount("/api", routes=[Route("/healthz", _thing)]),
        Mount("/orgs/{org_id}", routes=[Route("/metrics", _thing)]),
    ]
    settings = EmitSettings()
    app = observe(Starlette(routes=routes), publisher=publisher, settings=settings)
    await play(app, path, root_path=root_path)
    events_of(publisher, counts)
    assert counts.ignored_rule == (not recorded)


async def test_an_org_is_not_cut_off_by_a_prefix_that_looks_like_its_beginning() -> None:
    publisher = Collected()
    app = observe(FastAPI(), publisher=publisher)

    @app.get("/orgs/{org_id}/apps/{app_id}")
    async def read() -> None:
        """Nothing to tell."""

    await play(app, "/orgs/acme/apps/a1", root_path="/o")
    (event,) = events_of(publisher)
    assert (event["org_id"], event["app_id"]) == ("acme", "a1")
