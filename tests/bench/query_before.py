"""Another commit's checkout as an arm: its tables on the same engine, of the same rows."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from activity_deploy.errors import UserError
from tests.support.clickhouse import connect


@dataclass(frozen=True, slots=True)
class Before:
    """`checkout`: its directory, with its packages in `.venv`."""

    checkout: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.checkout / ".venv" / "bin" / "python"

    async def copy(self, url: str, database: str) -> str:
        """The name of its database, with all rows of `database` in as many parts."""
        name = f"{database}_before"
        await self._migrate(url, name)
        async with await connect(url, name) as client:
            rows = int(str(await client.command(f"SELECT count() FROM {database}.events")))
            if int(str(await client.command("SELECT count() FROM events"))) == rows:
                return name
            await client.command("TRUNCATE TABLE events")
            columns = await client.query(
                "SELECT name FROM system.columns WHERE database = currentDatabase()"
                " AND table = 'events' AND default_kind IN ('', 'DEFAULT')"
            )
            names = [row[0] for row in columns.result_rows]
            values = ["now64(3) + 3600" if one == "_lease" else one for one in names]
            # Part by part, and none is merged meanwhile: else one table had fewer to look at.
            await client.command(f"SYSTEM STOP MERGES {database}.events")
            try:
                parts = await client.query(f"SELECT DISTINCT _part FROM {database}.events")
                for (part,) in parts.result_rows:
                    await client.command(
                        f"INSERT INTO events ({', '.join(names)}) SELECT {', '.join(values)}"
                        f" FROM {database}.events WHERE _part = {{part:String}}"
                        " SETTINGS min_insert_block_size_rows = 10000000,"
                        " min_insert_block_size_bytes = 0, max_insert_threads = 1,"
                        " optimize_use_projections = 0",
                        parameters={"part": part},
                    )
            finally:
                await client.command(f"SYSTEM START MERGES {database}.events")
        return name

    async def _migrate(self, url: str, database: str) -> None:
        process = await asyncio.create_subprocess_exec(
            self.python.with_name("activity"),
            "migrate",
            env={
                "ACTIVITY_CLICKHOUSE_URL": url,
                "ACTIVITY_CLICKHOUSE_DATABASE": database,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise UserError(f"{self.checkout} cannot migrate: {said.decode().strip()}")
