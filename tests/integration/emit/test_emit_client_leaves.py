"""Clients that leave ordinary handlers and WebSockets, under real servers."""

import asyncio
import contextlib
import json
import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request

from activity_emit import observe
from tests.support.wait import wait_until
from tests.unit.emit.harness import Collected, built

Server = Callable[[ASGIApp, socket.socket], contextlib.AbstractAsyncContextManager[None]]


def uvicorn_with(**options: Any) -> Server:
    @contextlib.asynccontextmanager
    async def serve(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
        config = uvicorn.Config(app, log_config=None, lifespan="off", **options)
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(server._serve([listening]))
        await wait_until(lambda: _is(server.started), 10, "uvicorn listens")
        yield
        server.should_exit = True
        await task

    return serve


async def _is(value: bool) -> bool:
    return value


@contextlib.asynccontextmanager
async def served_by_hypercorn(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    config = hypercorn.config.Config()
    config.bind = [f"fd://{os.dup(listening.fileno())}"]  # it closes its own
    config.loglevel = "CRITICAL"
    stop = asyncio.Event()
    task = asyncio.create_task(
        hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    )
    yield
    stop.set()
    await task


class Service:
    """Three handlers that wait until they are told that the client has left."""

    def __init__(self) -> None:
        self.publisher = Collected()
        self.entered, self.left = asyncio.Event(), asyncio.Event()
        app = FastAPI()

        @app.get("/orgs/{org_id}/wait")
        async def wait(org_id: str) -> dict[str, str]:
            self.entered.set()
            await self.left.wait()
            return {"org": org_id}

        @app.get("/orgs/{org_id}/fail")
        async def fail(org_id: str) -> JSONResponse:
            self.entered.set()
            await self.left.wait()
            return JSONResponse({"detail": "?"}, status_code=503)

        @app.websocket("/orgs/{org_id}/socket")
        async def talk(websocket: WebSocket, org_id: str) -> None:
            await websocket.accept()
            self.entered.set()
            while True:
                await websocket.send_text("hello")
                await asyncio.sleep(0)

        self.app = observe(app, publisher=self.publisher)

    async def event(self) -> dict[str, Any]:
        await wait_until(lambda: _is(bool(self.publisher.drafts)), 20, "an event")
        (record,) = built(deque(self.publisher.drafts))
        event: dict[str, Any] = json.loads(record.value)
        return event


SERVERS = {
    "uvicorn-h11": uvicorn_with(http="h11"),
    "uvicorn-httptools": uvicorn_with(http="httptools"),
    "hypercorn": served_by_hypercorn,
}


@contextlib.asynccontextmanager
async def connected(
    service: Service, serve: Server
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with serve(service.app, listening):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            try:
                yield reader, writer
            finally:
                service.left.set()
                writer.close()


def _ask(path: str) -> bytes:
    return f"GET /orgs/o1/{path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(("path", "status"), [("wait", 200), ("fail", 503)])
async def test_a_client_that_leaves_an_ordinary_handler(name: str, path: str, status: int) -> None:
    service = Service()
    async with connected(service, SERVERS[name]) as (_, writer):
        writer.write(_ask(path))
        await asyncio.wait_for(service.entered.wait(), 20)
        writer.close()
        await writer.wait_closed()
        # The server learns of it in its loop, which is ours; the handler goes on after that.
        asyncio.get_running_loop().call_later(0.3, service.left.set)
        event = await service.event()
    assert (event["status_code"], event["error_code"]) == (status, "CLIENT_DISCONNECTED")


@pytest.mark.parametrize("name", SERVERS)
async def test_a_client_that_waits_and_leaves_after_the_answer(name: str) -> None:
    service = Service()
    async with connected(service, SERVERS[name]) as (reader, writer):
        writer.write(_ask("wait").replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        await asyncio.wait_for(service.entered.wait(), 20)
        asyncio.get_running_loop().call_later(0.1, service.left.set)
        assert b'{"org":"o1"}' in await reader.read()
        event = await service.event()
    assert event["status_code"] == 200
    assert "error_code" not in event


async def test_a_client_that_closes_a_socket_that_only_sends() -> None:
    # hypercorn drops what is sent after the close, and tells it where the application receives.
    service = Service()
    async with connected(service, uvicorn_with(ws="wsproto")) as (reader, writer):
        connection = WSConnection(ConnectionType.CLIENT)
        writer.write(connection.send(Request(host="localhost", target="/orgs/o1/socket")))
        accepted = False
        while not accepted:
            connection.receive_data(await reader.read(4096))
            accepted = any(isinstance(one, AcceptConnection) for one in connection.events())
        writer.write(connection.send(CloseConnection(code=1000)))
        while await reader.read(65536):
            pass
        event = await service.event()
    assert (event["status_code"], event["success"]) == (101, True)
    assert "error_code" not in event
    assert event["metadata"]["sent"] > 0
    assert "exception" not in event["metadata"]
