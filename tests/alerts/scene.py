"""The parts that a scene of the alerts' tests is made of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.migration_run import migrate
from tests.alerts.recorder import Recorder
from tests.integration.api.test_query_serve import Api, serving
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.consumer import Consumer

#: Scrapes, of 15 seconds each, after which every rule but the longest has made up its mind.
LONG = 12
DATABASE = "activity_test"


def fires(recorder: Recorder, folder: Path, *expected: str, also: tuple[str, ...] = ()) -> None:
    """These alerts fire, and no others but perhaps `also`."""
    found = recorder.firing(folder)
    assert found >= set(expected), f"fires: {found}"
    assert found <= {*expected, *also}, f"fires: {found}"


def of_consumer(consumer: Consumer) -> Recorder:
    return Recorder({"activity-consumer": f"http://127.0.0.1:{consumer.port}/metrics"})


def of_api(api: Api) -> Recorder:
    return Recorder({"activity-api": f"{str(api.client.base_url).rstrip('/')}/metrics"})


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[ClickHouseServer]:
    """One of its own, to be broken; with the tables."""
    server = ClickHouseServer(tmp_path / "engine")
    await server.start()
    try:
        async with await connect(server.url, "default") as client:
            await migrate(client, DATABASE)
        yield server
    finally:
        await server.kill()


@contextlib.asynccontextmanager
async def api_of(folder: Path, url: str, database: str, **more: str) -> AsyncIterator[Api]:
    """Ready, and asked once: its watermark is known where there is one."""
    async with serving(
        folder / "api.log", url, ACTIVITY_CLICKHOUSE_DATABASE=database, **more
    ) as api:
        yield api


@dataclass(slots=True)
class SlowProxy:
    """In front of the engine: each of its answers comes so many seconds late."""

    engine: ClickHouseServer
    seconds: float
    _server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self.engine.url_at(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.engine.port)
        await asyncio.gather(
            _pass(reader, back, 0), _pass(there, writer, self.seconds), return_exceptions=True
        )


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            await asyncio.sleep(seconds)  # what this proxy is there for
            writer.write(data)
            await writer.drain()
    writer.close()


async def rows(client: AsyncClient, sql: str) -> int:
    """The one number of a query."""
    return int((await client.query(sql)).result_rows[0][0])
