"""The org's limit over several workers, by a real Redis; and while that is away."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
from pydantic import SecretStr

from activity_api.endpoints.rate_limit import LimitExceededError, Limits
from activity_api.settings import LimitSettings
from activity_deploy.process.process import Process
from tests.support.wait import wait_until

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")


class Redis:
    """A server of its own, which keeps its port."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        options = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(folder),
        ]
        command = [SERVER or "", *options]
        self.process = Process("redis", command, folder / "redis.log")

    async def start(self) -> None:
        await self.process.start()
        await wait_until(self._answers, timeout=20, what="Redis answers")

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer == b"+PONG\r\n"


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    if SERVER is None:
        pytest.skip("no redis-server or valkey-server on this machine: the shared limits not tried")
    server = Redis(tmp_path)
    await server.start()
    yield server
    await server.process.stop()


def worker(redis: Redis, **changed: float) -> Limits:
    """As each process has its own."""
    url = SecretStr(f"redis://127.0.0.1:{redis.port}/0")
    parts = {"requests_per_second": 1, "burst": 60} | changed
    return Limits(LimitSettings(store_url=url, **parts))  # type: ignore[arg-type]


async def ask(limits: Limits, org_id: str = "o") -> dict[str, str]:
    async with limits.admit(org_id) as headers:
        return headers


async def counted(limits: Limits, org_id: str = "o") -> bool:
    """Whether it was counted in Redis; on a busy machine an answer of it may be too late."""
    return 'per="service"' in (await ask(limits, org_id))["RateLimit-Policy"]


async def test_workers_share_a_limit(redis: Redis) -> None:
    workers = [worker(redis) for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        for it in workers:
            stack.push_async_callback(it.close)
        await _share(workers)


async def _share(workers: list[Limits]) -> None:
    admitted = late = 0
    with pytest.raises(LimitExceededError) as refused:
        for turn in range(1000):
            is_counted = await counted(workers[turn % 3])
            admitted += is_counted
            late += not is_counted  # Redis may have counted it all the same
    assert 60 - late <= admitted <= 60, "of all three together"
    assert refused.value.limit == "requests_per_second"
    assert refused.value.headers["RateLimit-Policy"] == '"org";q=60;w=60;per="service"'
    assert refused.value.headers["RateLimit"].startswith('"org";r=0;t=')
    assert 1 <= refused.value.retry_after <= 60
    # Another org has its own.
    assert "r=59;" in (await ask(workers[0], "p"))["RateLimit"]


async def test_without_the_store_each_worker_counts(redis: Redis) -> None:
    limits = worker(redis, requests_per_second=1000, burst=2000)

    async def is_shared() -> bool:
        return await counted(limits)

    await wait_until(is_shared, timeout=20, what="Redis counts")
    await redis.process.kill()
    started = monotonic()
    policies = Counter([(await ask(limits))["RateLimit-Policy"] for _ in range(200)])
    assert list(policies) == ['"org";q=2000;w=2;per="worker"']
    assert monotonic() - started < 5, "not a tenth of a second each"
    await redis.start()
    await wait_until(is_shared, timeout=20, what="Redis counts again")
    await limits.close()


async def test_a_store_that_hangs_delays_one_request_a_second() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        limits = Limits(LimitSettings(store_url=SecretStr(f"redis://127.0.0.1:{port}")))
        started = monotonic()
        for _ in range(100):
            assert 'per="worker"' in (await ask(limits))["RateLimit-Policy"]
        assert monotonic() - started < 3
        await limits.close()


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://x", "redis://", "redis://x:99999"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="must be like redis://"):
        LimitSettings(store_url=SecretStr(url))


@pytest.mark.parametrize("package", ["limits", "redis"])
def test_without_its_packages_it_is_one_line(package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None;"
        " from activity_api.server import serve; sys.exit(serve())"
    )
    secret = "a secret that is long enough for HS256"
    environment = {
        "ACTIVITY_LIMIT_STORE_URL": "redis://:hidden@127.0.0.1:9/0",
        "ACTIVITY_JWT_KEY": secret,
        "ACTIVITY_CURSOR_KEY": secret,
    }
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "ACTIVITY_LIMIT_STORE_URL: needs further packages" in line
    assert "hidden" not in line
