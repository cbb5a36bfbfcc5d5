"""The follower that docs/history.md prints: killed at will, it has each event once."""

import asyncio
import functools
import os
import random
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.integration.api.test_query_serve import Api, serving
from tests.support.feed import at, write
from tests.support.query import bearer
from tests.support.wait import wait_until

PAGE = Path(__file__).parents[3] / "docs" / "history.md"
EVENTS = 3000


@pytest.fixture
async def served(clickhouse_url: str, database: str, tmp_path: Path) -> AsyncIterator[Api]:
    environment = {"ACTIVITY_CLICKHOUSE_DATABASE": database}
    async with serving(tmp_path / "api.log", clickhouse_url, **environment) as api:
        yield api


async def test_the_printed_follower_has_each_event_once(
    served: Api, clickhouse: AsyncClient, tmp_path: Path
) -> None:
    [script] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    file = tmp_path / "followed.db"
    environment = {
        **os.environ,
        "API": str(served.client.base_url).rstrip("/"),
        "ORG": "o",
        "TOKEN": bearer("o")["authorization"].removeprefix("Bearer "),
        "FILE": str(file),
    }
    chance = random.Random(7)

    async def follow() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script), env=environment, stderr=asyncio.subprocess.PIPE
        )

    def followed() -> int:
        if not file.exists():
            return 0
        with sqlite3.connect(file, timeout=30) as db:
            made = db.execute("SELECT count() FROM sqlite_master WHERE name = 'place'").fetchone()
            return int(db.execute("SELECT count() FROM events").fetchone()[0]) if made[0] else 0

    def has(least: int) -> bool:
        return followed() >= least

    process = await follow()
    for begin in range(0, EVENTS, 600):
        rows = [at("o", n % 2, n // 2) for n in range(begin, begin + 600)]
        await write(clickhouse, *rows)
        least = begin + 1
        await wait_until(functools.partial(has, least), 60, "it follows")
        await asyncio.sleep(chance.random() * 0.05)  # anywhere
        assert process.returncode is None, (await process.communicate())[1]
        process.send_signal(signal.SIGKILL)
        await process.wait()
        process = await follow()
    await wait_until(functools.partial(has, EVENTS), 60, "it has them all")
    process.kill()
    _, errors = await process.communicate()
    assert not errors, errors.decode()  # a second copy would have failed in its table
