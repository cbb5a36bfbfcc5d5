"""Every host of docs/emit.md, real ones: each request is one event, and SIGTERM loses none."""

import asyncio
import contextlib
import json
import os
import sys
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from activity_deploy.kafka.topics import Topic, create, delete
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from tests.integration.emit.apps import BASE
from tests.integration.emit.harness import topic_reader
from tests.support.wait import wait_until

APP = "tests.integration.emit.apps:app"
BIN = Path(sys.executable).parent
REQUESTS = 40  # for each life of a host
TOGETHER = 8
STOP_S = 25.0


@dataclass(slots=True)
class Host:
    """`command`: after `python -m`, or a program beside Python. `framework`: see apps.py."""

    name: str
    framework: str
    command: str
    reloads: bool = False
    port: int = 0
    topic: str = ""
    directory: Path = Path()
    sent: list[str] = field(default_factory=list)  # paths
    left: list[int] = field(default_factory=list)  # processes, after the end
    events: list[dict[str, Any]] = field(default_factory=list)
    failed: BaseException | None = None

    def arguments(self) -> list[str]:
        """The whole command."""
        words = self.command.format(port=self.port, app=APP, watched=self.directory).split()
        program = BIN / words[0]
        return [str(program), *words[1:]] if words[0] == "uwsgi" else [sys.executable, "-m", *words]


def hosts() -> list[Host]:
    uvicorn = "uvicorn --no-access-log --port {port} {app}"
    gunicorn = "gunicorn --bind 127.0.0.1:{port} --graceful-timeout 20 {app}"
    hypercorn = "hypercorn --bind 127.0.0.1:{port} {app}"
    granian = "granian --log-level warning --port {port} {app}"
    uwsgi = "uwsgi --http-socket 127.0.0.1:{port} --master --need-app --die-on-term --module {app}"
    return [
        Host("uvicorn workers", "fastapi", f"{uvicorn} --workers 2"),
        Host("uvicorn reload", "fastapi", f"{uvicorn} --reload --reload-dir {{watched}}", True),
        Host("gunicorn sync", "flask", f"{gunicorn} --workers 2"),
        Host("gunicorn gthread", "flask", f"{gunicorn} --worker-class gthread --threads 4"),
        Host("gunicorn gevent", "flask", f"{gunicorn} --worker-class gevent --workers 2"),
        Host("gunicorn preload", "django", f"{gunicorn} --preload --workers 2"),
        Host("gunicorn uvicorn", "fastapi", f"{gunicorn} -k uvicorn.workers.UvicornWorker"),
        Host("hypercorn asyncio", "fastapi", f"{hypercorn} --workers 2"),
        Host("hypercorn trio", "fastapi", f"{hypercorn} --worker-class trio"),
        Host("granian asgi", "fastapi", f"{granian} --interface asgi --workers 2"),
        Host("granian wsgi", "flask", f"{granian} --interface wsgi"),
        Host("uwsgi", "flask", f"{uwsgi} --processes 2 --enable-threads"),
        Host("uwsgi lazy", "django", f"{uwsgi} --processes 2 --enable-threads --lazy-apps"),
    ]


def processes_of(topic: str) -> list[int]:
    """All that were started with this topic in their environment, our grandchildren among them."""
    mark = f"ACTIVITY_KAFKA_TOPIC={topic}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


async def ask(host: Host, life: int) -> None:
    """`REQUESTS` requests, each on a connection of its own, so that all workers get some."""
    turn = asyncio.Semaphore(TOGETHER)
    limits = httpx.Limits(max_keepalive_connections=0)
    url = f"http://127.0.0.1:{host.port}"
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:

        async def one(number: int) -> None:
            path = f"{BASE}/a{life}-{number}/execute"
            async with turn:
                answer = await client.post(path)
            assert answer.status_code == 200
            host.sent.append(path)

        await asyncio.gather(*(one(number) for number in range(REQUESTS)))


async def serves(host: Host, process: Process, life: str = "") -> None:
    """Until it answers, and with another `life` in its header than the one before."""

    async def answers() -> bool:
        assert process.running, process.ended()
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient(timeout=5) as client:
                answer = await client.get(f"http://127.0.0.1:{host.port}/healthz")  # and no event
            return answer.status_code == 404 and not (life and str(server_of(host)) == life)
        return False

    await wait_until(answers, 60, f"{host.name} answers")


def server_of(host: Host) -> set[int]:
    """The host's processes but for forwarders, by which a reload shows."""
    found = set()
    for pid in processes_of(host.topic):
        with contextlib.suppress(OSError):
            if b"activity_emit.forwarder" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


async def live(host: Host, bootstrap: str) -> None:
    """Start, requests, SIGTERM at once after the last answer; then what is in Kafka."""
    host.directory.mkdir()
    (host.directory / "watched.py").write_text("")
    environment = {
        "EMIT_APP": host.framework,
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "ACTIVITY_KAFKA_TOPIC": host.topic,
        "ACTIVITY_SPOOL_DIR": str(host.directory / "spool"),
        "ACTIVITY_EMIT_STOP_TIMEOUT_S": "15",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    process = Process(host.name, host.arguments(), host.directory / "log", environment)
    await process.start()
    try:
        await serves(host, process)
        await ask(host, 1)
        if host.reloads:
            before = server_of(host)
            (host.directory / "watched.py").write_text("changed = True\n")
            await wait_until(lambda: server_of(host) - before, 30, f"{host.name} begins anew")
            await wait_until(lambda: before - server_of(host), 30, f"{host.name} ends the old one")
            await serves(host, process)
            await ask(host, 2)
    finally:
        await process.stop(STOP_S)
        with contextlib.suppress(AssertionError):
            await wait_until(lambda: not processes_of(host.topic), 15, f"{host.name} leaves nobody")
        host.left = processes_of(host.topic)
        for pid in host.left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
    host.events = [json.loads(value) for value in await everything(bootstrap, host.topic)]


async def everything(bootstrap: str, topic: str) -> list[bytes]:
    """What is in the topic now; nobody is left who could send more."""
    values: list[bytes] = []
    async with topic_reader(bootstrap, topic) as consumer, asyncio.timeout(30):
        ends = await consumer.end_offsets(consumer.assignment())
        while len(values) < sum(ends.values()):
            values.append((await consumer.getone()).value or b"")
    return values


@pytest.fixture(scope="module")
async def lived(
    kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Host]]:
    """Three at the same time: most of it is waiting for servers to start and end."""
    found = hosts()
    directory = tmp_path_factory.mktemp("hosts")
    for host, port in zip(found, free_ports(len(found)), strict=True):
        host.port, host.topic = port, f"hosts-{uuid.uuid4().hex[:8]}"
        host.directory = directory / host.name.replace(" ", "-")
    await create(kafka_bootstrap, [Topic(host.topic, 1) for host in found])
    turn = asyncio.Semaphore(3)

    async def one(host: Host) -> None:
        async with turn:
            try:
                await live(host, kafka_bootstrap)
            except (Exception, AssertionError) as error:  # noqa: BLE001 - told by the host's own test
                host.failed = error

    await asyncio.gather(*map(one, found))
    yield {host.name: host for host in found}
    await delete(kafka_bootstrap, [host.topic for host in found])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [host.name for host in hosts()])
async def test_each_request_is_one_event_and_nobody_is_left(
    lived: dict[str, Host], name: str
) -> None:
    host = lived[name]
    if host.failed is not None:
        raise host.failed
    assert len(host.sent) == REQUESTS * (1 + host.reloads)
    assert sorted(event["path"] for event in host.events) == sorted(host.sent)
    numbers: dict[str, list[int]] = defaultdict(list)
    for event in host.events:
        assert (event["org_id"], event["execution_id"]) == ("o1", "x1")
        numbers[event["producer_id"]].append(event["seq"])
    for producer, found in numbers.items():
        assert sorted(found) == list(range(len(found))), producer
    assert host.left == []
    # A server logs what a lifespan raises, and goes on.
    assert "RuntimeError" not in (host.directory / "log").read_text()
