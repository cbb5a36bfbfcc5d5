"""ClickHouse for tests: a server, a migrated database per test, a client bound to it."""

import contextlib
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.process.process import Process
from tests.support.backend import use_docker
from tests.support.images import image
from tests.support.migrated import Migrated, new_name
from tests.support.wait import wait_until

_READY = "clickhouse: ready on "
_MIGRATED: dict[str, Migrated] = {}


class ClickHouseServer:
    """`python -m activity_deploy.clickhouse` on `path`, for tests that break it. It keeps its port
    over a restart; port 0 takes a free one at the first start."""

    def __init__(
        self,
        path: Path,
        port: int = 0,
        *,
        program: Sequence[str] = ("activity_deploy.clickhouse",),
        unrestricted: bool = False,
    ) -> None:
        """`program`: what `python -m` runs."""
        self.path = path
        self._program = program
        self._options = ["--unrestricted"] if unrestricted else []
        self.port = port
        self.password = uuid.uuid4().hex
        self.process = Process("clickhouse", [], path.with_name(path.name + ".log"))

    @property
    def url(self) -> str:
        """With user and password."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same by way of what listens on `port` before it."""
        return f"http://default:{self.password}@127.0.0.1:{port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    async def start(self) -> None:
        """Returns when it answers. Raises AssertionError with its output if it ends instead."""
        arguments = ["--path", str(self.path), "--port", str(self.port), *self._options]
        command = [sys.executable, "-m", *self._program, *arguments]
        environment = {"ACTIVITY_CLICKHOUSE_PASSWORD": self.password}
        self.process = Process("clickhouse", command, self.process.log, environment)
        await self.process.start()
        line = await wait_until(self._ready_line, timeout=60, what="ClickHouse is ready")
        self.port = int(line.removeprefix(_READY).split()[0].rpartition(":")[2])

    async def stop(self) -> None:
        """SIGTERM; returns when it is gone."""
        await self.process.stop()

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        await self.process.kill()

    async def restart(self) -> None:
        """`start` after `stop` or `kill`; it stops what still runs."""
        await self.stop()
        await self.start()

    def _ready_line(self) -> str:
        output = self.process.output()
        assert self.process.running, f"ClickHouse ended: {output}"
        return next((line for line in output if line.startswith(_READY)), "")


@pytest.fixture(scope="session")
async def clickhouse_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A server for the whole run. Tests that stop or break it start a ClickHouseServer instead."""
    if use_docker():
        with _container() as url:
            yield url
        return
    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse") / "data")
    await server.start()
    yield server.url
    await server.stop()


@contextlib.asynccontextmanager
async def new_database(url: str) -> AsyncIterator[str]:
    """A fresh database with all migrations applied, dropped at the end. Yields its name."""
    name = new_name()
    async with await connect(url, "default") as client:
        await (await _migrated(url, client)).copy(client, name)
        yield name
        await client.command(f"DROP DATABASE IF EXISTS {name} SYNC")


@contextlib.asynccontextmanager
async def lent_database(url: str) -> AsyncIterator[str]:
    """The same, but it may be one that others have had and that was made empty: for tests after
    which no process can still write."""
    async with await connect(url, "default") as client:
        migrated = await _migrated(url, client)
        name = await migrated.lend(client)
        yield name
        await migrated.take_back(client, name)


async def _migrated(url: str, client: AsyncClient) -> Migrated:
    if url not in _MIGRATED:
        _MIGRATED[url] = await Migrated.by_all_migrations(client)
    return _MIGRATED[url]


@pytest.fixture
async def database(clickhouse_url: str) -> AsyncIterator[str]:
    """Of one test."""
    async with new_database(clickhouse_url) as name:
        yield name


@pytest.fixture
async def unbound(clickhouse_url: str) -> AsyncIterator[AsyncClient]:
    """A client that is bound to no database of the test's."""
    async with await connect(clickhouse_url, "default") as client:
        yield client


@pytest.fixture
async def fresh(unbound: AsyncClient) -> AsyncIterator[str]:
    """The name of a database that is not there yet."""
    name = f"fresh_{uuid.uuid4().hex}"
    yield name
    await unbound.command(f"DROP DATABASE IF EXISTS {name} SYNC")


@pytest.fixture
async def clickhouse(clickhouse_url: str, database: str) -> AsyncIterator[AsyncClient]:
    """A client bound to `database`."""
    async with await connect(clickhouse_url, database) as client:
        yield client


async def connect(url: str, database: str) -> AsyncClient:
    """A client without a session: several queries may run on it at once."""
    return await clickhouse_connect.get_async_client(
        dsn=url, database=database, autogenerate_session_id=False
    )


@contextlib.contextmanager
def _container() -> Iterator[str]:
    name = image("CLICKHOUSE")
    from testcontainers.community.clickhouse import ClickHouseContainer

    with ClickHouseContainer(name) as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(8123)
        yield f"http://{container.username}:{container.password}@{host}:{port}"
