"""A local engine for a moment: to see what the migrations make."""

import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.clickhouse.password import existing
from activity_deploy.process.http_ready import wait_ready
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process


@asynccontextmanager
async def empty_engine() -> AsyncIterator[AsyncClient]:
    """A client of a local engine without a table. It is stopped at the end."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "activity_deploy.clickhouse"]
        arguments = ["--path", f"{folder}/data", "--port", str(port)]
        engine = Process("clickhouse", [*program, *arguments], Path(folder) / "clickhouse.log")
        await engine.start()
        try:
            await wait_ready(f"{url}/ping", engine)
            async with await clickhouse_connect.get_async_client(
                dsn=url,
                username="default",
                password=existing(Path(folder) / "data") or "",
                autogenerate_session_id=False,
            ) as client:
                yield client
        finally:
            await engine.stop()
