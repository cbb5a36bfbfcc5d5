"""`python -m activity_api serve` as a process: it outlives its engine, and ends when told to."""

import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import httpx

from activity_deploy.migration_run import migrate
from activity_deploy.process.process import Process
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.query import KEY, bearer, insert, row
from tests.support.wait import wait_until

DATABASE = "activity_test"
LIST = "/v1/orgs/o/activity"


class Api:
    """The process, on a free port, and a client of it."""

    def __init__(self, log: Path, clickhouse_url: str, **environment: str) -> None:
        variables = {
            "ACTIVITY_API_PORT": "0",
            "ACTIVITY_JWT_KEY": KEY,
            "ACTIVITY_CURSOR_KEY": KEY,
            "ACTIVITY_CLICKHOUSE_URL": clickhouse_url,
            "ACTIVITY_CLICKHOUSE_DATABASE": DATABASE,
            **environment,
        }
        command = [sys.executable, "-m", "activity_api", "serve"]
        self.process = Process("query_api", command, log, variables)
        self.client = httpx.AsyncClient(timeout=60)

    async def start(self) -> None:
        """Returns when it listens."""
        await self.process.start()
        line = await wait_until(self._ready_line, timeout=30, what="the API listens")
        self.client.base_url = httpx.URL(line.split(" on ")[1].split()[0])

    async def get(self, path: str = LIST) -> httpx.Response:
        return await self.client.get(path, headers=bearer("o"))

    async def is_ready(self) -> bool:
        return (await self.client.get("/readyz")).status_code == 200

    def _ready_line(self) -> str:
        output = self.process.output()
        assert self.process.running, f"it ended: {output}"
        return next((line for line in output if "listening on" in line), "")


@contextlib.asynccontextmanager
async def serving(log: Path, clickhouse_url: str, **environment: str) -> AsyncIterator[Api]:
    """Stopped at the end, whatever happens."""
    api = Api(log, clickhouse_url, **environment)
    try:
        await api.start()
        yield api
    finally:
        await api.client.aclose()
        await api.process.stop()


async def test_it_outlives_its_engine(tmp_path: Path) -> None:
    engine = ClickHouseServer(tmp_path / "data", _free_port())
    try:
        async with serving(tmp_path / "api.log", engine.url) as api:
            # Started before the engine: alive, but not ready.
            assert (await api.get("/healthz")).status_code == 200
            await _away(api)
            await engine.start()
            await _fill(engine.url)
            await wait_until(api.is_ready, timeout=20, what="the API is ready")
            before = await api.get()
            assert (before.status_code, before.json()["total"]) == (200, 3)

            await engine.kill()
            await _away(api)
            await engine.restart()
            await wait_until(api.is_ready, timeout=20, what="the API is ready again")
            assert (await api.get()).json() == before.json()

            # Alive, but silent: as away as a dead one.
            engine.process.send_signal(signal.SIGSTOP)
            started = monotonic()
            response = await api.get()
            assert response.status_code == 503
            assert monotonic() - started < 3
            engine.process.send_signal(signal.SIGCONT)
            await wait_until(api.is_ready, timeout=20, what="the API is ready once more")
            assert (await api.get()).json() == before.json()
            assert "Traceback" not in "\n".join(api.process.output())
    finally:
        engine.process.send_signal(signal.SIGCONT)
        await engine.kill()


async def _away(api: Api) -> None:
    """Every answer a 503 within a second (three on a busy machine), none an empty 200."""
    for path in (LIST, LIST + "/summary", "/readyz", LIST):
        started = monotonic()
        response = await api.get(path)
        assert response.status_code == 503, response.text
        assert response.json()["error"] == "SERVICE_UNAVAILABLE"
        assert response.headers["retry-after"] == "1"
        assert monotonic() - started < 3


async def _fill(url: str) -> None:
    async with await connect(url, "default") as client:
        await migrate(client, DATABASE)
    async with await connect(url, DATABASE) as client:
        await insert(client, [row("o", datetime.now(UTC)) for _ in range(3)])


async def test_workers_share_a_port_and_stop_in_time(clickhouse_url: str, tmp_path: Path) -> None:
    async with serving(tmp_path / "api.log", clickhouse_url, ACTIVITY_API_WORKERS="2") as api:
        response = await api.get("/healthz")
        assert "server" not in response.headers
        address = api.client.base_url
        # A client that keeps its connection open, and another that never ends its request.
        with socket.create_connection((address.host, address.port or 0)) as half:
            half.sendall(b"GET /healthz HTTP/1.1\r\n")
            started = monotonic()
            api.process.send_signal(signal.SIGTERM)
            assert await api.process.wait() == 0
            assert monotonic() - started < 5
        assert "Traceback" not in "\n".join(api.process.output())


async def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for changed, text in (
            ({"ACTIVITY_API_PORT": port}, f"cannot listen on 127.0.0.1:{port}: Address already"),
            (
                {"ACTIVITY_API_METRICS_PORT": port},
                "ACTIVITY_API_HOST and ACTIVITY_API_METRICS_PORT",
            ),
            ({"ACTIVITY_CURSOR_KEY": ""}, "ACTIVITY_CURSOR_KEY: field required"),
        ):
            api = Api(tmp_path / "api.log", "http://127.0.0.1:9", **changed)
            await api.process.start()
            assert await api.process.wait() == 2
            (line,) = api.process.output()
            assert line.startswith("query_api: ")
            assert text in line
            await api.client.aclose()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
