"""`python -m tests.bench.reading`: what it costs a read to be recorded, in CPU time of the API.

Two APIs over one engine and one table, one with its own middleware and one without, asked in
turns; CPU is the process' own, whatever the machine's load. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from activity_deploy.migration_run import migrate
from tests.bench.query_arms import engine, our_api
from tests.support.clickhouse import connect
from tests.support.query import bearer, insert, row

_ROUND = 100  # requests in a row to one of them


def cpu_us(pid: int) -> float:
    """The CPU time of a process' threads so far, microseconds."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in threads) / 1000


async def bench(rounds: int, directory: Path) -> None:
    """Print a line for each arm, and the JSON object."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(engine(directory))
        async with await connect(server.url, "default") as client:
            await migrate(client, "reading")
        async with await connect(server.url, "reading") as client:
            now = datetime.now(UTC)
            await insert(
                client, [row("acme", now - timedelta(seconds=n), user_id="u") for n in range(1000)]
            )
        arms: dict[str, tuple[httpx.AsyncClient, int]] = {}
        for name, reading in (("recorded", "true"), ("not recorded", "false")):
            folder = directory / name.replace(" ", "-")
            url, _, pid = await stack.enter_async_context(
                our_api(server.url, "reading", folder, {}, {_ENABLED: reading})
            )
            http = httpx.AsyncClient(base_url=url, headers=bearer("acme"))
            arms[name] = (await stack.enter_async_context(http), pid)
        costs = await _costs(arms, rounds)
    found = {name: round(median(values), 1) for name, values in costs.items()}
    pairs = zip(costs["recorded"], costs["not recorded"], strict=True)
    more = round(median(a - b for a, b in pairs), 1)
    for name, cost in found.items():
        sys.stderr.write(f"{name:14}{cost:9.1f} us of CPU a request\n")
    sys.stderr.write(f"{'more':14}{more:9.1f}; load {os.getloadavg()[0]:.1f}\n")
    ratio = round(found["not recorded"] / found["recorded"], 3)
    sys.stdout.write(json.dumps({"cpu_us": found, "more_us": more, "ratio": ratio}) + "\n")


_ENABLED = "ACTIVITY_READING_ENABLED"


async def _costs(
    arms: dict[str, tuple[httpx.AsyncClient, int]], rounds: int
) -> dict[str, list[float]]:
    costs: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(-1, rounds):
        for name, (client, pid) in list(arms.items())[:: 1 if number % 2 else -1]:
            before = cpu_us(pid)
            for _ in range(_ROUND):
                answer = await client.get("/v1/orgs/acme/activity?limit=20")
                assert answer.status_code == 200, answer.text
            if number >= 0:  # the first is a warm-up
                costs[name].append((cpu_us(pid) - before) / _ROUND)
    return costs


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reading", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds: int = parser.parse_args().rounds
    with TemporaryDirectory() as directory:
        asyncio.run(bench(rounds, Path(directory)))


if __name__ == "__main__":
    _main()
