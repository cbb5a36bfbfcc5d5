"""Five frameworks behind three servers, real ones: the same requests make the same events."""

import asyncio
import contextlib
import json
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, Request, TextMessage

from activity_deploy.kafka.topics import Topic, create, delete
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from tests.integration.emit.apps import BASE
from tests.integration.emit.harness import read
from tests.support.wait import wait_until

APP = "tests.integration.emit.apps:app"


@dataclass(slots=True)
class Case:
    """`command`: the server, after `python -m`. `http2`: talk HTTP/2 to it too, without TLS."""

    app: str
    command: list[str]
    http2: bool = False
    asgi: bool = True
    socket: bool = False
    port: int = 0
    topic: str = ""
    answers: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def version(self) -> str:
        return "HTTP/2" if self.http2 else "HTTP/1.1"

    def of(self, path: str) -> dict[str, Any]:
        """The event of a path."""
        [event] = [event for event in self.events if event["path"] == f"{BASE}/{path}"]
        return event


def cases() -> list[Case]:
    uvicorn = ["uvicorn", "--no-access-log", "--ws", "wsproto", "--port", "{port}", APP]
    granian = ["granian", "--log-level", "warning", "--port", "{port}"]
    hypercorn = ["hypercorn", "--bind", "127.0.0.1:{port}"]
    return [
        Case("fastapi", uvicorn, socket=True),
        Case("litestar", [*granian, "--interface", "asgi", APP], http2=True),
        Case("quart", [*hypercorn, APP], http2=True),
        Case("flask", [*granian, "--interface", "wsgi", APP], asgi=False),
        Case("django", [*hypercorn, f"wsgi:{APP}"], asgi=False),
    ]


@contextlib.asynccontextmanager
async def served(case: Case, bootstrap: str, directory: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the case's server. At the end the server has been told to stop, and has."""
    environment = {
        "EMIT_APP": case.app,
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "ACTIVITY_KAFKA_TOPIC": case.topic,
        "ACTIVITY_SPOOL_DIR": str(directory / case.app),
        "ACTIVITY_EMIT_STOP_TIMEOUT_S": "20",
    }
    command = [sys.executable, "-m", *(part.format(port=case.port) for part in case.command)]
    process = Process(case.app, command, directory / f"{case.app}.log", environment)
    await process.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{case.port}") as client:

            async def answers() -> bool:
                assert process.running, process.ended()
                with contextlib.suppress(httpx.HTTPError):
                    return (await client.get("/healthz")).status_code == 404  # and no event
                return False

            await wait_until(answers, 30, f"{case.app} answers")
            yield client
    finally:
        await process.stop(25)


async def play(case: Case, bootstrap: str, directory: Path) -> None:
    """The requests; then what is in Kafka when the server has ended."""
    async with served(case, bootstrap, directory) as client:
        if case.asgi:
            async with client.stream("GET", f"{BASE}/a1/endless") as endless:
                await anext(endless.aiter_bytes())
            # A server that is told to stop before it saw the client leave says something else.
            await read(bootstrap, case.topic, 1)
        if case.socket:
            await talk(case.port)
        requests = [("POST", "execute"), ("GET", "stream"), ("GET", "boom"), ("GET", "none")]
        for method, path in [*requests, ("OPTIONS", "execute")]:
            # Each on a connection of its own: after an exception some servers close theirs.
            close = {"connection": "close"}
            answer = await client.request(method, f"{BASE}/a1/{path}", headers=close)
            case.answers[f"{method} {path}"] = answer.status_code
        async with httpx.AsyncClient(http1=not case.http2, http2=case.http2) as together:
            many = [together.get(client.base_url.join(f"{BASE}/b{n}/stream")) for n in range(20)]
            answers = await asyncio.gather(*many)
        case.answers.update({str(answer.url): answer.status_code for answer in answers})
        assert {answer.http_version for answer in answers} == {case.version}
    count = 23 + case.asgi + case.socket
    case.events = [json.loads(record.value) for record in await read(bootstrap, case.topic, count)]


async def talk(port: int) -> None:
    """One WebSocket connection: a text there, the same one back, closed by the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection = WSConnection(ConnectionType.CLIENT)
    writer.write(connection.send(Request(host="localhost", target=f"{BASE}/a1/socket")))
    seen: list[type] = []
    while CloseConnection not in seen:
        connection.receive_data(await reader.read(4096) or None)
        for event in connection.events():
            seen.append(type(event))
            if isinstance(event, AcceptConnection):
                writer.write(connection.send(Message(data="hello")))
            if isinstance(event, CloseConnection):
                writer.write(connection.send(event.response()))
    assert TextMessage in seen
    writer.close()
    await writer.wait_closed()


@pytest.fixture(scope="module")
async def played(
    kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Case]]:
    """All of them at the same time: most of it is waiting for servers to start and end."""
    found = cases()
    for case, port in zip(found, free_ports(len(found)), strict=True):
        case.port, case.topic = port, f"{case.app}-{uuid.uuid4().hex[:8]}"
    await create(kafka_bootstrap, [Topic(case.topic, 1) for case in found])
    directory = tmp_path_factory.mktemp("frameworks")
    await asyncio.gather(*(play(case, kafka_bootstrap, directory) for case in found))
    yield {case.app: case for case in found}
    await delete(kafka_bootstrap, [case.topic for case in found])


@pytest.mark.parametrize("name", [case.app for case in cases()])
async def test_the_same_requests_make_the_same_events(played: dict[str, Case], name: str) -> None:
    case = played[name]
    assert {status for target, status in case.answers.items() if target.startswith("http")} == {200}
    assert sorted(event["seq"] for event in case.events) == list(range(len(case.events)))
    execute, stream, boom = map(case.of, ("a1/execute", "a1/stream", "a1/boom"))
    for event in case.events:
        assert (event["org_id"], event["workspace_id"]) == ("o1", "w1")
        assert event["resource_type"] == "app"
    assert (execute["action"], execute["status_code"], execute["app_id"]) == ("execute", 200, "a1")
    assert (execute["execution_id"], execute["token_usage"]) == ("x1", {"total": 5})
    assert stream["metadata"]["response_bytes"] == 22
    assert stream["metadata"]["first_byte_ms"] <= stream["duration_ms"]
    assert boom["status_code"] == 500
    # Nobody at no route of the org.
    assert case.answers["GET none"] == 404
    assert [event for event in case.events if event["path"].endswith("none")] == []
    assert "swordfish" not in json.dumps(case.events)
    streamed = [event["app_id"] for event in case.events if event["path"].endswith("/stream")]
    assert sorted(streamed) == sorted(["a1", *(f"b{number}" for number in range(20))])


@pytest.mark.parametrize("name", [case.app for case in cases() if case.asgi])
async def test_a_client_that_leaves_a_stream(played: dict[str, Case], name: str) -> None:
    endless = played[name].of("a1/endless")
    assert (endless["status_code"], endless["error_code"]) == (200, "CLIENT_DISCONNECTED")
    assert endless["metadata"]["response_bytes"] >= len(b"data: one\n\n")


async def test_a_websocket_is_one_event(played: dict[str, Case]) -> None:
    socket = played["fastapi"].of("a1/socket")
    assert (socket["status_code"], socket["method"]) == (101, "GET")
    assert socket["metadata"] == {"websocket": True, "received": 1, "sent": 1, "close_code": 1000}
