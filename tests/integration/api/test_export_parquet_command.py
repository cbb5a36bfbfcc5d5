"""`activity export --format parquet`: files by day, each whole or not there."""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.auth.caller import EXPORT
from tests.integration.api.test_query_serve import serving
from tests.support.feed import at
from tests.support.query import bearer, insert
from tests.support.wait import wait_until

START = datetime(2026, 3, 4, tzinfo=UTC)


async def test_parquet_by_day_killed_in_its_middle_is_gone_on_with(
    clickhouse_url: str, database: str, clickhouse: AsyncClient, tmp_path: Path
) -> None:
    """The command itself, killed as soon as some files are there; the second day is too large for
    one file. What a file has is there once, and what is there is not written again."""
    per_day = [40, 500, 40, 40]
    await insert(
        clickhouse,
        [
            at("o", 0, day * 1000 + n, at=START + timedelta(days=day, minutes=n * 2))
            for day, count in enumerate(per_day)
            for n in range(count)
        ],
    )
    environment = {
        "ACTIVITY_CLICKHOUSE_DATABASE": database,
        "ACTIVITY_EXPORT_PARQUET_ROWS": "100",
        # 28 requests: it has a middle of seconds, in which it is killed.
        "ACTIVITY_LIMIT_BURST": "8",
        "ACTIVITY_LIMIT_REQUESTS_PER_SECOND": "5",
    }
    to = tmp_path / "files"
    async with serving(tmp_path / "api.log", clickhouse_url, **environment) as api:
        token = bearer("o", permissions=(EXPORT,))["authorization"].removeprefix("Bearer ")
        told = {
            **os.environ,
            "ACTIVITY_HISTORY_URL": str(api.client.base_url).rstrip("/"),
            "ACTIVITY_HISTORY_TOKEN": token,
        }
        days = ["--since", "2026-03-04", "--until", "2026-03-08"]
        command = ["activity_deploy.cli", "export", "--org", "o", "--to", str(to), *days]

        async def begin() -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *command, "--format", "parquet"),
                env=told,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )

        first = await begin()
        await wait_until(lambda: len([*to.rglob("*.parquet")]) >= 5, 60, "some files are there")
        first.kill()
        output, _ = await first.communicate()
        before = {path: path.stat().st_mtime_ns for path in to.rglob("*.parquet")}
        assert len(before) < 27, output
        second = await begin()
        output, _ = await second.communicate()
        assert second.returncode == 0, output
    files = sorted(to.rglob("*.parquet"))
    assert [file.relative_to(to).as_posix() for file in files] == sorted(
        [f"2026-03-0{n}.parquet" for n in (4, 6, 7)]
        + [f"2026-03-05/{n:02}.parquet" for n in range(24)]
    )
    assert {path: path.stat().st_mtime_ns for path in before} == before
    paths = [one for file in files for one in pyarrow.parquet.read_table(file)["path"].to_pylist()]
    assert sorted(paths) == sorted(
        f"/0/{day * 1000 + n}" for day, count in enumerate(per_day) for n in range(count)
    )
    assert not [*to.rglob("*.part")]
