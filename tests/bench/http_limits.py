"""What servers do with clients that mean no good: `make bench-http-limits`.

Each serves the read API (its engine away) as a process with one worker; the neighbour asks for
/healthz all the time. Prints the table of docs/measurements/http-limits.md.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from tests.bench.usage import cpu_seconds, peak_rss_mb
from tests.support.http_attacks import Neighbour, Outcome, attack, connected
from tests.support.query import KEY
from tests.support.wait import wait_until

FACTORY = "activity_api.app:from_environment"
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
LIST = b"GET /v1/orgs/o/activity HTTP/1.1\r\nhost: a\r\n"
POST = b"POST /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n"
PATIENCE_S = 40.0
IDLE = 1000
REQUESTS = 5_000


def commands(port: int) -> dict[str, list[str]]:
    python, address = sys.executable, f"127.0.0.1:{port}"
    uvicorn = [
        python,
        "-m",
        "uvicorn",
        FACTORY,
        "--factory",
        "--port",
        str(port),
        "--no-access-log",
    ]
    return {
        "ours": [python, "-m", "activity_api", "serve"],
        "uvicorn, httptools": [*uvicorn, "--http", "httptools"],
        "uvicorn, h11": [*uvicorn, "--http", "h11", "--h11-max-incomplete-event-size", "32768"],
        "granian": [
            *(python, "-m", "granian", FACTORY, "--factory", "--interface", "asgi"),
            *("--port", str(port), "--http", "1", "--http1-header-read-timeout", "10000"),
            *("--http1-buffer-size", "32768", "--no-ws"),
        ],
        "hypercorn": [python, "-m", "hypercorn", f"{FACTORY}()", "--bind", address],
    }


async def measure(name: str, log: Path) -> dict[str, str]:
    (port,) = free_ports(1)
    environment = {
        "ACTIVITY_API_PORT": str(port),
        "ACTIVITY_JWT_KEY": KEY,
        "ACTIVITY_CURSOR_KEY": KEY,
        "ACTIVITY_CLICKHOUSE_URL": "http://127.0.0.1:9",
    }
    process = Process(name, commands(port)[name], log, environment)
    await process.start()
    try:
        async with httpx.AsyncClient() as client:

            async def is_up() -> bool:
                try:
                    return (await client.get(f"http://127.0.0.1:{port}/healthz")).is_success
                except httpx.TransportError:
                    return False

            await wait_until(is_up, 60, f"{name} is up")
        return await _rows(port, process.pid)
    finally:
        await process.stop()


async def _rows(port: int, pid: int) -> dict[str, str]:
    rows = {"CPU of a request": await _cpu(port, pid)}
    bombs: dict[str, bytes] = {
        "64 MB header": LIST + b"x: " + b"a" * (64 << 20) + b"\r\n\r\n",
        "28 MB token": LIST + b"authorization: Bearer " + b"a" * (28 << 20) + b"\r\n\r\n",
        "64 MB of short fields": LIST + b"x: a\r\n" * (10 << 20) + b"\r\n",
        "16 MB target": b"GET /" + b"a" * (16 << 20) + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        "64 MB body": b"POST /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n"
        % (64 << 20)
        + bytes(64 << 20),
    }
    for what, data in bombs.items():
        rows[what] = await _beside(port, pid, lambda data=data: _bomb(port, data))  # type: ignore[misc]
    slow = {
        "half a header": attack(port, LIST + b"x: ", PATIENCE_S),
        "a header, a byte a second": attack(port, LIST + b"x: ", PATIENCE_S, drip=b"a" * 99),
        "blank lines, one a second": attack(port, b"", PATIENCE_S, drip=b"\r\n" * 99),
        "half a body": attack(port, POST, PATIENCE_S),
        "a body, a byte a second": attack(port, POST, PATIENCE_S, drip=b"a" * 99),
        "nothing at all": attack(port, b"", PATIENCE_S),
    }
    for what, outcome in zip(slow, await asyncio.gather(*slow.values()), strict=True):
        rows[what] = _told(outcome)
    rows[f"{IDLE:,} idle connections"] = await _beside(port, pid, lambda: _idle(port))
    rows["100 requests in one packet"] = _told(await attack(port, HEALTH * 100, 3))
    return rows


async def _bomb(port: int, data: bytes) -> str:
    return _told(await attack(port, data, 5))


def _told(outcome: Outcome) -> str:
    statuses = ", ".join(
        f"{outcome.statuses.count(s)} × {s}" if outcome.statuses.count(s) > 1 else str(s)
        for s in dict.fromkeys(outcome.statuses)
    )
    closed = "open" if outcome.closed_s is None else f"closed after {outcome.closed_s:.1f} s"
    return f"{statuses or 'no answer'}, {closed}"


async def _idle(port: int) -> str:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_idle_one(port)) for _ in range(IDLE)]
    return f"{sum(task.result() for task in tasks):,} closed in {PATIENCE_S:.0f} s"


async def _idle_one(port: int) -> bool:
    async with connected(port) as client:
        return (await client.until_closed(PATIENCE_S)).closed_s is not None


async def _beside(port: int, pid: int, work: Callable[[], Awaitable[str]]) -> str:
    neighbour = Neighbour(port, HEALTH, lambda head: b" 200 " in head)
    before = _memory_mb(pid)
    asking = asyncio.create_task(neighbour.run())
    try:
        told = await work()
    finally:
        asking.cancel()
    slowest = max(neighbour.seconds, default=0) * 1000
    grown = max(_memory_mb(pid) - before, 0) * 1e6 / (1 << 20)
    return f"{told}; neighbour ≤ {slowest:.0f} ms; +{grown:.0f} MiB"


async def _cpu(port: int, pid: int) -> str:
    before = _cpu_seconds(pid)
    async with connected(port) as client:
        for _ in range(REQUESTS):
            client.writer.write(HEALTH)
            while client.answer.count(b'"ok"}') < 1:  # noqa: ASYNC110 - a measurement
                await asyncio.sleep(0)
            client.answer = b""
    return f"{(_cpu_seconds(pid) - before) / REQUESTS * 1e6:.0f} µs"


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _tree(int(child)))]


def _cpu_seconds(pid: int) -> float:
    return sum(map(cpu_seconds, _tree(pid)))


def _memory_mb(pid: int) -> float:
    """The peak, where the kernel tells it: what was taken once is seldom given back."""
    return sum(map(peak_rss_mb, _tree(pid)))


async def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    names = sys.argv[1:] or list(commands(0))
    with TemporaryDirectory() as folder:
        found = {}
        for name in names:
            started = time.monotonic()
            found[name] = await measure(name, Path(folder) / f"{name}.log")
            sys.stderr.write(f"{name}: {time.monotonic() - started:.0f} s\n")
    lines = [f"| | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    for row in next(iter(found.values())):
        lines.append(f"| {row} | {' | '.join(rows[row] for rows in found.values())} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
