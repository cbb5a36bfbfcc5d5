"""Secrets planted wherever a request can carry one are nowhere behind the middleware.

Two real services (one with the forwarder, one with the thread and a hook), a real broker, consumer
and engine. The control: what may be seen is found in each of the places that are searched.
"""

import asyncio
import base64
import contextlib
import sys
import urllib.parse
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from wsproto import ConnectionType, WSConnection
from wsproto.events import CloseConnection, Message, Request, TextMessage

from activity_deploy.kafka.topics import Topic, create
from activity_deploy.migration_run import migrate
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from tests.integration.emit.harness import read, spooled
from tests.integration.emit.secret_app import FACT, JWT, KEY, SECRET
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.consumer import Consumer, rows_arrive
from tests.support.kafka import KafkaBroker
from tests.support.wait import wait_until

TOPIC, DATABASE = f"{FACT}-events", f"{FACT}_events"
APP = "/orgs/acme/apps/a1"
BASIC = base64.b64encode(f"user:{SECRET}".encode()).decode()
FORMS = [
    SECRET.encode(),
    BASIC.encode(),
    urllib.parse.quote(SECRET[0]).encode() + SECRET[1:].encode(),
    SECRET.encode().hex().encode(),
    SECRET.encode("utf-16-le"),
]
HEADERS = {
    "connection": "close",  # an exception closes it at the server's will
    "authorization": f"Bearer {SECRET}",
    "proxy-authorization": f"Basic {BASIC}",
    "cookie": f"session={SECRET}",
    "x-api-key": SECRET,
    "x-anything": SECRET,
    "referer": f"https://x/?token={SECRET}",
    "traceparent": f"00-{SECRET}",
}
REQUESTS = [
    ("POST", f"{APP}/vault/{SECRET}/{FACT}/{JWT}/{KEY}"),
    ("POST", f"{APP}/vault/{SECRET}/password={SECRET};token={SECRET}/{FACT}"),
    ("POST", f"{APP}/vault/%73{SECRET[1:]}/https://u:{SECRET}@h/{FACT}"),
    ("GET", f"{APP}/boom"),
    ("GET", f"{APP}/late"),
    ("GET", f"{APP}/denied"),
    ("GET", f"{APP}/nobody"),
    ("GET", f"{APP}/hooked"),
    ("GET", f"/orgs/{KEY}/apps/{JWT}"),  # no route
    ("DELETE", f"{APP}/boom"),  # not allowed
]
QUERY = f"colour={FACT}&q=Bearer%20{SECRET}&password={SECRET}&other={SECRET}&{SECRET}=1&{SECRET}"


def found(place: bytes) -> list[bytes]:
    """The forms of the secret in there."""
    lower = place.lower()
    return [form for form in FORMS if form.lower() in lower]


def files(directory: Path) -> bytes:
    """All bytes below a directory, names too."""
    every = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return b"\n".join(str(path).encode() + b"\n" + path.read_bytes() for path in every)


class Service:
    def __init__(self, name: str, hook: bool, bootstrap: str, directory: Path) -> None:
        [self.port] = free_ports(1)
        self.spool = directory / f"spool-{name}"
        environment = {
            "SECRET_PORT": str(self.port),
            "SECRET_HOOK": str(int(hook)),
            "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "ACTIVITY_KAFKA_TOPIC": TOPIC,
            "ACTIVITY_SPOOL_DIR": str(self.spool),
        }
        command = [sys.executable, "-m", "tests.integration.emit.secret_app"]
        self.process = Process(name, command, directory / "logs" / name, environment)
        # One is dropped by the hook; a WebSocket is one; what no route took is nobody's.
        self.events = len(REQUESTS) - hook

    async def play(self) -> None:
        """All requests; then every event is in the spool."""
        url = f"http://127.0.0.1:{self.port}"
        async with httpx.AsyncClient(base_url=url, headers=HEADERS) as client:

            async def answers() -> bool:
                assert self.process.running, self.process.output()
                with contextlib.suppress(httpx.HTTPError):
                    return (await client.get("/healthz")).status_code == 404
                return False

            await wait_until(answers, 30, "the service answers")
            for method, path in REQUESTS:
                breaks_off = [httpx.TransportError] if path.endswith("/late") else []
                with contextlib.suppress(*breaks_off):
                    body = {"password": SECRET} if method == "POST" else None
                    await client.request(method, f"{path}?{QUERY}", json=body)
            await self._talk()

        def all_spooled() -> bool:
            return len(spooled(self.spool) or []) == self.events

        await wait_until(all_spooled, 30, f"{self.events} events in the spool")

    async def _talk(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        connection = WSConnection(ConnectionType.CLIENT)
        headers = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k != "connection"]
        target = f"{APP}/socket?{QUERY}"
        writer.write(connection.send(Request("localhost", target, extra_headers=headers)))
        seen: list[type] = []
        while CloseConnection not in seen:
            connection.receive_data(await reader.read(4096) or None)
            for event in connection.events():
                if not seen:
                    writer.write(connection.send(Message(data=SECRET)))
                seen.append(type(event))
        assert TextMessage in seen
        writer.close()
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def engine(directory: Path) -> AsyncIterator[tuple[str, AsyncClient]]:
    server = ClickHouseServer(directory / "logs" / "engine")
    await server.start()
    try:
        async with await connect(server.url, "default") as client:
            await migrate(client, DATABASE)
        async with await connect(server.url, DATABASE) as client:
            yield server.url, client
    finally:
        await server.stop()


async def everything(client: AsyncClient) -> bytes:
    """Every row of every table, as text."""
    tables = await client.query(
        "SELECT name FROM system.tables WHERE database = {d:String}", {"d": DATABASE}
    )
    rows = [
        await client.raw_query(f"SELECT * FROM {name} FORMAT JSONEachRow")
        for (name,) in tables.result_rows
    ]
    return b"\n".join(rows)


@pytest.mark.timeout(300)
async def test_no_secret_is_in_spool_kafka_clickhouse_or_logs(tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path / "kafka", log=tmp_path / "logs" / "kafka")
    services = [
        Service(name, hook, broker.bootstrap_servers, tmp_path)
        for name, hook in (("forwarder", False), ("thread", True))
    ]
    places: dict[str, bytes] = {}
    async with contextlib.AsyncExitStack() as stack:
        for one in services:
            await one.process.start()
            stack.push_async_callback(one.process.stop)
        await asyncio.gather(*(one.play() for one in services))
        # The broker was away: all of it is on disk, as files and as the rows they hold.
        for one in services:
            places[f"files of spool {one.process.name}"] = files(one.spool)
            places[f"rows of spool {one.process.name}"] = b"\n".join(spooled(one.spool) or [])
        await broker.start()
        stack.push_async_callback(broker.stop)
        await create(broker.bootstrap_servers, [Topic(name, 4) for name in (TOPIC, f"{TOPIC}.dlq")])
        url, client = await stack.enter_async_context(engine(tmp_path))
        log = tmp_path / "logs" / "consumer"
        consumer = Consumer(broker.bootstrap_servers, TOPIC, url, DATABASE, log)
        count = sum(one.events for one in services)
        async with consumer:
            await rows_arrive(client, count, 60)
        for one in services:
            await one.process.stop()
        records = await read(broker.bootstrap_servers, TOPIC, count)
        places["records of the topic"] = b"\n".join(
            b"%r %r %r" % (record.key, record.value, record.headers) for record in records
        )
        places["tables"] = await everything(client)
    places["files of the broker"] = files(tmp_path / "kafka")
    for path in sorted((tmp_path / "logs").iterdir()):
        if path.is_file():
            places[f"log of {path.name}"] = path.read_bytes()

    assert {name: found(place) for name, place in places.items() if found(place)} == {}
    # The control: each place was looked into where the events, or their names, are.
    told = {"log of engine.log": b"clickhouse: ready", "log of kafka": b"controller"}
    blind = [n for n, place in places.items() if told.get(n, FACT.encode()) not in place.lower()]
    assert blind == []
    assert len(places) == 12, list(places)
    rows = b"\n".join(spooled(services[0].spool) or [])
    assert rows == b""  # all was delivered
