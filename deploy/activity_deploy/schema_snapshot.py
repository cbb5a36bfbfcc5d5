"""`python -m activity_deploy.schema_snapshot` prints schemas/activity_schemas/tables.json: the
tables of a fresh database on the local engine."""

import asyncio
import sys
import tempfile
from pathlib import Path

import clickhouse_connect

from activity_deploy.clickhouse.password import existing
from activity_deploy.migration_run import describe, migrate
from activity_deploy.process.http_ready import wait_ready
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from activity_schemas.tables import to_json


async def snapshot() -> str:
    """Starts an engine, and stops it."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "activity_deploy.clickhouse"]
        arguments = ["--path", f"{folder}/data", "--port", str(port)]
        engine = Process("clickhouse", [*program, *arguments], Path(folder) / "clickhouse.log")
        await engine.start()
        try:
            await wait_ready(f"{url}/ping", engine)
            client = await clickhouse_connect.get_async_client(
                dsn=url,
                username="default",
                password=existing(Path(folder) / "data") or "",
                autogenerate_session_id=False,
            )
            await migrate(client, "activity")
            made = await describe(client, "activity")
            await client.close()
            return to_json(made)
        finally:
            await engine.stop()


if __name__ == "__main__":
    print(asyncio.run(snapshot()), end="")
