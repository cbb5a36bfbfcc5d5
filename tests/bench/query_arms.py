"""The three ways to an answer, as processes: our API, the engine itself, a tutorial's API."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.process import Process
from tests.bench.query_mix import Asked
from tests.fixtures.clickhouse import ClickHouseServer
from tests.fixtures.query import KEY
from tests.fixtures.wait import wait_until

ARMS = ("ours", "engine", "tutorial")


@dataclass(frozen=True, slots=True)
class Arms:
    """Where they listen, over one database."""

    ours: str
    engine: str
    tutorial: str
    database: str

    def targets(self, arm: str, mix: Sequence[Asked]) -> list[dict[str, Any]]:
        """The mix as this arm is asked."""
        if arm == "engine":
            return [one.to_engine(self.engine, self.database) for one in mix]
        url = self.ours if arm == "ours" else self.tutorial
        return [one.to_api(url) for one in mix]


@asynccontextmanager
async def engine(directory: Path) -> AsyncIterator[ClickHouseServer]:
    """Its data stay for the next run."""
    server = ClickHouseServer(directory / "clickhouse")
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def arms(url: str, database: str, directory: Path) -> AsyncIterator[Arms]:
    """Both APIs in one process each."""
    variables = {
        "ACTIVITY_API_PORT": "0",
        "ACTIVITY_JWT_KEY": KEY,
        "ACTIVITY_CURSOR_KEY": KEY,
        "ACTIVITY_CLICKHOUSE_URL": url,
        "ACTIVITY_CLICKHOUSE_DATABASE": database,
        # The limits per org are not what is measured.
        "ACTIVITY_LIMIT_REQUESTS_PER_SECOND": "1000000",
        "ACTIVITY_LIMIT_BURST": "1000000",
        "ACTIVITY_LIMIT_CONCURRENT": "10000",
        "ACTIVITY_CLICKHOUSE_SHARE_PER_ORG": "1",
    }
    tutorial = [sys.executable, "-m", "uvicorn", "tests.bench.tutorial_api:app", "--port", "0"]
    commands = (
        ("ours", [sys.executable, "-m", "query_api", "serve"], "listening on "),
        ("tutorial", [*tutorial, "--no-access-log"], "running on "),
    )
    processes: list[Process] = []
    urls: list[str] = []
    try:
        for name, command, words in commands:
            process = Process(name, command, directory / f"{name}.log", variables)
            processes.append(process)
            await process.start()
            urls.append(await _url(process, words))
        yield Arms(urls[0], url, urls[1], database)
    finally:
        for process in processes:
            await process.stop()


async def _url(process: Process, words: str) -> str:
    def line() -> str:
        assert process.running, process.output()
        return next((text for text in process.output() if words in text), "")

    found = await wait_until(line, timeout=60, what=f"{process.name} listens")
    url: str = found.split(words)[1].split()[0]

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient() as client:
                await client.get(url + "/healthz")
        except httpx.TransportError:
            return False
        return True

    await wait_until(answers, timeout=60, what=f"{process.name} answers")
    return url
