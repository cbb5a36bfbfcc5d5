"""One service in five frameworks, for servers to run: `tests.integration.emit.apps:app`.

`EMIT_APP` names the framework. The routes are the same in all of them.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

from activity_emit import ActivityMiddleware, ActivityWSGIMiddleware, activity

BASE = "/orgs/o1/workspaces/w1/apps"
CHUNKS = [b"data: one\n\n", b"data: two\n\n"]
SSE = "text/event-stream"


def _executed() -> dict[str, str]:
    activity.set(execution_id="x1", token_usage={"total": 5})
    return {"ok": "yes"}


async def _chunks() -> AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield CHUNKS[0]
        await asyncio.sleep(0.01)


def fastapi() -> Any:
    from fastapi import FastAPI, WebSocket
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    @app.post("/orgs/{org_id}/workspaces/{workspace_id}/apps/{app_id}/execute")
    def execute(app_id: str) -> dict[str, str]:
        return _executed()

    @app.get("/orgs/{org_id}/workspaces/{workspace_id}/apps/{app_id}/stream")
    async def stream(app_id: str) -> StreamingResponse:
        return StreamingResponse(_chunks(), media_type=SSE)

    @app.get("/orgs/{org_id}/workspaces/{workspace_id}/apps/{app_id}/endless")
    async def endless(app_id: str) -> StreamingResponse:
        return StreamingResponse(_endless(), media_type=SSE)

    @app.get("/orgs/{org_id}/workspaces/{workspace_id}/apps/{app_id}/boom")
    async def boom(app_id: str) -> None:
        raise ValueError("swordfish")

    @app.websocket("/orgs/{org_id}/workspaces/{workspace_id}/apps/{app_id}/socket")
    async def socket(websocket: WebSocket, app_id: str) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    app.add_middleware(ActivityMiddleware)
    return app


def litestar() -> Any:
    from litestar import Litestar, get, post
    from litestar.response import Stream

    prefix = "/orgs/{org_id:str}/workspaces/{workspace_id:str}/apps/{app_id:str}"

    @post(f"{prefix}/execute", status_code=200, sync_to_thread=False)
    def execute(app_id: str) -> dict[str, str]:
        return _executed()

    @get(f"{prefix}/stream")
    async def stream(app_id: str) -> Stream:
        return Stream(_chunks(), media_type=SSE)

    @get(f"{prefix}/endless")
    async def endless(app_id: str) -> Stream:
        return Stream(_endless(), media_type=SSE)

    @get(f"{prefix}/boom")
    async def boom(app_id: str) -> None:
        raise ValueError("swordfish")

    return ActivityMiddleware(Litestar([execute, stream, endless, boom]))  # type: ignore[arg-type]


def quart() -> Any:
    from quart import Quart, Response

    app = Quart(__name__)
    prefix = "/orgs/<org_id>/workspaces/<workspace_id>/apps/<app_id>"

    @app.post(f"{prefix}/execute")
    async def execute(org_id: str, workspace_id: str, app_id: str) -> dict[str, str]:
        return _executed()

    @app.get(f"{prefix}/stream")
    async def stream(org_id: str, workspace_id: str, app_id: str) -> Response:
        return Response(_chunks(), content_type=SSE)

    @app.get(f"{prefix}/endless")
    async def endless(org_id: str, workspace_id: str, app_id: str) -> Response:
        return Response(_endless(), content_type=SSE)

    @app.get(f"{prefix}/boom")
    async def boom(org_id: str, workspace_id: str, app_id: str) -> str:
        raise ValueError("swordfish")

    app.asgi_app = ActivityMiddleware(app.asgi_app)  # type: ignore[assignment, method-assign, arg-type]
    return app


def flask() -> Any:
    from flask import Flask, Response

    app = Flask(__name__)
    prefix = "/orgs/<org_id>/workspaces/<workspace_id>/apps/<app_id>"

    @app.post(f"{prefix}/execute")
    def execute(org_id: str, workspace_id: str, app_id: str) -> dict[str, str]:
        return _executed()

    @app.get(f"{prefix}/stream")
    def stream(org_id: str, workspace_id: str, app_id: str) -> Response:
        return Response(iter(CHUNKS), content_type=SSE)

    @app.get(f"{prefix}/boom")
    def boom(org_id: str, workspace_id: str, app_id: str) -> str:
        raise ValueError("swordfish")

    app.wsgi_app = ActivityWSGIMiddleware(app.wsgi_app)  # type: ignore[method-assign]
    return app


def django() -> Any:
    from django.conf import settings  # type: ignore[import-untyped]
    from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
    from django.http import HttpRequest, JsonResponse, StreamingHttpResponse  # type: ignore[import-untyped]
    from django.urls import path  # type: ignore[import-untyped]

    def execute(request: HttpRequest, **ids: str) -> JsonResponse:
        return JsonResponse(_executed())

    def stream(request: HttpRequest, **ids: str) -> StreamingHttpResponse:
        chunks: Iterator[bytes] = iter(CHUNKS)
        return StreamingHttpResponse(chunks, content_type=SSE)

    def boom(request: HttpRequest, **ids: str) -> JsonResponse:
        raise ValueError("swordfish")

    prefix = "orgs/<org_id>/workspaces/<workspace_id>/apps/<app_id>"
    views = {"execute": execute, "stream": stream, "boom": boom}
    urls = tuple(path(f"{prefix}/{name}", view) for name, view in views.items())
    settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], SECRET_KEY="for tests")
    return ActivityWSGIMiddleware(get_wsgi_application())


FRAMEWORKS = {
    "fastapi": fastapi,
    "litestar": litestar,
    "quart": quart,
    "flask": flask,
    "django": django,
}
if "EMIT_APP" in os.environ:
    app = FRAMEWORKS[os.environ["EMIT_APP"]]()
