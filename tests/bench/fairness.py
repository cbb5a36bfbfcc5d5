"""`python -m tests.bench.fairness`: one org's searches that take all the CPU, and the others' p99
beside them by their p99 alone: open loop, with the guardrails and without.

Pairs of neighbours, of which the middle one counts. The last line is one JSON object; exit status 1
where the protected ratio is over 2, or the control's is not.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient

from deploy.migrate import migrate
from query_api.settings import ClickHouseSettings
from tests.fixtures.clickhouse import ClickHouseServer, connect
from tests.fixtures.open_loop import open_loop
from tests.fixtures.query import api, bearer, insert, row, settings
from tests.fixtures.wait import wait_until

_DATABASE = "fairness"
_MOST = 2.0

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
# A third of a second of CPU for each search below: no index can skip anything, nothing is found.
_ROWS = 600_000
_INSERT = f"""\
INSERT INTO events (id, timestamp, org_id, workspace_id, user_id, action, status_code, duration_ms,
    path, schema_version, _topic, _lease)
SELECT generateUUIDv7(), toDateTime64('2026-03-04 05:06:07', 6, 'UTC')
        - toIntervalMillisecond(number * 700),
    'greedy', 'w', 'u' || toString(number % 1000), 'read', if(number % 9 = 0, 500, 200),
    number % 2000, '/p' || toString(number), 1, 't', now64(3) + 3600
FROM numbers({_ROWS})"""
_RUNNING = "SELECT count() FROM system.processes WHERE query LIKE '%max_duration' || '_ms:Float64%'"
_CLIENTS = 12
_EVERY_SECONDS = 0.1
_REQUESTS = 60


@asynccontextmanager
async def crowded(directory: Path) -> AsyncIterator[tuple[str, AsyncClient]]:
    """An engine's URL and a client of a database with a large org and a small one."""
    engine = ClickHouseServer(directory / "clickhouse")
    await engine.start()
    try:
        async with await connect(engine.url, "default") as client:
            await migrate(client, _DATABASE)
        async with await connect(engine.url, _DATABASE) as client:
            await client.command(_INSERT)
            await insert(client, [row("modest", NOW) for _ in range(20)])
            yield engine.url, client
    finally:
        await engine.kill()


async def p99(client: httpx.AsyncClient, requests: int = _REQUESTS) -> float:
    """Seconds of the modest org's list."""
    headers = bearer("modest")

    async def ask() -> None:
        answer = await client.get("/v1/orgs/modest/activity", headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == 20

    return await open_loop(requests, _EVERY_SECONDS, ask)


@asynccontextmanager
async def greedy(client: httpx.AsyncClient, engine: AsyncClient) -> AsyncIterator[list[int]]:
    """Clients that search all the time; yields what they got, and stops them at the end: when it
    returns, their queries have ended, too."""
    headers = bearer("greedy")
    answered: list[int] = []

    async def search(number: int) -> None:
        while True:
            number += _CLIENTS
            least = f"{number % 2000}.25&max_duration_ms={number % 2000}.5"
            url = f"/v1/orgs/greedy/workspaces/w/activity/search?min_duration_ms={least}"
            answered.append((await client.get(url, headers=headers)).status_code)

    clients = [asyncio.create_task(search(number)) for number in range(_CLIENTS)]
    try:
        async with asyncio.timeout(60):
            while len(answered) < _CLIENTS // 2:
                await asyncio.wait(clients, timeout=0.05)
        yield answered
    finally:
        for one in clients:
            one.cancel()
        await asyncio.wait(clients)

        async def ended() -> bool:
            return not int(str(await engine.command(_RUNNING)))

        await wait_until(ended, timeout=30, what="the searches have ended")


async def ratio(url: str, engine: AsyncClient, rounds: int, *, protected: bool) -> float:
    """The others' p99 beside the greedy org by their p99 alone."""
    guards = ClickHouseSettings(url=url, database=_DATABASE)
    if not protected:
        guards = guards.model_copy(update={"connections_per_org": 16, "share_per_org": 1})
    pairs = []
    async with api(settings(url, _DATABASE, clickhouse=guards)) as client:
        await client.get("/v1/orgs/modest/activity", headers=bearer("modest"))  # connected
        for _ in range(rounds):
            alone = await p99(client)
            async with greedy(client, engine) as answered:
                # Until a second after the others have come, the greedy has what it had alone.
                await p99(client, round(2 / _EVERY_SECONDS))
                pairs.append((await p99(client), alone))
            assert set(answered) == {200}, answered
    found = median(beside / alone for beside, alone in pairs)
    texts = ", ".join(f"{beside * 1000:.0f}/{alone * 1000:.0f}" for beside, alone in pairs)
    name = "guardrails" if protected else "without"
    sys.stdout.write(f"{name:12}{found:8.2f}   p99 ms beside/alone: {texts}\n")
    return found


async def bench(rounds: int, directory: Path) -> int:
    """Print the table and the JSON object; the exit status."""
    async with crowded(directory) as (url, engine):
        ratios = {
            "protected": round(await ratio(url, engine, rounds, protected=True), 2),
            "control": round(await ratio(url, engine, rounds, protected=False), 2),
        }
    sys.stdout.write(json.dumps({"ratios": ratios, "rounds": rounds}) + "\n")
    return 0 if ratios["protected"] <= _MOST < ratios["control"] else 1


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fairness", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        return asyncio.run(bench(arguments.rounds, Path(directory)))


if __name__ == "__main__":
    sys.exit(main())
