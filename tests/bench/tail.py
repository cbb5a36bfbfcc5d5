"""`python -m tests.bench.tail`: 1,000 live tails on one process of the API, and what they cost.

Events are written as the consumer writes them, one a while; counted is from then until a tail has
it. The last line is one JSON object: seconds from a row's insert to a reader (p50, p99, the latest
of all readers), the server's memory and CPU, queries of ClickHouse for each event.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.migration_run import migrate
from tests.bench.query_arms import engine, our_api
from tests.bench.reading import cpu_us
from tests.support.clickhouse import connect
from tests.support.feed import at, write
from tests.support.metrics import samples
from tests.support.query import bearer
from tests.support.wait import wait_until

_DATABASE = "tail"


class Reader:
    """A tail on a plain socket; when each event came."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}

    async def read(self, url: str, org_id: str) -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"GET /v1/orgs/{org_id}/activity/stream HTTP/1.1\r\nHost: api\r\n"
        writer.write(f"{head}Authorization: {bearer(org_id)['authorization']}\r\n\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"data: "):
                self.seen.setdefault(json.loads(line[6:])["path"], time.monotonic())


def memory_mb(pid: int) -> float:
    """Resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmRSS:")) / 1024


async def queries(http: httpx.AsyncClient) -> float:
    """That the API has sent."""
    found = samples((await http.get("/metrics")).text, "activity_api_engine_seconds_count")
    return sum(found.values())


async def bench(tails: int, events: int, orgs: int, directory: Path) -> None:
    """Print what came of it."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(engine(directory))
        async with await connect(server.url, "default") as client:
            await migrate(client, _DATABASE)
        settings = {
            "ACTIVITY_STREAM_CONNECTIONS_PER_ORG": str(tails),
            "ACTIVITY_READING_ENABLED": "false",
        }
        url, _, pid = await stack.enter_async_context(
            our_api(server.url, _DATABASE, directory / "api", {}, settings)
        )
        clickhouse = await stack.enter_async_context(await connect(server.url, _DATABASE))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60))
        before_mb = memory_mb(pid)
        readers = [Reader() for _ in range(tails)]
        tasks = [
            asyncio.create_task(reader.read(url, f"org{number % orgs}"))
            for number, reader in enumerate(readers)
        ]
        try:
            await _until(http, tails)
            found = await _play(clickhouse, http, readers, pid, (events, orgs))
            found["server_mb_before"] = round(before_mb, 1)
            sys.stdout.write(f"{json.dumps(found)}\n")
        finally:
            for task in tasks:
                task.cancel()


async def _until(http: httpx.AsyncClient, tails: int) -> None:
    async def are_open() -> bool:
        found = samples((await http.get("/metrics")).text, "activity_api_tails")
        return sum(found.values()) == tails

    await wait_until(are_open, 120, f"{tails} tails are open")


async def _play(
    clickhouse: AsyncClient,
    http: httpx.AsyncClient,
    readers: list[Reader],
    pid: int,
    size: tuple[int, int],
) -> dict[str, float]:
    """`size`: events, and orgs."""
    (events, orgs), sent = size, dict[str, float]()
    idle = await queries(http), time.monotonic(), cpu_us(pid)
    await asyncio.sleep(5)
    idle_rate = (await queries(http) - idle[0]) / (time.monotonic() - idle[1])
    idle_cpu = (cpu_us(pid) - idle[2]) / 1e6 / (time.monotonic() - idle[1])
    begun = await queries(http), cpu_us(pid), time.monotonic()
    for number in range(events):
        row = [at(f"org{org}", 0, number * orgs + org, path=f"/{number}") for org in range(orgs)]
        sent[f"/{number}"] = time.monotonic()
        await write(clickhouse, *row)
        await asyncio.sleep(0.5)
    with contextlib.suppress(AssertionError):  # what is missing is told
        await wait_until(lambda: all(len(one.seen) == events for one in readers), 60, "all came")
    took = sorted(at - sent[path] for one in readers for path, at in one.seen.items())
    delivered = len(took)
    spent_s = time.monotonic() - begun[2]
    return {
        "tails": len(readers),
        "orgs": orgs,
        "events": events,
        "missing": len(readers) * events - delivered,
        "p50_s": round(took[delivered // 2], 3),
        "p99_s": round(took[int(delivered * 0.99)], 3),
        "max_s": round(took[-1], 3),
        "server_mb": round(memory_mb(pid), 1),
        "idle_queries_per_s": round(idle_rate, 1),
        "idle_cpu_s_per_s": round(idle_cpu, 3),
        "queries_per_event": round(
            (await queries(http) - begun[0] - idle_rate * spent_s) / events, 1
        ),
        "cpu_us_per_delivery": round((cpu_us(pid) - begun[1]) / max(1, delivered), 1),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tail", description=__doc__)
    parser.add_argument("--tails", type=int, default=1000)
    parser.add_argument("--orgs", type=int, default=1)
    parser.add_argument("--events", type=int, default=20)
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="bench-tail-") as directory:
        asyncio.run(bench(arguments.tails, arguments.events, arguments.orgs, Path(directory)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
