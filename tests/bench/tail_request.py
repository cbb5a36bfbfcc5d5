"""`python -m tests.bench.tail_request`: from a request's answer to the live tails that show it.

The whole way: a service with the middleware, its spool, Kafka, the consumer, the engine, the read
API, each a process with its defaults. The tails read server-sent events as a browser does. The
last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx

from tests.bench.freshness import Pipeline, pipeline
from tests.support.query import bearer
from tests.support.wait import wait_until

_ORG = "probe"
_WARM = "warm"
_PATIENCE_S = 300


class Tail:
    """When each app's event came."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}

    async def read(self, url: str) -> None:
        """Until cancelled."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"GET {parts.path}/stream HTTP/1.1\r\nHost: api\r\nAccept: text/event-stream\r\n"
        writer.write(f"{head}Authorization: {bearer(_ORG)['authorization']}\r\n\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"data: "):
                self.seen.setdefault(json.loads(line[6:])["app_id"], time.perf_counter())


async def play(running: Pipeline, tails: int, events: int, every_s: float) -> dict[str, float]:
    """What was found, seconds."""
    readers = [Tail() for _ in range(tails)]
    tasks = [asyncio.create_task(one.read(running.api)) for one in readers]
    answered: dict[str, float] = {}
    async with httpx.AsyncClient(base_url=running.service, trust_env=False, timeout=60) as client:

        async def ask(name: str) -> None:
            path = f"/v1/orgs/{_ORG}/workspaces/w/apps/{name}"
            (await client.get(path)).raise_for_status()
            answered[name] = time.perf_counter()

        async def are_warm() -> bool:
            # Again and again: a tail that begins late does not show what was before it.
            await ask(f"{_WARM}-{time.perf_counter_ns()}")
            return all(one.seen for one in readers)

        await wait_until(are_warm, _PATIENCE_S, "every tail has begun")
        for number in range(events):
            await ask(f"app-{number}")
            await asyncio.sleep(every_s)
    names = [name for name in answered if not name.startswith(_WARM)]
    await wait_until(
        lambda: all(name in one.seen for one in readers for name in names),
        *(_PATIENCE_S, "all events came to all tails"),
    )
    for task in tasks:
        task.cancel()
    took = [one.seen[name] - answered[name] for one in readers for name in names]
    cuts = quantiles(took, n=100, method="inclusive")
    return {
        "tails": tails,
        "requests": events,
        "p50_s": round(cuts[49], 3),
        "p99_s": round(cuts[98], 3),
        "max_s": round(max(took), 3),
        "load": round(os.getloadavg()[0], 1),
    }


async def bench(tails: int, events: int, every_s: float, directory: Path) -> None:
    """Print the JSON object."""
    async with pipeline(directory) as running:
        found = await play(running, tails, events, every_s)
    sys.stdout.write(f"{json.dumps(found)}\n")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tail_request", description=__doc__)
    parser.add_argument("--tails", type=int, default=20)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--every-s", type=float, default=0.2)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="bench-tail-") as directory:
        asyncio.run(bench(given.tails, given.requests, given.every_s, Path(directory)))


if __name__ == "__main__":
    main()
