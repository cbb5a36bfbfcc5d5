"""The server as a process: how it starts, how it refuses to, how it ends and comes back."""

import asyncio
import contextlib
import resource
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from activity_deploy.migration_run import migrate
from tests.engine.local_clickhouse.test_clickhouse_cancel import ENDLESS
from tests.engine.local_clickhouse.test_clickhouse_insert import COLUMNS, ONE_BLOCK, event
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.wait import wait_until

COUNT = "SELECT count(), uniqExact(_offset) FROM events"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ClickHouseServer]:
    server = ClickHouseServer(tmp_path / "data")
    await server.start()
    yield server
    await server.kill()


class Load:
    """Inserts one batch after the other, and knows which were confirmed."""

    def __init__(self, server: ClickHouseServer) -> None:
        self._server = server
        self._next = 0
        self.confirmed: set[int] = set()

    async def run(self, client: AsyncClient) -> None:
        """Until the server is gone."""
        with contextlib.suppress(ClickHouseError):
            while True:
                first, self._next = self._next, self._next + 500
                body = b"".join(map(event, range(first, first + 500)))
                await client.raw_insert(
                    "events", COLUMNS, body, settings=ONE_BLOCK, fmt="JSONEachRow"
                )
                self.confirmed.update(range(first, first + 500))


async def refused(*arguments: str) -> str:
    """What a start that must fail says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "activity_deploy.clickhouse", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert err.startswith(b"clickhouse: ")
    assert err.count(b"\n") == 1
    return err.decode()


async def test_a_port_in_use_is_one_line(server: ClickHouseServer, tmp_path: Path) -> None:
    line = await refused("--path", str(tmp_path / "other"), "--port", str(server.port))
    assert f"port {server.port}" in line


async def test_a_directory_in_use_is_one_line(server: ClickHouseServer) -> None:
    assert "in use" in await refused("--path", str(server.path), "--port", "0")


async def test_data_of_a_newer_engine_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("99.1.1.1\n")
    line = await refused("--path", str(tmp_path), "--port", "0")
    assert "99.1.1.1" in line
    assert not (tmp_path / "chdb" / "store").exists()


async def test_a_file_in_place_of_the_directory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "--path" in await refused("--path", str(tmp_path / "file"), "--port", "0")


async def test_sigterm_ends_it_within_five_seconds_under_load(server: ClickHouseServer) -> None:
    client = await connect(server.url, "default")
    await migrate(client, "activity")
    client.database = "activity"
    load = Load(server)
    tasks = [asyncio.create_task(load.run(client)) for _ in range(3)]
    tasks += [asyncio.create_task(_ended(client, ENDLESS)) for _ in range(2)]
    await wait_until(lambda: len(load.confirmed) >= 2000, 30, "some inserts are confirmed")
    started = time.monotonic()
    await server.stop()
    assert time.monotonic() - started < 5
    assert server.process.returncode == 0
    await asyncio.gather(*tasks)
    await client.close()
    await _all_confirmed_are_there(server, load)


async def test_kill_9_loses_nothing_confirmed(server: ClickHouseServer) -> None:
    client = await connect(server.url, "default")
    await migrate(client, "activity")
    client.database = "activity"
    load = Load(server)
    for kill in range(1, 4):
        tasks = [asyncio.create_task(load.run(client)) for _ in range(4)]
        await wait_until(lambda: len(load.confirmed) >= 2000 * kill, 30, "inserts are confirmed")  # noqa: B023
        await server.kill()
        await asyncio.gather(*tasks)
        started = time.monotonic()
        await server.start()
        assert time.monotonic() - started < 10
        await _all_confirmed_are_there(server, load)
    await client.close()


async def test_no_room_is_an_error_and_no_end(server: ClickHouseServer) -> None:
    async with await connect(server.url, "default") as client:
        await client.command("CREATE DATABASE small")
    async with await connect(server.url, "small") as client:
        await client.command("CREATE TABLE t (s String) ENGINE = MergeTree ORDER BY ()")
        too_much = {"min_free_disk_bytes_to_perform_insert": 1 << 60}
        with pytest.raises(DatabaseError) as caught:
            await client.raw_insert("t", ["s"], "x", settings=too_much, fmt="TSV")
        assert caught.value.code == 243
        unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1 << 20, unlimited[1]))
        with pytest.raises(DatabaseError) as caught:
            await client.raw_insert("t", ["s"], "x" * (2 << 20), fmt="TSV")
        assert caught.value.code == 243
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
        assert await client.command("SELECT count() FROM t") == 0
        await client.raw_insert("t", ["s"], "x" * (2 << 20), fmt="TSV")
        assert await client.command("SELECT length(s) FROM t") == 2 << 20


async def _ended(client: AsyncClient, query: str) -> None:
    with contextlib.suppress(ClickHouseError):
        await client.query(query)


async def _all_confirmed_are_there(server: ClickHouseServer, load: Load) -> None:
    if not server.process.running:
        await server.start()
    async with await connect(server.url, "activity") as client:
        result = await client.query("SELECT _offset FROM events")
        there = [int(offset) for (offset,) in result.result_rows]
    assert load.confirmed <= set(there)
    assert len(there) == len(set(there))
    assert len(there) % 500 == 0
