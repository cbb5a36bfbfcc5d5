"""A local engine with generated people, for the tools that `make analysts` installs."""

from collections.abc import AsyncIterator

import pytest

from activity_deploy.local.state import StateDirectory
from activity_deploy.migration_run import migrate
from tests.analysts.programs import PYTHON, Engine
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.questions import fill


@pytest.fixture(scope="session")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """As `make run` leaves it: a database `activity`, a password in the state directory."""
    assert PYTHON.exists(), "`make analysts` first"
    path = tmp_path_factory.mktemp("analysts")
    server = ClickHouseServer(path / "clickhouse")
    server.password = StateDirectory(path).key("clickhouse")
    await server.start()
    try:
        async with await connect(server.url, "default") as client:
            await migrate(client, "activity")
            client.database = "activity"
            await fill(client)
            yield Engine(server.port, path, client)
    finally:
        await server.stop()
