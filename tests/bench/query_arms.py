"""The ways to an answer, as processes: our API, another commit's, the engine, a tutorial's API."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from activity_deploy.process.process import Process
from tests.bench.query_before import Before
from tests.bench.query_mix import Asked
from tests.support.clickhouse import ClickHouseServer
from tests.support.query import KEY
from tests.support.wait import wait_until


@dataclass(frozen=True, slots=True)
class Arms:
    """`apis`: where they listen. The engine's `database` is asked by ours and by itself."""

    apis: Mapping[str, str]
    engine: str
    database: str

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [*self.apis, "engine"]

    def targets(self, arm: str, mix: Sequence[Asked]) -> list[dict[str, Any]]:
        """The mix as this arm is asked."""
        if arm == "engine":
            return [one.to_engine(self.engine, self.database) for one in mix]
        return [one.to_api(self.apis[arm]) for one in mix]


@asynccontextmanager
async def engine(directory: Path) -> AsyncIterator[ClickHouseServer]:
    """Its data stay for the next run."""
    server = ClickHouseServer(directory / "clickhouse", unrestricted=True)  # SYSTEM
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def our_api(
    url: str,
    database: str,
    directory: Path,
    clickhouse: Mapping[str, str],
    changed: Mapping[str, str] | None = None,
    *,
    python: str | Path = sys.executable,
) -> AsyncIterator[tuple[str, dict[str, str], int]]:
    """Our API in one process, without the rate limits per org. `clickhouse`: its settings;
    `changed`: other variables; `python`: whose packages have it. Yields its URL, its environment
    and its process id."""
    variables = {
        "ACTIVITY_API_PORT": "0",
        "ACTIVITY_JWT_KEY": KEY,
        "ACTIVITY_CURSOR_KEY": KEY,
        "ACTIVITY_CLICKHOUSE_URL": url,
        "ACTIVITY_CLICKHOUSE_DATABASE": database,
        "ACTIVITY_LIMIT_REQUESTS_PER_SECOND": "1000000",
        "ACTIVITY_LIMIT_BURST": "1000000",
        "ACTIVITY_LIMIT_CONCURRENT": "10000",
        **{f"ACTIVITY_CLICKHOUSE_{name.upper()}": value for name, value in clickhouse.items()},
        # As it is shipped: with its own middleware, whose events stay in a spool here.
        "ACTIVITY_TRANSPORT": "spool",
        "ACTIVITY_SPOOL_DIR": str(directory / "spool"),
        **(changed or {}),
    }
    command = [python, "-m", "activity_deploy.reading"]
    process = Process("ours", command, directory / "ours.log", variables)
    async with _served(process, "listening on ") as served:
        yield served, variables, process.pid


@asynccontextmanager
async def arms(
    url: str, database: str, directory: Path, before: tuple[Before, str] | None
) -> AsyncIterator[Arms]:
    """The APIs in one process each. `before`: another commit, and its database. Shares of an org
    are not what is measured."""
    whole = {"share_per_org": "1"}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ours, variables, _ = await enter(our_api(url, database, directory, whole))
        app = ["tests.bench.tutorial_api:app", "--port", "0", "--no-access-log"]
        command = [sys.executable, "-m", "uvicorn", *app]
        process = Process("tutorial", command, directory / "tutorial.log", variables)
        apis = {"ours": ours, "tutorial": await enter(_served(process, "running on "))}
        if before is not None:
            commit, its = before
            api = our_api(url, its, directory / "before", whole, python=commit.python)
            apis["before"], _, _ = await enter(api)
        yield Arms(apis, url, database)


@asynccontextmanager
async def _served(process: Process, words: str) -> AsyncIterator[str]:
    try:
        await process.start()
        yield await _url(process, words)
    finally:
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
