"""A service, its publisher, and a broker that can be away."""

import asyncio
import contextlib
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

from activity_emit import (
    ActivityMiddleware,
    EmitSettings,
    KafkaPublisher,
    KafkaSettings,
    SpoolSettings,
    activity,
)

DEADLINE_S = 120.0
WORKERS = ["process", "thread"]


@contextlib.asynccontextmanager
async def topic_reader(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read(bootstrap: str, topic: str, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    """The topic's first `count` records, and that there are no more."""
    records: list[ConsumerRecord[bytes, bytes]] = []
    async with topic_reader(bootstrap, topic) as consumer, asyncio.timeout(DEADLINE_S):
        while len(records) < count:
            records.append(await consumer.getone())
        ends = await consumer.end_offsets(consumer.assignment())
    assert sum(ends.values()) == count
    return records


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - it changes in another thread or process
            await asyncio.sleep(0.02)


def publisher(bootstrap: str, topic: str, spool: Path, worker: str = "process") -> KafkaPublisher:
    return KafkaPublisher(
        KafkaSettings(bootstrap_servers=bootstrap, topic=topic),
        EmitSettings.model_validate({"worker": worker, "stop_timeout_s": 20}),
        SpoolSettings(dir=spool),
    )


def service(events: KafkaPublisher) -> FastAPI:
    app = FastAPI()
    org = APIRouter(prefix="/v1/orgs/{org_id}")
    workspace = APIRouter(prefix="/workspaces/{workspace_id}")

    @workspace.post("/apps/{app_id}/endpoints/{endpoint_id}/execute")
    def execute(org_id: str) -> dict[str, str]:
        activity.set(execution_id="x1", token_usage={"total": 5}, metadata={"api_key": "swordfish"})
        return {"ok": "yes"}

    @workspace.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"a" * 10, b"b" * 10]))

    @workspace.get("/boom")
    def boom(request: Request) -> None:
        raise ValueError("swordfish " + str(request.headers))

    @workspace.get("/gone")
    def gone() -> None:
        raise HTTPException(404, "swordfish")

    mounted = FastAPI()

    @mounted.get("/apps/{app_id}")
    def app_of(app_id: str) -> dict[str, str]:
        return {"id": app_id}

    org.include_router(workspace)
    app.include_router(org)
    app.mount("/v1/orgs/{org_id}/workspaces/{workspace_id}/mounted", mounted)
    app.add_middleware(ActivityMiddleware, publisher=events)
    return app


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def spooled(directory: Path) -> list[bytes] | None:
    """The lines in all spools; None if there is no spool."""
    paths = list(directory.rglob("*.spool"))
    lines: list[bytes] = []
    for path in paths:
        with (
            contextlib.suppress(sqlite3.OperationalError),  # just being made, or removed
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db,
        ):
            for (blob,) in db.execute("SELECT lines FROM outbox ORDER BY row"):
                lines += blob.split(b"\n")
    return lines if paths else None


class Stopper:
    def __init__(self, events: KafkaPublisher) -> None:
        self._events = events

    def close(self) -> None:
        self._events.stop(0)


class Relay:
    """A broker that can be away: a TCP port that refuses until `open` is set, then forwards."""

    def __init__(self, bootstrap: str) -> None:
        host, port = bootstrap.split(",", maxsplit=1)[0].rsplit(":", 1)
        self._target = (host, int(port))
        self.open = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.close()
            return
        theirs = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, theirs[1]), (theirs[0], writer)):
            task = asyncio.create_task(_copy(source, sink))
            self._tasks.add(task)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()
