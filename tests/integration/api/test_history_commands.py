"""`activity export` and `activity forward` against the real API: stopped, cut, and gone on with."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from activity_api.auth.caller import EXPORT, READ
from activity_deploy.errors import UserError
from activity_deploy.history.client import HistoryClient
from activity_deploy.history.export import Form, export_day
from activity_deploy.history.forwarder import Forwarder, ForwardMetrics, ProgressFile
from activity_deploy.history.settings import HistorySettings
from activity_deploy.history.webhook import headers as signed
from tests.integration.api.test_query_serve import Api, serving
from tests.support.feed import at, write
from tests.support.query import bearer, insert
from tests.support.wait import wait_until

DAY = date(2026, 3, 4)
KEY = b"k" * 32
START = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
async def served(clickhouse_url: str, database: str, tmp_path: Path) -> AsyncIterator[Api]:
    environment = {"ACTIVITY_CLICKHOUSE_DATABASE": database}
    async with serving(tmp_path / "api.log", clickhouse_url, **environment) as api:
        yield api


class Cutting(httpx.HTTPTransport):
    """Lets so many answers through, and cuts the next in its middle."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        body = response.read()
        if self.left == 0:
            body = body[: len(body) // 2]
        self.left -= 1
        return httpx.Response(response.status_code, content=body)


def client_of(api: Api, transport: httpx.BaseTransport | None = None) -> HistoryClient:
    token = bearer("o", permissions=(READ, EXPORT))["authorization"].removeprefix("Bearer ")
    settings = HistorySettings(url=str(api.client.base_url).rstrip("/"), token=SecretStr(token))
    return HistoryClient(settings, "o", EXPORT, transport)


@pytest.mark.parametrize("form", [Form.NDJSON, Form.CSV])
async def test_a_day_that_was_cut_is_gone_on_with(
    served: Api, clickhouse: AsyncClient, tmp_path: Path, form: Form
) -> None:
    """Three pieces of 20,000 rows; the second and the third are cut once each."""
    await clickhouse.command(
        "INSERT INTO events (id, timestamp, org_id, method, path, action, status_code, _lease)"
        " SELECT generateUUIDv7(), toDateTime64('2026-03-04', 6, 'UTC') + number % 86400, 'o',"
        " 'GET', toString(number), 'read', 200, now() + 3600 FROM numbers(45000)"
    )
    await insert(clickhouse, [at("o", 0, 1, at=START + timedelta(days=n)) for n in (-1, 1)])
    final = tmp_path / f"{DAY}.{form}"

    def run(cut_at: int) -> int:
        client = client_of(served, Cutting(cut_at))
        try:
            return export_day(client, tmp_path, DAY, form)
        finally:
            client.close()

    with pytest.raises(UserError, match=r"cut|differ"):
        await asyncio.to_thread(run, 1)
    assert not final.exists()
    # It was stopped within a write, too.
    with final.with_name(final.name + ".part").open("ab") as part:
        part.write(b"half a li")
    with pytest.raises(UserError, match=r"cut|differ"):
        await asyncio.to_thread(run, 1)
    assert await asyncio.to_thread(run, -1) == 5000
    left = await asyncio.to_thread(lambda: [path.name for path in tmp_path.glob("2026*")])
    assert left == [final.name]
    text = final.read_text()
    if form is Form.NDJSON:
        paths = [json.loads(line)["path"] for line in text.splitlines()]
    else:
        assert text.count("id,timestamp") == 1
        paths = [line.split(",")[11].strip('"') for line in text.splitlines()[1:]]
    assert sorted(map(int, paths)) == [*range(45000)]
    assert await asyncio.to_thread(run, -1) == 0  # it is there


class Receiver:
    """A webhook that answers as it is told: each answer once, then 204."""

    def __init__(self, answers: list[int]) -> None:
        self.answers = answers
        self.taken: list[tuple[str, bytes]] = []
        self.seen: list[str] = []
        self.port = 0


@contextmanager
def receiving(answers: list[int]) -> Iterator[Receiver]:
    receiver = Receiver(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            id_, at_ = self.headers["webhook-id"], int(self.headers["webhook-timestamp"])
            assert (
                self.headers["webhook-signature"]
                == signed(KEY, id_, at_, body)["webhook-signature"]
            )
            receiver.seen.append(id_)
            status = receiver.answers.pop(0) if receiver.answers else 204
            if status == 0:  # it has taken it, and its answer is lost
                receiver.taken.append((id_, body))
                self.connection.close()
                return
            if status < 300:
                receiver.taken.append((id_, body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def forwarder(
    client: HistoryClient, port: int, state: Path, stopped: threading.Event
) -> tuple[Callable[[], None], ForwardMetrics]:
    metrics = ForwardMetrics(CollectorRegistry())
    receiver = httpx.Client(timeout=20)

    def run() -> None:
        made = Forwarder(
            *(client, receiver, ProgressFile(state)),
            to=f"http://127.0.0.1:{port}/hook",
            key=KEY,
            metrics=metrics,
            stopped=stopped,
            now=time.time,
            longest_pause_s=0.1,
            say=lambda _: None,
            batch=10,
        )
        try:
            made.run("beginning")
        finally:
            client.close()
            receiver.close()

    return run, metrics


@asynccontextmanager
async def forwarding(
    client: HistoryClient, port: int, state: Path
) -> AsyncIterator[ForwardMetrics]:
    """A forwarder, which is stopped in the end with what it is at."""
    stopped = threading.Event()
    run, metrics = forwarder(client, port, state, stopped)
    running = asyncio.create_task(asyncio.to_thread(run))
    try:
        yield metrics
    finally:
        stopped.set()
        await running


async def test_each_event_arrives_under_an_id_that_stays(
    served: Api, clickhouse: AsyncClient, tmp_path: Path
) -> None:
    """A receiver that refuses, is away, and takes a batch whose answer is lost; a forwarder that is
    stopped and begun again. By the ids of the batches a receiver has each event once."""
    await write(clickhouse, *(at("o", 0, n) for n in range(35)))
    state = tmp_path / "state.json"
    with receiving([500, 204, 0, 429, 503]) as receiver:
        async with forwarding(client_of(served), receiver.port, state):
            await wait_until(lambda: len(_events(receiver)) == 35, 60, "all have come")
        assert max(Counter(receiver.seen).values()) > 1
        await write(clickhouse, *(at("o", 0, n) for n in range(35, 40)))
        async with forwarding(client_of(served), receiver.port, state) as metrics:
            await wait_until(lambda: len(_events(receiver)) == 40, 60, "the rest has come")
    assert _events(receiver) == [f"/0/{n}" for n in range(40)]
    assert len(receiver.taken) > len({id_ for id_, _ in receiver.taken})  # one came twice
    assert metrics.up._value.get() == 1
    assert metrics.events._value.get() == 5


def _events(receiver: Receiver) -> list[str]:
    """What a receiver has that looks at the ids of batches."""
    batches = dict(receiver.taken)
    found = (json.loads(body)["data"]["activities"] for body in batches.values())
    return [one["path"] for some in found for one in some]


async def test_a_batch_that_was_on_its_way_at_a_kill_is_sent_again_as_it_was(
    served: Api, clickhouse: AsyncClient, tmp_path: Path
) -> None:
    await write(clickhouse, *(at("o", 0, n) for n in range(3)))
    state = tmp_path / "state.json"
    with receiving([503] * 3) as receiver:
        async with forwarding(client_of(served), receiver.port, state):
            await wait_until(lambda: receiver.seen, 60, "it has been tried")
        # It was not taken: as after a kill, the state has it.
        before = json.loads(state.read_text())
        assert before["body"]
        await write(clickhouse, *(at("o", 0, n) for n in range(3, 6)))
        receiver.answers.clear()
        async with forwarding(client_of(served), receiver.port, state):
            await wait_until(lambda: len(_events(receiver)) == 6, 60, "all have come")
    assert receiver.taken[0] == (before["id"], before["body"].encode())


async def test_a_receiver_that_is_gone_ends_it(
    served: Api, clickhouse: AsyncClient, tmp_path: Path
) -> None:
    await write(clickhouse, at("o", 0, 0))
    with receiving([410]) as receiver:
        run, _ = forwarder(
            client_of(served), receiver.port, tmp_path / "state.json", threading.Event()
        )
        with pytest.raises(UserError, match="wants nothing more"):
            await asyncio.to_thread(run)
